// SPDX-License-Identifier: MIT
/* Plans with reasons, and what holds for all of them. */
#include "config.h"

#include "asked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/xalloc.h"

struct asked
asked_of(const struct fleet *f, enum plan_explain_of of, const char *id)
{
	struct asked a = {.vms = xcalloc(f->n + 1, sizeof(*a.vms))};
	struct err e = ERR_NONE;

	a.in = fleet_input(f, a.vms);
	a.in.explain = of;
	a.in.explain_id = id;
	if (planner_run(&a.in, &a.plan, &e) < 0)
		fail_msg("%s", e.text);
	return a;
}

void
asked_fini(struct asked *a)
{
	plan_free(a->plan);
	free(a->vms);
}

void
asked_expect_sane(const struct asked *a, unsigned int i)
{
	const struct plan_result *r = &a->plan->results[i];
	const struct explain *e = r->explain;
	double sum = 0;

	assert_non_null(e);
	assert_true(cpuset_equal(&e->chosen.cpus, &r->domain));
	for (unsigned int t = 0; t < N_TERMS; t++) {
		assert_true(e->chosen.terms.ns[t] >= 0);
		sum += e->chosen.terms.ns[t];
	}
	assert_true(sum - e->chosen.total_ns < 1e-9 && e->chosen.total_ns - sum < 1e-9);
	if (e->has_runner_up) {
		assert_false(cpuset_equal(&e->runner_up.cpus, &e->chosen.cpus));
		assert_false(cpuset_empty(&e->runner_up.cpus));
	}
	if (e->has_better) {
		double n = cpuset_count(&e->better.cpus);

		assert_false(cpuset_equal(&e->better.cpus, &e->chosen.cpus));
		assert_true(e->better.total_ns < e->chosen.total_ns);
		assert_true(e->better_free_cpus > 0 && e->better_free_cpus <= n);
	}
}

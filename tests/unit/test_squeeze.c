// SPDX-License-Identifier: MIT
/* What is done about VMs that wait: whether, how long, and what is said. No threads:
 * the counters are made up, the host is imaginary. */
#include "config.h"

#include "daemon/squeeze.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/xalloc.h"
#include "daemon/engine.h"
#include "daemon/planning.h"
#include "vmtable.h"

#define SECOND UINT64_C(1000000)
#define DWELL (300 * SECOND)

/* Each of its vCPUs has run and waited so much of two seconds, twice. */
static void
give_counters(struct vm *vm, uint64_t run_ms, uint64_t wait_ms)
{
	struct delays *d = &vm->squeeze.delays;

	delays_fini(d);
	d->threads = xcalloc(vm->n_tasks, sizeof(*d->threads));
	for (size_t i = 0; i < vm->n_tasks; i++) {
		struct rundelay r = {.tid = vm->tasks[i].thread.tid, .n = 2};

		r.windows[0] = r.windows[1] = (struct rundelay_window){
			run_ms * 1000, wait_ms * 1000, 2 * SECOND};
		if (vm->tasks[i].thread.class == THREAD_VCPU)
			d->threads[d->n++] = r;
	}
}

/* 100 and 101 share node 0, which is too small for both; 102 has node 1. */
static void
crowd(struct vmtable *t, uint64_t busy_ms)
{
	struct cpuset here = cpuset_below(4);
	struct cpuset all = cpuset_below(8);
	struct cpuset there = cpuset_minus(&all, &here);

	vmtable_place(t->vms[0], &here);
	vmtable_place(t->vms[1], &here);
	vmtable_place(t->vms[2], &there);
	give_counters(t->vms[0], 1000, 900);
	give_counters(t->vms[1], 1000, 900);
	give_counters(t->vms[2], busy_ms, 0);
	for (unsigned int i = 0; i < VMTABLE_VMS; i++) {
		/* not what guest nodes would force */
		t->vms[i]->facts.n_vcpus = 0;
	}
}

static void
wait_and_decide(struct vmtable *t)
{
	t->vms[0]->squeeze.waits = true;
	t->engine.squeezes.due = true;
	squeeze_decide(&t->engine);
}

static void
plan(struct vmtable *t, bool rebalance)
{
	struct err e = ERR_NONE;

	if (planning_run(&t->engine, rebalance, &e) < 0)
		fail_msg("%s", e.text);
	for (unsigned int i = 0; i < VMTABLE_VMS; i++)
		t->vms[i]->causes = t->vms[i]->active = 0;
}

static void
cores_that_are_anothers_alone_do_not_count_as_idle(void **state)
{
	struct vmtable *t = *state;

	crowd(t, 100);
	vmtable_configure(t, "[vm 102]\nmode = dedicated\n");
	t->vms[2]->own = t->vms[2]->own_known = true;
	wait_and_decide(t);
	assert_int_equal(t->vms[0]->causes, 0);
	assert_false(t->vms[0]->squeeze.widened);
}

static void
who_waits_is_told_what_idled_and_gets_it(void **state)
{
	struct vmtable *t = *state;
	struct vm *vm = t->vms[0];
	struct cpuset all = cpuset_below(8);

	crowd(t, 100);
	wait_and_decide(t);
	assert_int_equal(vm->causes, cause_bit(CAUSE_WAITING));
	assert_int_equal(t->vms[1]->causes, 0);
	assert_int_equal(cpuset_count(&squeeze_waited(vm)->idle), 4);
	assert_true(cpuset_has(&squeeze_waited(vm)->idle, 4));
	assert_float_equal(squeeze_waited(vm)->share, 0.9F / 1.9F, 1e-6F);
	plan(t, false);
	assert_true(cpuset_equal(&vm->domain, &all));
	assert_int_equal(cpuset_count(&t->vms[1]->domain), 4);
	assert_non_null(strstr(vm->why, "widened since it waited 47 % while CPUs 4-7"));
}

static void
nothing_is_done_when_all_the_rest_is_busy(void **state)
{
	struct vmtable *t = *state;

	crowd(t, 1900);
	wait_and_decide(t);
	assert_null(squeeze_waited(t->vms[0]));
	assert_int_equal(t->vms[0]->causes, 0);
}

static void
other_cpus_that_it_may_not_use_do_not_count(void **state)
{
	struct vmtable *t = *state;

	crowd(t, 0);
	vmtable_configure(t, "[qmpin]\nreserved_cpus = 4-5\n");
	t->vms[0]->record.limit = cpuset_below(6);
	wait_and_decide(t);
	assert_null(squeeze_waited(t->vms[0]));
}

/* A host on which all wait all the time is not looked at in every round. */
static void
where_nothing_idled_is_looked_for_again_after_some_audits(void **state)
{
	struct vmtable *t = *state;

	crowd(t, 1900);
	wait_and_decide(t);
	give_counters(t->vms[2], 0, 0);
	t->now_us += 9 * SECOND;
	wait_and_decide(t);
	assert_null(squeeze_waited(t->vms[0]));
	t->now_us += 2 * SECOND;
	wait_and_decide(t);
	assert_non_null(squeeze_waited(t->vms[0]));
}

static void
it_is_not_narrowed_before_the_dwell(void **state)
{
	struct vmtable *t = *state;
	struct vm *vm = t->vms[0];

	crowd(t, 100);
	wait_and_decide(t);
	plan(t, false);
	t->now_us += DWELL - 1;
	plan(t, true);
	assert_non_null(squeeze_waited(vm));
	assert_int_equal(cpuset_count(&vm->domain), 8);
	assert_true(squeeze_rests_until_us(vm) >= 1000 * SECOND + DWELL);
	t->now_us += 1;
	plan(t, false); /* no rebalance: nothing ends */
	assert_non_null(squeeze_waited(vm));
	plan(t, true);
	assert_null(squeeze_waited(vm));
}

/* Rests of a VM that waits again so long after the end of each. */
static uint64_t
next_rest(struct vmtable *t, uint64_t after)
{
	struct squeeze *q = &t->vms[0]->squeeze;

	t->now_us = (q->until_us > t->now_us ? q->until_us : t->now_us) + after;
	squeeze_end_rests(&t->engine);
	q->look_us = 0;
	wait_and_decide(t);
	assert_non_null(squeeze_waited(t->vms[0]));
	return q->until_us - t->now_us;
}

static void
who_waits_again_soon_after_rests_twice_as_long(void **state)
{
	struct vmtable *t = *state;

	crowd(t, 100);
	assert_int_equal(next_rest(t, 10 * SECOND), DWELL);
	assert_int_equal(next_rest(t, 60 * SECOND), 2 * DWELL);
	assert_int_equal(next_rest(t, 60 * SECOND), 4 * DWELL);
	for (unsigned int i = 0; i < 10; i++)
		(void)next_rest(t, SECOND);
	assert_int_equal(next_rest(t, SECOND), 64 * DWELL);
	assert_int_equal(next_rest(t, 1000 * DWELL), DWELL);
}

static void
one_that_has_cores_of_its_own_is_reported_once(void **state)
{
	struct vmtable *t = *state;
	struct plan_result kept = {.verdict = PLAN_KEEP, .apply = true, .own = true};
	struct vm *vm = t->vms[0];

	crowd(t, 100);
	vmtable_configure(t, "[vm 100]\nmode = dedicated\n");
	for (unsigned int i = 0; i < 3; i++) {
		t->now_us += 2 * DWELL;
		wait_and_decide(t);
		assert_non_null(squeeze_waited(vm));
		squeeze_planned(&t->engine, vm, &kept, false);
		assert_null(squeeze_waited(vm));
	}
	assert_int_equal(logcatch_count(&t->log, "it has cores of its own"), 1);
	assert_string_equal(vm->squeeze.note,
		"waits 47 % while CPUs 4-7 idle, is not widened: it has cores of its "
		"own");
}

static void
waiting_is_unknown_at_first(void **state)
{
	struct vmtable *t = *state;

	assert_true(squeeze_wait_pct(t->vms[0]) < 0);
	give_counters(t->vms[0], 750, 250);
	assert_float_equal(squeeze_wait_pct(t->vms[0]), 25, 1e-9);
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, vmtable_setup, vmtable_teardown)
	const struct CMUnitTest tests[] = {
		T(cores_that_are_anothers_alone_do_not_count_as_idle),
		T(who_waits_is_told_what_idled_and_gets_it),
		T(nothing_is_done_when_all_the_rest_is_busy),
		T(other_cpus_that_it_may_not_use_do_not_count),
		T(where_nothing_idled_is_looked_for_again_after_some_audits),
		T(it_is_not_narrowed_before_the_dwell),
		T(who_waits_again_soon_after_rests_twice_as_long),
		T(one_that_has_cores_of_its_own_is_reported_once),
		T(waiting_is_unknown_at_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

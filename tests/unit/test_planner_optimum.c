// SPDX-License-Identifier: MIT
/*
 * How far plans are from the best there is: on hosts of a few CPUs every assignment of
 * two to four VMs is tried, over all domains for VMs that float and all ways to give
 * each vCPU a PU of its own for pinned ones, and judged by the planner's own objective.
 * QMPIN_CASES=N tries so many hosts ("make check-optimum CASES=N").
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "chance.h"
#include "fleet.h"
#include "place/score.h"
#include "place/tree.h"

#define CASES 60u
#define ROUNDS 20u
#define SLOTS_MAX 16u
/* Differences below are of numbers of single precision. */
#define SAME 1e-4

static const struct host_spec specs[] = {
	{"2_x_2_cores_x_2", 1, 2, 1, 2, 2, 0},
	{"4_x_2", 1, 1, 4, 2, 1, 0},
	{"2_x_2_x_2", 1, 2, 2, 2, 1, 0},
	{"2_sockets_x_4", 2, 1, 1, 4, 1, 0},
	{"8_x_1", 1, 1, 1, 8, 1, 0},
};

/* What one choice is about: a whole VM that floats, or a vCPU that is pinned. */
struct slot {
	struct fleet_vm *vm;
	unsigned int vcpu;
};

struct search {
	struct fleet *f;
	const struct tree *tree;
	unsigned int n;
	struct slot slots[SLOTS_MAX];
	struct cpuset taken; /* by pinned vCPUs */
	double best;
	unsigned long tried;
};

static double
score_of(const struct fleet *f)
{
	struct plan_vm vms[8];
	struct plan_input in = fleet_input(f, vms);
	struct score s = {0};

	assert_int_equal(score_masks(&in, &s, NULL), 0);
	return s.total_ns;
}

static void try_slot(struct search *s, unsigned int i);

static void
try_pins(struct search *s, unsigned int i)
{
	const struct slot *slot = &s->slots[i];

	cpuset_foreach (cpu, &slot->vm->in.limit) {
		if (cpuset_has(&s->taken, cpu))
			continue;
		slot->vm->masks[slot->vcpu] = cpuset_of(cpu);
		cpuset_add(&s->taken, cpu);
		try_slot(s, i + 1);
		cpuset_remove(&s->taken, cpu);
	}
}

static void
try_domains(struct search *s, unsigned int i)
{
	struct fleet_vm *vm = s->slots[i].vm;
	unsigned int need = cpuset_count(&vm->in.limit);

	if (vm->in.n_vcpus < need)
		need = vm->in.n_vcpus;
	for (unsigned int n = 0; n < s->tree->n; n++) {
		struct cpuset mask = cpuset_and(&s->tree->nodes[n].cpus, &vm->in.limit);

		if (cpuset_count(&mask) < need)
			continue;
		for (unsigned int v = 0; v < vm->in.n_vcpus; v++)
			vm->masks[v] = mask;
		try_slot(s, i + 1);
	}
}

static void
try_slot(struct search *s, unsigned int i)
{
	double score;

	if (i < s->n) {
		if (s->slots[i].vm->in.mode == PLACE_PIN)
			try_pins(s, i);
		else
			try_domains(s, i);
		return;
	}
	score = score_of(s->f);
	s->tried++;
	if (score < s->best)
		s->best = score;
}

/* The least that any assignment costs; the fleet's masks are lost. */
static double
best_of(struct fleet *f, unsigned long *tried)
{
	const struct host *h = f->host;
	struct tree *t = tree_new(h->topo, h->ranking, &h->lat, &h->topo->online);
	struct search s = {.f = f, .tree = t, .best = 1e300};

	for (unsigned int i = 0; i < f->n; i++) {
		struct fleet_vm *vm = &f->vms[i];
		unsigned int n = vm->in.mode == PLACE_PIN ? vm->in.n_vcpus : 1;

		vm->in.n_current = vm->in.n_vcpus;
		for (unsigned int v = 0; v < n; v++)
			s.slots[s.n++] = (struct slot){vm, v};
	}
	try_slot(&s, 0);
	tree_free(t);
	*tried += s.tried;
	return s.best;
}

static void
add_vms(struct fleet *f, struct chance *c, bool pins)
{
	unsigned int n = 2 + chance_below(c, pins ? 2 : 3);

	for (unsigned int i = 0; i < n; i++) {
		char id[8];
		struct fleet_vm *vm;

		(void)snprintf(id, sizeof(id), "%u", 100 + i);
		vm = fleet_add(f, id, pins ? PLACE_PIN : PLACE_AUTO,
			1 + chance_below(c, pins ? 2 : 4));
		vm->masks = xcalloc(vm->in.n_vcpus, sizeof(*vm->masks));
		if (chance_of(c, 20))
			vm->in.demand_vcpus = 0.5 * vm->in.n_vcpus;
		vm->started = true;
		vm->memory[chance_below(c, f->host->topo->n_nodes)] = 1;
	}
}

/* The plan for all at once, then what rebalance makes of it. */
static void
gaps_of(struct fleet *f, double *at_once, double *at_rest, unsigned long *tried)
{
	double first;
	double last;
	double best;

	fleet_step(f);
	first = score_of(f);
	f->policy.rebalance = true;
	f->policy.rebalance_vms = 1;
	f->policy.rebalance_vcpus = 8;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		f->policy.now_s += 1000;
		fleet_step(f);
	}
	last = score_of(f);
	best = best_of(f, tried);
	*at_once = best > SAME ? first / best - 1 : first;
	*at_rest = best > SAME ? last / best - 1 : last;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
quantile(const double *sorted, unsigned int n, unsigned int percent)
{
	return sorted[n * percent / 100 < n ? n * percent / 100 : n - 1];
}

static void
report(const char *what, double *gaps, unsigned int n)
{
	qsort(gaps, n, sizeof(*gaps), by_size);
	print_message(
		"%s: above the optimum median %.2f %%, p95 %.2f %%, max %.2f %%\n",
		what, 100 * quantile(gaps, n, 50), 100 * quantile(gaps, n, 95),
		100 * gaps[n - 1]);
	/* nothing is below: every plan is among what was tried */
	assert_true(gaps[0] > -SAME);
}

struct bounds {
	double once_p95;
	double rest_p95;
};

static void
expect_gaps(const char *name, bool pins, const struct bounds *bounds)
{
	const char *text = getenv("QMPIN_CASES");
	unsigned int n = text != NULL ? (unsigned int)strtoul(text, NULL, 10) : CASES;
	unsigned long tried = 0;
	double *once;
	double *rest;

	/* there are many ways to pin */
	if (pins && text == NULL)
		n /= 3;
	once = xcalloc(n, sizeof(*once));
	rest = xcalloc(n, sizeof(*rest));
	for (unsigned int i = 0; i < n; i++) {
		struct chance c = chance_of_seed(i + 1);
		struct host h = host_full(&specs[i % ARRAY_LEN(specs)]);
		struct fleet *f = fleet_new(&h);

		add_vms(f, &c, pins);
		gaps_of(f, &once[i], &rest[i], &tried);
		if (text != NULL && once[i] > 0.5)
			print_message("seed %u: %.0f %%\n", i + 1, 100 * once[i]);
		fleet_free(f);
		host_fini(&h);
	}
	print_message("%s: %u hosts, %lu assignments tried\n", name, n, tried);
	report("    all at once", once, n);
	report("    at rest    ", rest, n);
	assert_true(quantile(once, n, 50) <= SAME);
	assert_true(quantile(rest, n, 50) <= SAME);
	assert_true(quantile(once, n, 95) <= bounds->once_p95);
	assert_true(quantile(rest, n, 95) <= bounds->rest_p95);
	free(once);
	free(rest);
}

static void
floating_vms_are_at_or_near_the_optimum(void **state)
{
	(void)state;
	expect_gaps("float", false, &(struct bounds){0.05, 0.05});
}

static void
pinned_vms_are_at_the_optimum_on_the_whole(void **state)
{
	(void)state;
	/* They come one after the other, take idle cores first and are never moved: on
	 * four cores the last one may find that the first should have shared a core. */
	expect_gaps("pin", true, &(struct bounds){1, 1});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(floating_vms_are_at_or_near_the_optimum),
		cmocka_unit_test(pinned_vms_are_at_the_optimum_on_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

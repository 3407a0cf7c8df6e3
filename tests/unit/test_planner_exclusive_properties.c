// SPDX-License-Identifier: MIT
/*
 * What must hold of cores that are a VM's alone, whatever happens: random VMs start,
 * stop and grow, CPUs go and come. A failure prints the seed; QMPIN_SEED=N runs that
 * one alone, QMPIN_CASES=N more of them.
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
#include "cases.h"
#include "expect.h"
#include "fleet.h"

#define CASES 150u

static const struct host_spec *const specs[] = {
	&host_9354, &host_7351p, &host_xeon_2s, &host_hybrid, &host_flat2};

/* Arrays that VMs borrow. */
static const uint16_t halves[64] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0,
	1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1,
	0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
static const struct plan_guest_node free_nodes[2];

struct scene {
	uint64_t seed;
	uint64_t random;
	const struct host_spec *spec;
	struct host host;
	struct fleet *fleet;
	unsigned int next;
};

#define CHECK(s, what, condition)                               \
	do {                                                    \
		if (!(condition))                               \
			fail_msg("%s (QMPIN_SEED=%llu)", what,  \
				(unsigned long long)(s)->seed); \
	} while (0)

static unsigned int
below(struct scene *s, unsigned int n)
{
	return fleet_below(&s->random, n);
}

static void
start_vm(struct scene *s)
{
	static const enum place_mode modes[8] = {PLACE_AUTO, PLACE_AUTO, PLACE_FLOAT,
		PLACE_DEDICATED, PLACE_DEDICATED, PLACE_PIN, PLACE_CORE, PLACE_OFF};
	unsigned int n = fleet_random_size(&s->random);
	struct fleet_vm *vm =
		fleet_add_id(s->fleet, s->next++, modes[below(s, 8)], n > 16 ? 16 : n);

	if (below(s, 5) == 0)
		vm->in.smt = PLACE_SMT_ISOLATE;
	vm->in.emulator = (enum place_emulator)below(s, PLACE_N_EMULATOR);
	vm->in.threads_per_core = below(s, 3);
	if (below(s, 6) == 0)
		vm->in.limit = cpuset_below(1 + below(s, s->host.topo->n_pus));
	if (below(s, 6) == 0) {
		vm->in.n_guest_nodes = 2;
		vm->in.guest_nodes = free_nodes;
		vm->in.guest_node_of = halves;
	}
}

static void
make_host(struct scene *s, bool offline)
{
	struct cpuset isolated = s->seed % 3 == 0 ? cpus("2-5,18-21,34-37") : cpus("");
	struct cpuset gone = CPUSET_NONE;

	for (unsigned int cpu = 1; offline && cpu < 32; cpu++) {
		if (below(s, 8) == 0 && s->spec != &host_flat2)
			cpuset_add(&gone, cpu);
	}
	if (s->host.topo != NULL)
		host_fini(&s->host);
	s->host = host_make(s->spec, &gone, &isolated);
}

static bool
is_exclusive(const struct fleet_vm *vm, const struct plan_result *r)
{
	bool own = r->n_vcpus > 0 && strstr(r->why, "of its own: ") == NULL;

	own &= vm->in.mode == PLACE_DEDICATED || vm->in.smt == PLACE_SMT_ISOLATE;
	own &= vm->in.mode != PLACE_OFF;
	assert_int_equal(own, r->n_vcpus > 0 && r->own);
	return own;
}

/* Nobody else whom we place is on the VM's cores. */
static void
check_alone(struct scene *s, const struct plan *p, unsigned int i,
	const struct cpuset *cores)
{
	CHECK(s, "CPU 0's core", !cpuset_has(cores, 0));
	for (unsigned int k = 0; k < p->n; k++) {
		const struct plan_result *r = &p->results[k];

		if (k == i || r->n_vcpus == 0)
			continue;
		CHECK(s, "a vCPU of another", !cpuset_overlap(cores, &r->domain));
		CHECK(s, "an emulator of another",
			!cpuset_overlap(cores, &r->emulator));
	}
}

static void
check_shares(struct scene *s, const struct cpuset *alone)
{
	const struct topo *t = s->host.topo;

	for (unsigned int n = 0; n < t->n_nodes; n++) {
		struct cpuset here = cpuset_and(alone, &t->nodes[n].cpus);

		CHECK(s, "too much of a node",
			topo_count_cores(t, &here) * 100 <=
				topo_count_cores(t, &t->nodes[n].cpus) *
					s->fleet->policy.dedicated_max_pct);
	}
}

static void
check_isolated(struct scene *s, const struct plan *p)
{
	struct cpuset used = CPUSET_NONE;

	for (unsigned int i = 0; i < p->n; i++) {
		const struct plan_result *r = &p->results[i];
		enum place_mode mode = s->fleet->vms[i].in.mode;

		for (unsigned int v = 0; mode != PLACE_OFF && v < r->n_vcpus; v++) {
			struct cpuset here =
				cpuset_and(&r->vcpus[v], &s->host.topo->isolated);

			if (cpuset_empty(&here))
				continue;
			CHECK(s, "isolated for others",
				mode == PLACE_PIN || mode == PLACE_DEDICATED);
			CHECK(s, "isolated but not listed",
				cpuset_within(
					&here, &s->fleet->policy.isolated_usable));
			CHECK(s, "two on an isolated CPU",
				!cpuset_overlap(&used, &here));
			used = cpuset_or(&used, &here);
		}
	}
}

static void
check_plan(struct scene *s, const struct plan *p)
{
	struct cpuset alone = CPUSET_NONE;

	for (unsigned int i = 0; i < p->n; i++) {
		const struct plan_result *r = &p->results[i];
		struct cpuset cores;

		for (unsigned int v = 0; v < r->n_vcpus; v++) {
			CHECK(s, "no CPU", !cpuset_empty(&r->vcpus[v]));
			CHECK(s, "outside its limit",
				cpuset_within(
					&r->vcpus[v], &s->fleet->vms[i].in.limit));
		}
		CHECK(s, "emulator outside the limit",
			cpuset_within(&r->emulator, &s->fleet->vms[i].in.limit));
		if (!is_exclusive(&s->fleet->vms[i], r))
			continue;
		cores = fleet_cores_of(&s->host, r);
		check_alone(s, p, i, &cores);
		alone = cpuset_or(&alone, &cores);
	}
	check_shares(s, &alone);
	check_isolated(s, p);
}

static void
check_kept(struct scene *s)
{
	struct plan *p = fleet_plan(s->fleet);

	for (unsigned int i = 0; i < p->n; i++) {
		const struct plan_result *r = &p->results[i];

		if (r->verdict == PLAN_PLACE)
			fail_msg("placed twice: %s, %s, %s (QMPIN_SEED=%llu)",
				s->fleet->vms[i].id,
				place_mode_name(s->fleet->vms[i].in.mode), r->why,
				(unsigned long long)s->seed);
	}
	plan_free(p);
}

/* Without an event that takes CPUs, masks lose what became exclusive and no more. */
static void
check_moves(struct scene *s, const struct plan *p)
{
	struct cpuset alone = CPUSET_NONE;

	for (unsigned int i = 0; i < p->n; i++) {
		struct cpuset cores = fleet_cores_of(&s->host, &p->results[i]);

		if (is_exclusive(&s->fleet->vms[i], &p->results[i]))
			alone = cpuset_or(&alone, &cores);
	}
	for (unsigned int i = 0; i < p->n; i++) {
		const struct fleet_vm *vm = &s->fleet->vms[i];
		const struct plan_result *r = &p->results[i];
		struct cpuset stays;

		if (is_exclusive(vm, r) || !r->apply || !vm->in.placed)
			continue;
		for (unsigned int v = 0; v < vm->in.n_current; v++) {
			stays = cpuset_minus(&vm->masks[v], &alone);
			stays = cpuset_and(&stays, &s->host.topo->online);
			if (!cpuset_within(&stays, &r->vcpus[v]))
				fail_msg("moved: %s, %s, %s (QMPIN_SEED=%llu)", vm->id,
					place_mode_name(vm->in.mode), r->why,
					(unsigned long long)s->seed);
		}
	}
}

/* One thing happens. Returns false when it takes CPUs. */
static bool
happen(struct scene *s)
{
	struct fleet *f = s->fleet;
	unsigned int what = below(s, 8);

	if (f->n == 0 || (what < 4 && f->n < 24)) {
		start_vm(s);
	} else if (what < 5) {
		fleet_remove(f, below(s, f->n));
	} else if (what < 7) {
		struct fleet_vm *vm = &f->vms[below(s, f->n)];

		vm->in.n_vcpus += vm->in.n_vcpus < 30 ? 1 : 0;
	} else {
		make_host(s, below(s, 2) == 0);
		return false;
	}
	return true;
}

static void
play(struct scene *s)
{
	make_host(s, false);
	s->fleet = fleet_new(&s->host);
	s->fleet->policy.isolated_usable = cpus("2-4,18-19,34-36");
	if (below(s, 4) == 0)
		s->fleet->policy.reserved = cpus("0,1");
	s->next = 100;
	for (unsigned int step = 0; step < 25; step++) {
		bool gentle = happen(s);
		struct plan *p = fleet_plan(s->fleet);

		check_plan(s, p);
		if (gentle)
			check_moves(s, p);
		fleet_apply(s->fleet, p);
		check_kept(s);
		plan_free(p);
	}
	fleet_free(s->fleet);
	host_fini(&s->host);
}

static void
own_cores_are_never_shared_whatever_happens(void **state)
{
	uint64_t one = cases_number("QMPIN_SEED", 0);
	uint64_t last = one > 0 ? one : cases_of(CASES);

	(void)state;
	for (uint64_t seed = one > 0 ? one : 1; seed <= last; seed++) {
		struct scene s = {.seed = seed,
			.random = seed * 0x9e3779b97f4a7c15 + 1,
			.spec = specs[seed % ARRAY_LEN(specs)]};

		play(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_cores_are_never_shared_whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

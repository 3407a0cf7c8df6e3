// SPDX-License-Identifier: MIT
/* Which vCPUs a plan moves, and which it had to. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "expect.h"
#include "hosts.h"
#include "place/moves.h"

#define N_VCPUS 4u

/* A VM with its masks before and after. */
struct moving {
	struct plan_vm vm;
	struct plan_result result;
	struct cpuset old[N_VCPUS];
	struct cpuset new[N_VCPUS];
};

static void
set_up(struct moving *m, const char *old, const char *new)
{
	*m = (struct moving){0};
	for (unsigned int v = 0; v < N_VCPUS; v++) {
		m->old[v] = cpus(old);
		m->new[v] = cpus(new);
	}
	m->vm = (struct plan_vm){.n_vcpus = N_VCPUS,
		.n_current = N_VCPUS,
		.current = m->old,
		.placed = true};
	m->result = (struct plan_result){.verdict = PLAN_PLACE,
		.apply = true,
		.n_vcpus = N_VCPUS,
		.vcpus = m->new};
}

static void
a_vcpu_is_moved_when_it_loses_what_it_could_keep(void **state)
{
	static const struct {
		const char *name;
		const char *old;
		const char *may;
		const char *new;
		unsigned int moved;
		unsigned int forced;
	} cases[] = {
		{"elsewhere", "0-7", "0-63", "8-15", 4, 0},
		{"narrower", "0-7", "0-63", "0-3", 4, 0},
		{"overlapping", "0-7", "0-63", "4-11", 4, 0},
		{"the same", "0-7", "0-63", "0-7", 0, 0},
		{"wider", "0-7", "0-63", "0-15", 0, 0},
		{"cut", "0-7", "1-63", "1-7", 0, 0},
		{"cut and wider", "0-7", "1-63", "1-15", 0, 0},
		{"cut and elsewhere", "0-7", "1-63", "8-15", 4, 0},
		{"all lost", "0-7", "8-63", "8-15", 0, 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cpuset may = cpus(cases[i].may);
		struct moves moves;
		struct moving m;

		set_up(&m, cases[i].old, cases[i].new);
		moves = moves_of(&m.vm, &m.result, &may);
		if (moves.moved != cases[i].moved || moves.forced != cases[i].forced)
			fail_msg("%s: %u moved, %u forced", cases[i].name, moves.moved,
				moves.forced);
	}
}

static void
vcpus_that_come_or_go_are_not_moved(void **state)
{
	struct cpuset all = cpuset_below(64);
	struct moving m;

	(void)state;
	set_up(&m, "0-7", "8-15");
	m.vm.n_current = 3;
	assert_int_equal(moves_of(&m.vm, &m.result, &all).moved, 3);
	m.vm.n_current = 4;
	m.result.n_vcpus = 1;
	assert_int_equal(moves_of(&m.vm, &m.result, &all).moved, 1);
	m.vm.placed = false;
	assert_int_equal(moves_of(&m.vm, &m.result, &all).moved, 0);
}

static void
what_is_not_applied_moves_nobody(void **state)
{
	struct cpuset all = cpuset_below(64);
	struct moving m;

	(void)state;
	set_up(&m, "0-7", "8-15");
	m.result.apply = false;
	assert_int_equal(moves_of(&m.vm, &m.result, &all).moved, 0);
	m.result.apply = true;
	m.result.verdict = PLAN_LEAVE;
	assert_int_equal(moves_of(&m.vm, &m.result, &all).moved, 0);
}

static void
only_dedicated_vms_have_cores_alone(void **state)
{
	struct host h = host_full(&host_9354); /* CPU n and n + 32 are a core */
	struct cpuset wanted = cpus("2-3,34-35");
	struct cpuset own;
	struct moving m;

	(void)state;
	set_up(&m, "0", "2-3");
	m.new[1] = cpus("35");
	for (unsigned int mode = 0; mode < PLACE_N_MODES; mode++) {
		m.vm.mode = (enum place_mode)mode;
		own = moves_exclusive(h.topo, &m.vm, &m.result);
		if (mode == PLACE_DEDICATED)
			assert_true(cpuset_equal(&own, &wanted));
		else
			assert_true(cpuset_empty(&own));
	}
	m.vm.mode = PLACE_DEDICATED;
	m.result.verdict = PLAN_LEAVE;
	own = moves_exclusive(h.topo, &m.vm, &m.result);
	assert_true(cpuset_empty(&own));
	host_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vcpu_is_moved_when_it_loses_what_it_could_keep),
		cmocka_unit_test(vcpus_that_come_or_go_are_not_moved),
		cmocka_unit_test(what_is_not_applied_moves_nobody),
		cmocka_unit_test(only_dedicated_vms_have_cores_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* What the planner is told of VMs, of the host and of the settings. */
#include "config.h"

#include "daemon/seating.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "daemon/engine.h"
#include "vmtable.h"

#define NOW_S 1000u
#define N_VMS VMTABLE_VMS

static void
only_vms_that_were_looked_at_have_a_seat(void **state)
{
	struct vmtable *t = *state;
	struct seating s;

	t->vms[1]->surveyed = false;
	seating_init(&s, &t->engine);
	assert_int_equal(s.in.n_vms, 2);
	assert_string_equal(s.in.vms[1].id, "102");
	assert_int_equal(seating_find(&s, t->vms[2]), 1);
	assert_int_equal(seating_find(&s, t->vms[1]), -1);
	seating_fini(&s);
}

static void
the_policy_is_that_of_the_settings_without_rebalance(void **state)
{
	struct vmtable *t = *state;
	struct seating s;

	vmtable_configure(t,
		"[qmpin]\nrebalance = yes\ndedicated_max_pct = 20\n"
		"reserved_cpus = 7\nisolated_cpus = 5\n[weights]\nsmt = 2\n");
	seating_init(&s, &t->engine);
	assert_false(s.in.policy->rebalance);
	assert_int_equal(s.in.policy->dedicated_max_pct, 20);
	assert_true(cpuset_has(&s.in.policy->reserved, 7));
	assert_true(cpuset_has(&s.in.policy->isolated_usable, 5));
	assert_float_equal(s.in.policy->weights[TERM_SMT], 2, 0);
	assert_float_equal(s.in.policy->now_s, NOW_S, 0);
	assert_int_equal(s.in.explain, PLAN_EXPLAIN_NONE);
	seating_fini(&s);
}

static void
modes_and_policies_are_those_of_each_vm(void **state)
{
	struct vmtable *t = *state;
	struct seating s;

	vmtable_configure(t,
		"[qmpin]\nmode = core\nsmt = avoid\n"
		"[vm 101]\nmode = dedicated\nsmt = isolate\nemulator = follow\n"
		"[vm 102]\nmode = off\n");
	t->vms[1]->record.limit = cpuset_below(3);
	seating_init(&s, &t->engine);
	assert_int_equal(s.in.vms[0].mode, PLACE_CORE);
	assert_int_equal(s.in.vms[0].smt, PLACE_SMT_AVOID);
	assert_int_equal(s.in.vms[1].mode, PLACE_DEDICATED);
	assert_int_equal(s.in.vms[1].smt, PLACE_SMT_ISOLATE);
	assert_int_equal(s.in.vms[1].emulator, PLACE_EMULATOR_FOLLOW);
	assert_int_equal(cpuset_count(&s.in.vms[1].limit), 3);
	assert_int_equal(s.in.vms[2].mode, PLACE_OFF);
	assert_true(s.in.vms[2].off_by_admin);
	seating_fini(&s);
}

/* Threads of a VM that somebody has kept to a few CPUs, but for its main thread. */
static void
what_its_vcpus_had_bounds_a_vm_and_not_what_its_main_thread_had(void **state)
{
	struct vmtable *t = *state;
	struct vm *vm = t->vms[0];
	struct cpuset few = cpuset_below(2);
	struct seating s;

	vm->record.limit = cpuset_below(8);
	for (size_t i = 0; i < vm->n_tasks; i++) {
		const struct vm_thread *thread = &vm->tasks[i].thread;

		if (thread->class == THREAD_VCPU)
			(void)record_add(
				&vm->record, thread->tid, thread->start_ticks, &few);
	}
	seating_init(&s, &t->engine);
	assert_true(cpuset_equal(&s.in.vms[0].limit, &few));
	seating_fini(&s);
	record_fini(&vm->record);
}

/* Tags and descriptions are read by nobody yet; what they will say is not the
 * administrator's word. */
static void
off_is_the_administrators_word_unless_the_vm_says_so(void **state)
{
	static const struct {
		enum settings_origin origin;
		bool by_admin;
	} cases[] = {
		{SETTINGS_ORIGIN_DEFAULT, true},
		{SETTINGS_ORIGIN_CLUSTER, true},
		{SETTINGS_ORIGIN_CONFIG, true},
		{SETTINGS_ORIGIN_TAG, false},
		{SETTINGS_ORIGIN_DESCRIPTION, false},
		{SETTINGS_ORIGIN_RUNTIME, true},
	};
	struct vmtable *t = *state;

	vmtable_configure(t, "[qmpin]\nmode = off\n");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seating s;

		t->engine.config.mode_origin = cases[i].origin;
		seating_init(&s, &t->engine);
		if (s.in.vms[0].off_by_admin != cases[i].by_admin)
			fail_msg("%s", settings_origin_name(cases[i].origin));
		seating_fini(&s);
	}
}

static void
what_is_not_ours_to_touch_is_off(void **state)
{
	struct vmtable *t = *state;
	struct seating s;

	t->engine.config.mode_origin = SETTINGS_ORIGIN_TAG;
	t->vms[0]->foreign = true;
	t->vms[1]->preexisting = true;
	seating_init(&s, &t->engine);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(s.in.vms[i].mode, PLACE_OFF);
		assert_true(s.in.vms[i].off_by_admin);
	}
	assert_int_equal(s.in.vms[2].mode, PLACE_AUTO);
	seating_fini(&s);
}

/* vCPU 1 was plugged later: it is the planner's last one. */
static void
the_guest_s_nodes_and_cores_go_with_its_vcpus(void **state)
{
	static const int order[] = {0, 2, 3, 1};
	struct vmtable *t = *state;
	struct vm *vm = t->vms[0];
	const struct plan_vm *p;
	struct seating s;

	vm->placed = true;
	for (size_t i = 0; i < vm->n_tasks; i++) {
		vm->tasks[i].wanted = vm->tasks[i].thread.index != 1;
		vm->tasks[i].want = cpuset_below(4);
	}
	seating_init(&s, &t->engine);
	p = &s.in.vms[0];
	assert_int_equal(p->n_vcpus, 4);
	assert_int_equal(p->n_current, 3);
	assert_int_equal(cpuset_count(&p->current[0]), 4);
	assert_int_equal(p->n_guest_nodes, 2);
	assert_int_equal(p->threads_per_core, 2);
	assert_true(cpuset_empty(&p->guest_nodes[1].host_nodes));
	assert_null(p->guest_nodes[1].memory_share);
	for (unsigned int k = 0; k < 4; k++) {
		assert_int_equal(s.seats[0].vcpus[k]->thread.index, order[k]);
		assert_int_equal(p->guest_node_of[k], order[k] / 2);
		assert_int_equal(p->guest_core_of[k], order[k] / 2);
	}
	seating_fini(&s);
}

/* Two of three were placed on the same cores before the daemon began. */
static void
after_a_restart_cores_are_who_is_alone_on_them(void **state)
{
	static const unsigned int first[N_VMS] = {0, 2, 2};
	struct vmtable *t = *state;
	struct seating s;

	for (unsigned int i = 0; i < N_VMS; i++) {
		struct cpuset cpus = cpuset_of(first[i]);

		vmtable_place(t->vms[i], &cpus);
	}
	seating_init(&s, &t->engine);
	for (unsigned int i = 0; i < N_VMS; i++)
		assert_int_equal(s.in.vms[i].own, i == 0);
	seating_fini(&s);
	/* and once a plan has said so */
	t->vms[0]->own_known = t->vms[1]->own_known = t->vms[1]->own = true;
	seating_init(&s, &t->engine);
	for (unsigned int i = 0; i < N_VMS; i++)
		assert_int_equal(s.in.vms[i].own, i == 1);
	seating_fini(&s);
}

static void
a_guest_that_says_nothing_has_no_nodes(void **state)
{
	struct vmtable *t = *state;
	struct seating s;

	for (unsigned int i = 0; i < t->vms[0]->facts.n_vcpus; i++)
		t->vms[0]->facts.vcpus[i] =
			(struct qmp_vcpu){.index = i, .node = -1, .core = -1};
	t->vms[1]->facts.n_vcpus = 0; /* and threads that it does not name */
	seating_init(&s, &t->engine);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(s.in.vms[i].n_guest_nodes, 0);
		assert_null(s.in.vms[i].guest_nodes);
		assert_null(s.in.vms[i].guest_node_of);
		for (unsigned int k = 1; k < 4; k++)
			assert_int_not_equal(s.in.vms[i].guest_core_of[k],
				s.in.vms[i].guest_core_of[k - 1]);
	}
	seating_fini(&s);
}

static void
a_vm_rests_after_a_change_and_while_it_is_not_ours_alone(void **state)
{
	struct vmtable *t = *state;
	struct vm *vm = t->vms[0];
	struct seating s;
	double dwell;

	vm->changed_us = 990 * UINT64_C(1000000);
	t->vms[1]->facts.running = false;
	t->vms[2]->peace_until_us = 1;
	seating_init(&s, &t->engine);
	assert_float_equal(s.in.vms[0].changed_s, 990, 0);
	for (unsigned int i = 1; i < N_VMS; i++) {
		dwell = s.in.policy->now_s - s.in.vms[i].changed_s;
		assert_true(dwell < 0); /* whatever rebalance_dwell_s is */
	}
	seating_fini(&s);
	vm->changed_us = 0; /* not since the daemon began */
	t->engine.start_us = 980 * UINT64_C(1000000);
	t->vms[2]->peace_until_us = 0;
	t->vms[2]->rest = 1;
	seating_init(&s, &t->engine);
	assert_float_equal(s.in.vms[0].changed_s, 980, 0);
	assert_true(s.in.vms[2].changed_s > NOW_S);
	seating_fini(&s);
}

static void
free_memory_is_told_where_it_is_known(void **state)
{
	struct vmtable *t = *state;
	struct topo_node *nodes = t->engine.host.topo->nodes;
	struct seating s;

	nodes[0].mem_known = true;
	nodes[0].free_kib = 3 * 1024 * 512;
	nodes[1].mem_known = false;
	seating_init(&s, &t->engine);
	assert_float_equal(s.in.node_free_gib[0], 1.5, 1e-9);
	assert_true(s.in.node_free_gib[1] < 0);
	seating_fini(&s);
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, vmtable_setup, vmtable_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(only_vms_that_were_looked_at_have_a_seat),
		CASE(the_policy_is_that_of_the_settings_without_rebalance),
		CASE(modes_and_policies_are_those_of_each_vm),
		CASE(what_its_vcpus_had_bounds_a_vm_and_not_what_its_main_thread_had),
		CASE(off_is_the_administrators_word_unless_the_vm_says_so),
		CASE(what_is_not_ours_to_touch_is_off),
		CASE(the_guest_s_nodes_and_cores_go_with_its_vcpus),
		CASE(after_a_restart_cores_are_who_is_alone_on_them),
		CASE(a_guest_that_says_nothing_has_no_nodes),
		CASE(a_vm_rests_after_a_change_and_while_it_is_not_ours_alone),
		CASE(free_memory_is_told_where_it_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

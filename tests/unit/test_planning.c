// SPDX-License-Identifier: MIT
/*
 * What the planner's answers make of VMs: who is wanted where, who is to be set, whose
 * place has changed and why.
 */
#include "config.h"

#include "daemon/planning.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/str.h"
#include "daemon/seating.h"
#include "trees.h"
#include "vmtable.h"

#define MINUTE_US UINT64_C(60000000)

static void
plan(struct vmtable *t, bool rebalance)
{
	struct err e = ERR_NONE;

	for (unsigned int i = 0; i < VMTABLE_VMS; i++) {
		t->vms[i]->fresh = false;
		t->vms[i]->active = 0;
	}
	if (planning_run(&t->engine, rebalance, &e) < 0)
		fail_msg("%s", e.text);
}

static void
place(struct vmtable *t, unsigned int vm, const char *cpus)
{
	struct cpuset set;

	assert_int_equal(cpuset_parse(cpus, &set), 0);
	vmtable_place(t->vms[vm], &set);
}

static void
check_vcpus(const struct vmtable *t, unsigned int vm, const char *want)
{
	struct cpuset cpus = vm_vcpu_cpus(t->vms[vm]);
	char text[64];

	if (strcmp(cpuset_format(&cpus, text, sizeof(text)), want) != 0)
		fail_msg("vm %s: %s, not %s", t->vms[vm]->id, text, want);
}

/* 100 and 101 on the first node, the second one is empty, 102 is not there. The guests
 * have no nodes, so that each moves as a whole. */
static void
crowd(struct vmtable *t)
{
	for (unsigned int i = 0; i < 2 * VMTABLE_VCPUS; i++)
		t->vms[i / VMTABLE_VCPUS]->facts.vcpus[i % VMTABLE_VCPUS].node = -1;
	place(t, 0, "0-3");
	place(t, 1, "0-3");
	t->vms[2]->surveyed = false;
	t->now_us += 60 * MINUTE_US;
}

/* Plans with rebalance, a minute apart, until one has moved somebody. */
static unsigned int
plans_until_moved(struct vmtable *t, unsigned int most)
{
	for (unsigned int n = 1; n <= most; n++) {
		plan(t, true);
		if (t->engine.stats.rebalanced > 0)
			return n;
		t->now_us += MINUTE_US;
	}
	return 0;
}

static void
an_event_moves_nobody_however_crowded(void **state)
{
	struct vmtable *t = *state;

	crowd(t);
	for (unsigned int n = 0; n < 20; n++) {
		plan(t, false);
		t->now_us += MINUTE_US;
	}
	check_vcpus(t, 0, "0-3");
	check_vcpus(t, 1, "0-3");
	assert_int_equal(t->engine.stats.rebalanced, 0);
	assert_false(t->vms[0]->fresh || t->vms[1]->fresh);
	assert_int_equal(t->vms[0]->changed_us, 0);
}

static void
the_next_plan_is_told_what_a_vm_could_use(void **state)
{
	struct vmtable *t = *state;
	struct vm *vm = t->vms[0];
	struct cpuset could;
	struct seating s;

	assert_int_equal(cpuset_parse("0-5", &could), 0);
	vm->confine.bounded = true;
	vm->confine.cpus = could;
	plan(t, false);
	vm->confine.bounded = false;
	seating_init(&s, &t->engine);
	assert_true(cpuset_equal(&s.vms[0].could, &could));
	seating_fini(&s);
	vm_forget_process(vm);
	assert_true(cpuset_empty(&vm->could));
}

static void
a_reason_stays_until_the_masks_are_set(void **state)
{
	struct vmtable *t = *state;
	struct vm *vm = t->vms[0];
	char why[sizeof(vm->why)];

	place(t, 0, "0-2");
	plan(t, false);
	check_vcpus(t, 0, "0-3");
	memcpy(why, vm->why, sizeof(why));
	assert_null(strstr(why, "kept"));
	plan(t, false);
	assert_string_equal(vm->why, why);
	for (size_t i = 0; i < vm->n_tasks; i++)
		vm->tasks[i].applied = true;
	plan(t, false);
	assert_non_null(strstr(vm->why, "kept"));
}

/* What was another VM's alone looks free until that one is there. */
static void
nobody_is_widened_while_one_that_was_placed_is_awaited(void **state)
{
	struct vmtable *t = *state;
	struct vm *late = t->vms[2];
	char *dir = trees_new();

	place(t, 0, "0-2");
	place(t, 1, "4-7");
	late->surveyed = false;
	late->found_us = t->now_us;
	t->engine.run_dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	trees_write(dir, "102.json", "{}");
	plan(t, false);
	check_vcpus(t, 0, "0-2");
	assert_true(t->engine.late);
	assert_true(cpuset_empty(&t->vms[0]->could));
	t->now_us += MINUTE_US; /* it hangs */
	plan(t, false);
	check_vcpus(t, 0, "0-3");
	assert_false(t->engine.late);
	place(t, 0, "0-2");
	late->found_us = t->now_us;
	trees_cut(dir, "102.json"); /* it was never placed */
	plan(t, false);
	check_vcpus(t, 0, "0-3");
	close(t->engine.run_dirfd);
	trees_remove(dir);
}

static void
rebalance_moves_one_and_says_so(void **state)
{
	struct vmtable *t = *state;
	unsigned int plans;
	struct vm *moved;

	crowd(t);
	/* 4 vCPUs at 1 a minute, once the account is open */
	plans = plans_until_moved(t, 10);
	assert_in_range(plans, 4, 6);
	moved = t->vms[t->vms[0]->fresh ? 0 : 1];
	assert_true(moved->fresh);
	assert_int_equal(moved->active, cause_bit(CAUSE_REBALANCE));
	assert_int_equal(moved->changed_us, t->now_us);
	check_vcpus(t, moved == t->vms[0] ? 0 : 1, "4-7");
	check_vcpus(t, moved == t->vms[0] ? 1 : 0, "0-3");
	assert_true(t->engine.allowance.vcpus < 1);
	/* it pays off once */
	for (unsigned int n = 0; n < 20; n++) {
		t->now_us += MINUTE_US;
		plan(t, true);
	}
	assert_int_equal(t->engine.stats.rebalanced, 1);
}

static void
rates_and_gain_are_the_settings(void **state)
{
	struct vmtable *t = *state;

	crowd(t);
	vmtable_configure(t, "[qmpin]\nrebalance_vcpus_per_min = 4\n");
	assert_in_range(plans_until_moved(t, 10), 1, 2);
	crowd(t);
	t->engine.stats.rebalanced = 0;
	t->engine.allowance = allowance_new();
	vmtable_configure(t, "[qmpin]\nrebalance_moves_per_min = 0\n");
	assert_int_equal(plans_until_moved(t, 20), 0);
	vmtable_configure(t, "[qmpin]\nrebalance_gain_pct = 1000\n");
	assert_int_equal(plans_until_moved(t, 20), 0);
	vmtable_configure(t, "[qmpin]\nrebalance = no\n");
	assert_int_equal(plans_until_moved(t, 20), 0);
}

static void
who_rests_is_not_moved(void **state)
{
	struct vmtable *t = *state;

	crowd(t);
	vmtable_configure(t, "[qmpin]\nrebalance_vcpus_per_min = 100\n"
			     "rebalance_dwell_s = 3000\n");
	t->vms[0]->changed_us = t->now_us;
	t->vms[1]->peace_until_us = UINT64_MAX;
	assert_int_equal(plans_until_moved(t, 20), 0);
	t->vms[0]->changed_us = 1;
	t->vms[0]->peace_until_us = UINT64_MAX; /* somebody else has a say */
	assert_int_equal(plans_until_moved(t, 20), 0);
	t->vms[0]->peace_until_us = 0;
	t->vms[0]->facts.running = false;
	assert_int_equal(plans_until_moved(t, 20), 0);
	t->vms[0]->facts.running = true;
	assert_int_not_equal(plans_until_moved(t, 20), 0);
	assert_true(t->vms[0]->fresh);
}

/* Something puts it back each time. */
static void
who_is_moved_too_often_rests_for_longer(void **state)
{
	struct vmtable *t = *state;

	crowd(t);
	vmtable_configure(t, "[qmpin]\nrebalance_vcpus_per_min = 100\n");
	t->vms[1]->peace_until_us = UINT64_MAX;
	for (unsigned int n = 0; n < 24 * 6; n++) {
		place(t, 0, "0-3");
		t->now_us += 10 * MINUTE_US;
		plan(t, true);
		if (n == 10)
			assert_int_equal(t->engine.stats.rebalanced, n);
	}
	assert_in_range(t->engine.stats.rebalanced, 22, 24);
}

static void
a_dedicated_vm_that_comes_late_makes_others_leave(void **state)
{
	struct vmtable *t = *state;
	struct cpuset own;
	struct cpuset left;
	struct cpuset others;

	vmtable_configure(t, "[vm 102]\nmode = dedicated\n");
	place(t, 0, "0-3");
	place(t, 1, "4-7");
	plan(t, false);
	own = vm_vcpu_cpus(t->vms[2]);
	assert_int_equal(cpuset_count(&own), 4);
	assert_false(cpuset_has(&own, 0));
	for (unsigned int i = 0; i < 2; i++) {
		left = vm_vcpu_cpus(t->vms[i]);
		others = cpuset_or(&left, &t->vms[i]->emulator);
		assert_false(cpuset_empty(&left));
		assert_false(cpuset_overlap(&others, &own));
		if (t->vms[i]->fresh)
			assert_int_equal(t->vms[i]->changed_us, t->now_us);
	}
	assert_true(t->vms[0]->fresh || t->vms[1]->fresh);
}

/* The first place counts as a change, a vCPU that joins the others does not. */
static void
a_plugged_vcpu_does_not_change_the_place(void **state)
{
	struct vmtable *t = *state;

	t->vms[1]->surveyed = t->vms[2]->surveyed = false;
	plan(t, false);
	assert_int_equal(t->vms[0]->changed_us, t->now_us);
	t->vms[0]->placed = true;
	t->now_us += MINUTE_US;
	t->vms[0]->tasks[1].wanted = false; /* as survey finds a new thread */
	plan(t, false);
	assert_true(t->vms[0]->tasks[1].wanted);
	assert_true(t->vms[0]->fresh);
	assert_int_equal(t->vms[0]->changed_us, t->now_us - MINUTE_US);
}

/* VM 100 with each vCPU on a CPU of the first node, alone on the host. */
static void
pin_one(struct vmtable *t)
{
	struct vm *vm = t->vms[0];

	vm->has_record = true;
	vm->record.pid = 100;
	str_copy(vm->record.id, sizeof(vm->record.id), vm->id);
	for (size_t i = 0; i < vm->n_tasks; i++)
		record_add(&vm->record, vm->tasks[i].thread.tid, 0, &vm->tasks[i].have);
	vmtable_configure(t, "[qmpin]\nmode = pin\n");
	t->vms[1]->surveyed = t->vms[2]->surveyed = false;
	for (unsigned int i = 0; i < VMTABLE_VCPUS; i++)
		t->vms[0]->facts.vcpus[i].node = -1;
	plan(t, false);
	check_vcpus(t, 0, "0-3");
	t->vms[0]->placed = true;
}

static void
lose_cpu_3(struct vmtable *t)
{
	struct cpuset gone = cpuset_of(3);

	vmtable_take_cpus(t, &gone);
	plan(t, false);
	check_vcpus(t, 0, "0-2,4");
	t->now_us += MINUTE_US;
	vmtable_take_cpus(t, &CPUSET_NONE);
	plan(t, false);
	check_vcpus(t, 0, "0-2,4");
}

static void
a_pinned_vcpu_returns_when_the_cpu_it_lost_is_back(void **state)
{
	struct vmtable *t = *state;
	unsigned int n;

	pin_one(t);
	lose_cpu_3(t);
	/* it rests for five minutes, of which one has passed */
	n = plans_until_moved(t, 20);
	assert_in_range(n, 5, 6);
	check_vcpus(t, 0, "0-3");
	assert_true((t->vms[0]->active & cause_bit(CAUSE_REBALANCE)) != 0);
	assert_non_null(strstr(t->vms[0]->why, "returned as CPU 3 is back"));
	assert_int_equal(plans_until_moved(t, 1), 1); /* as it is counted */
	assert_int_equal(t->engine.stats.rebalanced, 1);
}

/* As another daemon finds it, which begins now. */
static void
restart(struct vmtable *t)
{
	struct vm *vm = t->vms[0];
	auto_free char *text = record_format(&vm->record, "0");

	assert_true(vm->record_dirty);
	record_fini(&vm->record);
	assert_int_equal(record_parse(text, strlen(text), "0", &vm->record, NULL), 0);
	for (size_t i = 0; i < vm->n_tasks; i++) {
		vm->tasks[i].have = vm->tasks[i].want;
		vm->tasks[i].wanted = false;
	}
	vm->own_known = false;
	vm->changed_us = 0;
	t->engine.start_us = t->now_us;
}

static void
a_pinned_vcpu_returns_when_the_daemon_was_restarted_too(void **state)
{
	struct vmtable *t = *state;

	pin_one(t);
	lose_cpu_3(t);
	restart(t);
	assert_in_range(plans_until_moved(t, 20), 5, 7);
	check_vcpus(t, 0, "0-3");
	assert_non_null(strstr(t->vms[0]->why, "returned as CPU 3 is back"));
}

static unsigned int
count_away(const struct vm *vm)
{
	unsigned int n = 0;

	for (size_t i = 0; i < vm->record.n_threads; i++)
		n += vm->record.threads[i].home != NULL;
	return n;
}

static void
where_it_was_is_forgotten_when_it_is_pinned_no_more(void **state)
{
	struct vmtable *t = *state;

	pin_one(t);
	lose_cpu_3(t);
	assert_int_equal(count_away(t->vms[0]), 1);
	vmtable_configure(t, "[qmpin]\nmode = float\n");
	plan(t, false);
	assert_int_equal(count_away(t->vms[0]), 0);
}

/* Where it was in mode core, with both threads: no CPU for a vCPU. */
static void
where_it_was_is_forgotten_when_its_mode_has_no_such_place(void **state)
{
	struct vmtable *t = *state;
	struct vm *vm = t->vms[0];
	struct cpuset core;

	pin_one(t);
	lose_cpu_3(t);
	assert_int_equal(cpuset_parse("3,7", &core), 0);
	for (size_t i = 0; i < vm->record.n_threads; i++) {
		const struct record_thread *at = &vm->record.threads[i];

		if (at->home != NULL)
			assert_true(record_set_home(&vm->record, at->tid, 0, &core));
	}
	assert_int_equal(count_away(vm), 1);
	assert_int_equal(plans_until_moved(t, 10), 0);
	assert_int_equal(count_away(vm), 0);
}

static void
where_it_was_is_forgotten_with_its_process(void **state)
{
	struct vmtable *t = *state;

	pin_one(t);
	lose_cpu_3(t);
	vm_forget_process(t->vms[0]);
	assert_int_equal(count_away(t->vms[0]), 0);
}

/* VM 100 on the first node with 101, while the second one is empty: there it would be
 * if it was new. */
static void
observe(struct vmtable *t)
{
	vmtable_configure(t, "[vm 100]\nmode = observe\n");
	for (unsigned int n = 0; n < 3; n++)
		plan(t, false);
	check_vcpus(t, 0, "4-7");
}

static void
who_was_only_observed_for_a_time_stays_where_it_is(void **state)
{
	static const char *const modes[] = {"pin", "float"};
	struct vmtable *t = *state;
	struct vm *vm = t->vms[0];

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		char text[64];

		crowd(t);
		for (size_t k = 0; i == 0 && k < VMTABLE_VCPUS; k++) {
			struct vm_task *vcpu = &vm->tasks[vm->n_tasks - 1 - k];

			vcpu->want = vcpu->have = cpuset_of((unsigned int)k);
		}
		observe(t);
		(void)snprintf(text, sizeof(text), "[vm 100]\nmode = %s\n", modes[i]);
		vmtable_configure(t, text);
		plan(t, false);
		for (size_t k = 0; k < vm->n_tasks; k++) {
			const struct vm_task *task = &vm->tasks[k];

			if (task->thread.class == THREAD_VCPU &&
				!cpuset_equal(&task->want, &task->have))
				fail_msg("%s: vCPU %d", modes[i], task->thread.index);
		}
	}
}

static void
what_is_only_observed_counts_where_it_is(void **state)
{
	struct vmtable *t = *state;
	struct vm *newcomer = t->vms[2];

	crowd(t);
	observe(t);
	for (unsigned int k = 0; k < VMTABLE_VCPUS; k++)
		newcomer->facts.vcpus[k].node = -1;
	newcomer->surveyed = true;
	plan(t, false);
	check_vcpus(t, 2, "4-7");
}

/* What a dry run would do is not what it finds the next time. */
static void
a_dry_run_plans_with_what_is(void **state)
{
	struct vmtable *t = *state;
	struct cpuset gone = cpuset_below(4);
	struct seating s;

	crowd(t);
	t->engine.dry_run = true;
	vmtable_take_cpus(t, &gone);
	plan(t, false);
	check_vcpus(t, 0, "4-7");
	vmtable_take_cpus(t, &CPUSET_NONE);
	seating_init(&s, &t->engine);
	assert_int_equal(s.in.vms[0].n_current, VMTABLE_VCPUS);
	assert_true(cpuset_equal(&s.in.vms[0].current[0], &gone));
	seating_fini(&s);
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, vmtable_setup, vmtable_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_event_moves_nobody_however_crowded),
		CASE(the_next_plan_is_told_what_a_vm_could_use),
		CASE(a_reason_stays_until_the_masks_are_set),
		CASE(nobody_is_widened_while_one_that_was_placed_is_awaited),
		CASE(rebalance_moves_one_and_says_so),
		CASE(rates_and_gain_are_the_settings),
		CASE(who_rests_is_not_moved),
		CASE(who_is_moved_too_often_rests_for_longer),
		CASE(a_dedicated_vm_that_comes_late_makes_others_leave),
		CASE(a_plugged_vcpu_does_not_change_the_place),
		CASE(a_pinned_vcpu_returns_when_the_cpu_it_lost_is_back),
		CASE(a_pinned_vcpu_returns_when_the_daemon_was_restarted_too),
		CASE(where_it_was_is_forgotten_when_it_is_pinned_no_more),
		CASE(where_it_was_is_forgotten_when_its_mode_has_no_such_place),
		CASE(where_it_was_is_forgotten_with_its_process),
		CASE(who_was_only_observed_for_a_time_stays_where_it_is),
		CASE(what_is_only_observed_counts_where_it_is),
		CASE(a_dry_run_plans_with_what_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

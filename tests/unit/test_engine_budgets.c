// SPDX-License-Identifier: MIT
/*
 * What is rationed: repairs against somebody who disagrees, passes that a guest brings
 * about, running VMs that are taken over. In virtual time.
 */
#include "config.h"

#include "daemon/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "stage.h"

#define FIGHTS 30u
#define PEACE_MS (10u * 60 * 1000)
#define GUEST_BURST 32u
/* Between turns of adoption; a bit over 5 s, since parts of a token are not exact. */
#define TURN_MS 5001u

/* Somebody changes a mask and the audit comes @times times, two seconds apart. */
static void
fight(struct stage *s, pid_t tid, unsigned int times)
{
	for (unsigned int i = 0; i < times; i++) {
		standin_set_mask(tid, &s->second);
		stage_audit_later(s);
	}
}

static void
thirty_repairs_in_a_row_and_the_vm_is_left_alone_with_one_message(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_start_with(s, "100");
	tid = s->vms[0].claims[0];
	fight(s, tid, FIGHTS);
	assert_int_equal(vm->repairs, FIGHTS);
	stage_check_mask(tid, &s->first);
	logcatch_forget(&s->log);
	fight(s, tid, 5);
	stage_check_mask(tid, &s->second);
	assert_int_equal(vm->repairs, FIGHTS);
	assert_string_equal(strbuf_text(&s->log.text), "");
	assert_non_null(strstr(vm->note, "somebody else keeps changing its masks"));
}

static void
giving_way_is_told_and_is_not_taken_back_at_once(void **state)
{
	struct stage *s = stage_of(state);

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	stage_start_with(s, "100");
	fight(s, s->vms[0].claims[0], FIGHTS);
	assert_int_equal(logcatch_count(&s->log, "somebody else keeps changing"), 1);
	assert_int_equal(logcatch_count(&s->log, "all well again"), 0);
}

static void
peace_ends_after_ten_minutes(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_start_with(s, "100");
	tid = s->vms[0].claims[0];
	fight(s, tid, FIGHTS);
	standin_set_mask(tid, &s->second);
	stage_pass_ms(s, PEACE_MS - 1);
	stage_audit(s);
	stage_check_mask(tid, &s->second);
	stage_pass_ms(s, 1);
	stage_audit(s);
	stage_check_mask(tid, &s->first);
	assert_string_equal(vm->note, "");
	assert_int_equal(logcatch_count(&s->log, "all well again"), 1);
}

/* Somebody comes every @every_s seconds, so often. Returns the repairs. */
static unsigned int
come_again(struct stage *s, unsigned int every_s, unsigned int times)
{
	const struct vm *vm = engine_find(s->engine, "100");
	unsigned int before = vm->repairs;

	for (unsigned int i = 0; i < times; i++) {
		stage_pass_ms(s, (every_s - 2) * 1000ull);
		fight(s, s->vms[0].claims[0], 1);
	}
	return vm->repairs - before;
}

static void
repairs_now_and_then_are_no_fight(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	assert_int_equal(come_again(s, 600, 2 * FIGHTS), 2 * FIGHTS);
	assert_int_equal(vm->peace_until_us, 0);
	stage_check_mask(s->vms[0].claims[0], &s->first);
}

static void
who_comes_once_a_minute_for_hours_is_given_way_to(void **state)
{
	struct stage *s = stage_of(state);
	unsigned int repairs;
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	repairs = come_again(s, 60, 40);
	assert_in_range(repairs, 33, 34);
	assert_int_equal(logcatch_count(&s->log, "somebody else keeps changing"), 1);
	assert_non_null(strstr(vm->note, "repairs within 3"));
	assert_non_null(strstr(vm->note, "; only one vCPU set to "));
	assert_non_null(strstr(vm->note, "left alone for 10 minutes, or until "));
	/* ten hours more: it is tried again now and then, more and more seldom */
	repairs = come_again(s, 60, 600);
	assert_in_range(repairs, 4, 16);
	assert_in_range(logcatch_count(&s->log, "somebody else keeps changing"), 4, 7);
	/* he stops; the next trial succeeds, and that is told */
	logcatch_forget(&s->log);
	stage_pass_ms(s, 8 * 3600 * 1000ull);
	stage_audit(s);
	stage_check_mask(s->vms[0].claims[0], &s->first);
	assert_int_equal(vm->peace_until_us, 0);
	assert_string_equal(vm->note, "");
	assert_int_equal(logcatch_count(&s->log, "all well again"), 1);
}

static void
the_administrator_ends_the_giving_way(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	fight(s, s->vms[0].claims[0], FIGHTS + 1);
	stage_check_mask(s->vms[0].claims[0], &s->second);
	drifting_forgive(vm);
	stage_audit(s);
	stage_check_mask(s->vms[0].claims[0], &s->first);
	fight(s, s->vms[0].claims[0], FIGHTS - 2);
	assert_int_equal(vm->peace_until_us, 0);
}

static void
what_the_kernel_does_when_cpus_go_is_no_fight(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	for (unsigned int i = 0; i < 2 * FIGHTS; i++) {
		standin_set_mask(s->vms[0].claims[0], &s->all);
		engine_kick_all(s->engine, CAUSE_HOST);
		stage_settle(s);
		stage_check_mask(s->vms[0].claims[0], &s->first);
	}
	assert_int_equal(vm->peace_until_us, 0);
	assert_int_equal(vm->repairs, 0);
	assert_int_equal(vm->drift.repairs[DRIFT_KERNEL], 2 * FIGHTS);
	assert_int_equal(logcatch_count(&s->log, " (host CPUs: only one vCPU set to "),
		2 * FIGHTS);
}

static bool
has_passes(struct stage *s, const void *arg)
{
	return s->engine->stats.passes >= *(const uint64_t *)arg;
}

/* One event that a guest made, and the pass that answers it. */
static void
reset_guest(struct stage *s)
{
	uint64_t then = s->engine->stats.passes + 1;

	standin_event(&s->vms[0], "RESET");
	stage_until(s, has_passes, &then, "a pass for the event");
	stage_settle(s);
}

/* VM 100, whose guest has brought about all that it may at once. */
static struct vm *
start_spent(struct stage *s)
{
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	for (unsigned int i = 0; i < GUEST_BURST; i++)
		reset_guest(s);
	return vm;
}

static void
throttle(struct stage *s)
{
	event_active(s->engine->throttle, EV_TIMEOUT, 1);
	event_base_loop(s->base, EVLOOP_NONBLOCK);
	event_del(s->engine->throttle);
	stage_settle(s);
}

static bool
is_delayed(struct stage *s, const void *arg)
{
	const struct vm *vm = engine_find(s->engine, arg);

	return vm->delayed != 0;
}

static void
what_a_guest_brings_about_beyond_its_budget_is_delayed_and_not_lost(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm = start_spent(s);
	uint64_t passes = s->engine->stats.passes;

	standin_event(&s->vms[0], "RESET");
	stage_until(s, is_delayed, "100", "the event is delayed");
	stage_settle(s);
	assert_int_equal(s->engine->stats.passes, passes);
	/* what no guest can bring about is not held up */
	engine_kick(s->engine, vm, CAUSE_RELOAD);
	stage_settle(s);
	assert_int_equal(s->engine->stats.passes, passes + 1);
	assert_int_equal(vm->delayed, cause_bit(CAUSE_RESET));
	stage_pass_ms(s, 1000);
	throttle(s);
	assert_int_equal(s->engine->stats.passes, passes + 2);
	assert_int_equal(vm->delayed, 0);
}

static void
a_guest_that_never_stops_gets_one_pass_a_second(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm = start_spent(s);
	uint64_t passes = s->engine->stats.passes;

	for (unsigned int second = 0; second < 10; second++) {
		for (unsigned int i = 0; i < 4; i++) {
			engine_kick(s->engine, vm, CAUSE_RESET);
			stage_settle(s);
			stage_pass_ms(s, 250);
		}
		throttle(s);
	}
	assert_in_range(s->engine->stats.passes - passes, 10, 11);
}

/* A kick right after a pass; how long the next one waited then, without what it took.
 */
static uint64_t
next_pass_waited_us(struct stage *s, struct vm *vm)
{
	uint64_t then = s->engine->stats.passes + 1;
	uint64_t passed_us = s->engine->passed_us;

	engine_kick(s->engine, vm, CAUSE_RELOAD);
	stage_until(s, has_passes, &then, "the next pass");
	return s->engine->pass.began_us - passed_us;
}

static void
passes_one_after_the_other_take_a_quarter_of_the_time(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	s->clock.step_us = 1000; /* a pass takes some milliseconds */
	(void)next_pass_waited_us(s, vm);
	for (unsigned int i = 0; i < 5; i++) {
		uint64_t took_us = s->engine->stats.last_pass_us;

		assert_in_range(took_us, 2000, 80000);
		assert_true(next_pass_waited_us(s, vm) >= 3 * took_us);
	}
}

static void
nobody_waits_long_for_the_end_of_a_long_pass(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	s->clock.step_us = 100000; /* seconds */
	(void)next_pass_waited_us(s, vm);
	assert_true(s->engine->stats.last_pass_us > 250000);
	assert_in_range(next_pass_waited_us(s, vm), 250000, 1000000);
}

/* VMs 100 to 104, there before the daemon. */
static void
start_five(struct stage *s)
{
	for (int i = 0; i < 5; i++)
		s->vms[i] = standin_vm(s->vm_dir, 100 + i, 1);
	s->config.adopt = SETTINGS_ADOPT_GRADUAL;
	s->config.rebalance_moves_per_min = 2;
	stage_start(s);
	for (int i = 0; i < 5; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "%d", 100 + i);
		stage_until_seen(s, id);
	}
}

static unsigned int
count_placed(const struct stage *s)
{
	unsigned int n = 0;

	for (size_t i = 0; i < s->engine->n_vms; i++) {
		const struct cpuset mask = standin_mask(s->vms[i].claims[0]);

		if (cpuset_equal(&mask, &s->first))
			n++;
	}
	return n;
}

static void
running_vms_are_taken_over_one_at_once_and_then_one_each_half_minute(void **state)
{
	struct stage *s = stage_of(state);

	start_five(s);
	assert_int_equal(count_placed(s), 1);
	for (unsigned int done = 1; done < 5; done++) {
		for (unsigned int i = 0; i < 5; i++) {
			stage_pass_ms(s, TURN_MS);
			stage_audit(s);
			stage_adoption(s);
			assert_int_equal(count_placed(s), done);
		}
		stage_pass_ms(s, TURN_MS);
		stage_adoption(s);
		assert_int_equal(count_placed(s), done + 1);
	}
	assert_int_equal(logcatch_count(&s->log, "(adoption; "), 2 * 4);
}

static void
a_vm_that_waits_says_so_and_is_not_touched_by_events(void **state)
{
	struct stage *s = stage_of(state);
	unsigned int waiting = 0;

	start_five(s);
	engine_kick_all(s->engine, CAUSE_RESUME);
	stage_settle(s);
	assert_int_equal(count_placed(s), 1);
	for (size_t i = 0; i < s->engine->n_vms; i++) {
		if (strstr(s->engine->vms[i]->note, "waits for its turn") != NULL)
			waiting++;
	}
	assert_int_equal(waiting, 4);
}

static void
a_vm_that_starts_now_does_not_wait_behind_those_that_ran(void **state)
{
	struct stage *s = stage_of(state);

	for (int i = 0; i < 4; i++)
		s->vms[i] = standin_vm(s->vm_dir, 100 + i, 1);
	s->config.adopt = SETTINGS_ADOPT_GRADUAL;
	s->config.rebalance_moves_per_min = 2;
	stage_start(s);
	stage_until_seen(s, "103");
	s->vms[4] = standin_vm(s->vm_dir, 104, 1);
	stage_until_seen(s, "104");
	stage_check_mask(s->vms[4].claims[0], &s->first);
	assert_int_equal(count_placed(s), 2);
}

#define ON_STAGE(test) \
	cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGE(
			thirty_repairs_in_a_row_and_the_vm_is_left_alone_with_one_message),
		ON_STAGE(giving_way_is_told_and_is_not_taken_back_at_once),
		ON_STAGE(peace_ends_after_ten_minutes),
		ON_STAGE(repairs_now_and_then_are_no_fight),
		ON_STAGE(who_comes_once_a_minute_for_hours_is_given_way_to),
		ON_STAGE(the_administrator_ends_the_giving_way),
		ON_STAGE(what_the_kernel_does_when_cpus_go_is_no_fight),
		ON_STAGE(
			what_a_guest_brings_about_beyond_its_budget_is_delayed_and_not_lost),
		ON_STAGE(a_guest_that_never_stops_gets_one_pass_a_second),
		ON_STAGE(passes_one_after_the_other_take_a_quarter_of_the_time),
		ON_STAGE(nobody_waits_long_for_the_end_of_a_long_pass),
		ON_STAGE(
			running_vms_are_taken_over_one_at_once_and_then_one_each_half_minute),
		ON_STAGE(a_vm_that_waits_says_so_and_is_not_touched_by_events),
		ON_STAGE(a_vm_that_starts_now_does_not_wait_behind_those_that_ran),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

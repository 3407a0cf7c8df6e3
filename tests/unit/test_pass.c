// SPDX-License-Identifier: MIT
/* In which order a pass sets masks, and what is kept of its decisions. */
#include "config.h"

#include "daemon/pass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "stage.h"

/* CPU 0's core is nobody's alone, so the dedicated VM gets the second one. The others
 * still have their first masks. */
static void
others_leave_before_a_dedicated_vm_comes_and_return_when_it_ends(void **state)
{
	struct stage *s = stage_of(state);
	uint64_t passes;
	const char *left;
	const char *came;

	s->config.reserved_cpus = CPUSET_NONE;
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	s->vms[2] = standin_vm(s->vm_dir, 102, 2);
	stage_start(s);
	stage_until_seen(s, "100");
	stage_until_seen(s, "102");
	stage_reload(s, "[vm 101]\nmode = dedicated\n");
	stage_check_mask(s->vms[2].claims[0], &s->all);
	assert_int_equal(s->engine->stats.sets, 0);
	passes = s->engine->stats.passes;
	s->vms[1] = standin_vm(s->vm_dir, 101, 1);
	stage_until_seen(s, "101");
	assert_int_equal(s->engine->stats.passes, passes + 1);
	stage_check_mask(s->vms[1].claims[0], &s->second);
	stage_check_mask(s->vms[0].claims[1], &s->first);
	stage_check_mask(s->vms[0].pid, &s->first);
	stage_check_mask(s->vms[2].claims[0], &s->first);
	came = strstr(strbuf_text(&s->log.text), "vm 101: vCPU 0 ");
	left = strstr(strbuf_text(&s->log.text), "vm 102: vCPUs 0-1 ");
	assert_true(left != NULL && came != NULL && left < came);
	standin_kill(&s->vms[1]);
	stage_until_said(s, "vm 101: ended");
	stage_settle(s);
	stage_check_mask(s->vms[0].claims[1], &s->all);
	stage_check_mask(s->vms[2].claims[0], &s->all);
}

static void
decisions_are_kept_and_the_last_repairs(void **state)
{
	struct stage *s = stage_of(state);
	const struct decision *d;
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_start_with(s, "100");
	assert_int_equal(vm->history.n, 1);
	d = history_at(&vm->history, 0);
	assert_int_equal(d->cause, CAUSE_APPEARED);
	assert_int_equal(d->time_us, s->clock.now_us);
	assert_non_null(strstr(d->text, "from CPUs "));
	assert_non_null(strstr(d->text, vm->why));
	for (unsigned int i = 1; i <= 3; i++) {
		standin_set_mask(s->vms[0].claims[0], &s->second);
		stage_pass_ms(s, 1000);
		stage_audit(s);
		assert_int_equal(vm->repairs, i);
		assert_int_equal(vm->history.n, 2);
	}
	d = history_at(&vm->history, 1);
	assert_int_equal(d->cause, CAUSE_DRIFT);
	assert_int_equal(d->time_us, s->clock.now_us);
	assert_non_null(strstr(d->text, "only one vCPU set to "));
}

/* ---- a VM that cannot be looked at ---- */

/* QMP names a thread that is not of its process, as one of a vCPU that was unplugged
 * just now. */
static void
name_a_strangers_thread(struct stage *s)
{
	s->vms[2] = standin_new(s->vm_dir, 999); /* nobody listens */
	standin_claim(&s->vms[0], 1, s->vms[2].pid);
}

static void
a_placed_vm_that_cannot_be_looked_at_keeps_its_cores(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->config.reserved_cpus = CPUSET_NONE;
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	stage_reload(s, "[vm 100]\nmode = dedicated\n");
	stage_check_mask(s->vms[0].claims[0], &s->second);
	name_a_strangers_thread(s);
	engine_kick(s->engine, vm, CAUSE_RESUME);
	stage_until_said(s, "has no such thread");
	s->vms[1] = standin_vm(s->vm_dir, 101, 2);
	stage_until_seen(s, "101");
	stage_check_mask(s->vms[1].claims[0], &s->first);
	stage_check_mask(s->vms[1].pid, &s->first);
	stage_check_mask(s->vms[0].claims[0], &s->second);
	assert_true(vm->placed);
	/* that others change its cores does not make it well */
	stage_reload(s, "");
	assert_non_null(strstr(vm->note, "has no such thread"));
	assert_int_equal(logcatch_count(&s->log, "vm 100: all well again"), 0);
	standin_claim(&s->vms[0], 1, 0);
	for (unsigned int i = 0; i < 4 && vm->rests > 0; i++)
		stage_audit_later(s);
	assert_int_equal(logcatch_count(&s->log, "vm 100: all well again"), 1);
	assert_int_equal(logcatch_count(&s->log, "warning: "), 1);
	assert_string_equal(vm->note, "");
}

static bool
has_failed_once(struct stage *s, const void *arg)
{
	(void)s;
	return ((const struct vm *)arg)->rests == 1;
}

static void
a_thread_that_ended_since_qmp_named_it_is_asked_for_again_and_not_told(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->config.settle_ms = 100; /* of the second look, before which all is right */
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	logcatch_forget(&s->log);
	name_a_strangers_thread(s);
	engine_kick(s->engine, vm, CAUSE_RESUME);
	stage_until(s, has_failed_once, vm, "the survey failed");
	assert_true(vm->surveyed);
	standin_claim(&s->vms[0], 1, 0);
	stage_settle(s);
	assert_int_equal(vm->rests, 0);
	assert_string_equal(strbuf_text(&s->log.text), "");
	assert_string_equal(vm->note, "");
	assert_int_equal(vm->facts.n_vcpus, 1);
}

/* ---- slices: with every look at the clock one ends ---- */

/* In the order in which they came, which is that of a pass. Returns the last. */
static struct vm *
start_three(struct stage *s)
{
	struct standin vms[3];

	for (int i = 0; i < 3; i++)
		s->vms[i] = standin_vm(s->vm_dir, 100 + i, 2);
	stage_start(s);
	stage_until_seen(s, "100");
	stage_until_seen(s, "101");
	stage_until_seen(s, "102");
	memcpy(vms, s->vms, sizeof(vms));
	for (size_t i = 0; i < 3; i++)
		s->vms[i] = vms[atoi(s->engine->vms[i]->id) - 100];
	return s->engine->vms[2];
}

static void
break_first_vcpus(struct stage *s)
{
	for (size_t i = 0; i < 3; i++)
		standin_set_mask(s->vms[i].claims[0], &s->second);
	s->clock.step_us = PASS_SLICE_US;
}

static void
check_first_vcpus(struct stage *s, const struct cpuset *cpus)
{
	for (size_t i = 0; i < 3; i++)
		stage_check_mask(s->vms[i].claims[0], cpus);
}

static bool
has_repaired_one(struct stage *s, const void *first)
{
	const struct cpuset now = standin_mask(s->vms[0].claims[0]);

	return cpuset_equal(&now, first);
}

/* In the middle of a pass over three VMs: the first one has been set. For drift nobody
 * is asked, so that all of them are in one pass. */
static void
begin_pass(struct stage *s)
{
	break_first_vcpus(s);
	engine_kick_all(s->engine, CAUSE_DRIFT);
	stage_until(s, has_repaired_one, &s->first, "the first VM is repaired");
	assert_int_equal(s->engine->pass.phase, PASS_APPLY);
	stage_check_mask(s->vms[2].claims[0], &s->second);
}

static void
a_pass_in_slices_is_one_pass(void **state)
{
	struct stage *s = stage_of(state);
	uint64_t passes;

	start_three(s);
	passes = s->engine->stats.passes;
	begin_pass(s);
	stage_settle(s);
	assert_int_equal(s->engine->stats.passes, passes + 1);
	check_first_vcpus(s, &s->first);
}

static void
what_comes_between_slices_is_left_to_the_next_pass(void **state)
{
	struct stage *s = stage_of(state);
	uint64_t passes;
	struct vm *last = start_three(s);

	passes = s->engine->stats.passes;
	begin_pass(s);
	engine_facts_arrived(s->engine, last);
	assert_true(last->fresh && !last->looked);
	stage_settle(s);
	assert_int_equal(s->engine->stats.passes, passes + 2);
	check_first_vcpus(s, &s->first);
}

static void
a_vm_that_ends_between_slices_is_no_trouble(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *last = start_three(s);

	begin_pass(s);
	engine_remove(s->engine, last);
	stage_settle(s);
	stage_check_mask(s->vms[1].claims[0], &s->first);
	stage_check_mask(s->vms[2].claims[0], &s->second);
}

static void
a_plan_asked_for_between_slices_is_made(void **state)
{
	struct stage *s = stage_of(state);
	uint64_t passes;

	start_three(s);
	passes = s->engine->stats.passes;
	begin_pass(s);
	engine_replan(s->engine);
	event_del(s->engine->settle);
	event_active(s->engine->settle, EV_TIMEOUT, 0);
	event_base_loop(s->base, EVLOOP_NONBLOCK);
	assert_true(s->engine->replan_due);
	stage_settle(s);
	assert_int_equal(s->engine->stats.passes, passes + 2);
	assert_false(s->engine->replan_due);
}

static void
a_reload_between_slices_drops_the_pass(void **state)
{
	struct stage *s = stage_of(state);

	start_three(s);
	begin_pass(s);
	stage_reload(s, "[qmpin]\nmode = off\n");
	stage_check_mask(s->vms[2].claims[0], &s->second);
	stage_reload(s, "");
	check_first_vcpus(s, &s->first);
}

static void
an_audit_between_slices_does_not_take_what_is_due_for_drift(void **state)
{
	struct stage *s = stage_of(state);
	uint64_t passes;

	start_three(s);
	passes = s->engine->stats.passes;
	begin_pass(s);
	event_active(s->engine->audit, EV_TIMEOUT, 0);
	event_base_loop(s->base, EVLOOP_NONBLOCK);
	event_del(s->engine->audit);
	stage_settle(s);
	assert_int_equal(s->engine->stats.passes, passes + 1);
	check_first_vcpus(s, &s->first);
}

#define ON_STAGE(test) \
	cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGE(
			others_leave_before_a_dedicated_vm_comes_and_return_when_it_ends),
		ON_STAGE(decisions_are_kept_and_the_last_repairs),
		ON_STAGE(a_placed_vm_that_cannot_be_looked_at_keeps_its_cores),
		ON_STAGE(
			a_thread_that_ended_since_qmp_named_it_is_asked_for_again_and_not_told),
		ON_STAGE(a_pass_in_slices_is_one_pass),
		ON_STAGE(what_comes_between_slices_is_left_to_the_next_pass),
		ON_STAGE(a_vm_that_ends_between_slices_is_no_trouble),
		ON_STAGE(a_plan_asked_for_between_slices_is_made),
		ON_STAGE(a_reload_between_slices_drops_the_pass),
		ON_STAGE(an_audit_between_slices_does_not_take_what_is_due_for_drift),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

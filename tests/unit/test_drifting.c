// SPDX-License-Identifier: MIT
/* What is told and counted when others change masks of real threads. */
#include "config.h"

#include "daemon/drifting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "stage.h"

/* All threads of a stand-in, as "taskset -a" would. */
static void
set_all(struct stage *s, const char *id, const struct cpuset *cpus)
{
	const struct vm *vm = engine_find(s->engine, id);

	for (size_t i = 0; i < vm->n_tasks; i++)
		standin_set_mask(vm->tasks[i].thread.tid, cpus);
}

static void
all_threads_at_once_are_told_in_one_line(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_start_with(s, "100");
	set_all(s, "100", &s->second);
	logcatch_forget(&s->log);
	stage_audit(s);
	stage_check_mask(s->vms[0].pid, &s->first);
	stage_check_mask(s->vms[0].claims[1], &s->first);
	assert_int_equal(logcatch_count(&s->log, " (drift: all 4 threads set to "), 1);
	assert_int_equal(logcatch_count(&s->log, " at once, as taskset -a does)\n"), 1);
	/* the other threads, without telling it again */
	assert_int_equal(logcatch_count(&s->log, " (drift)\n"), 1);
	assert_int_equal(vm->drift.repairs[DRIFT_ALL], 1);
	assert_int_equal(vm->repairs, 4);
}

static void
several_vms_at_once_are_told_with_each_of_them(void **state)
{
	struct stage *s = stage_of(state);

	for (int i = 0; i < 3; i++)
		s->vms[i] = standin_vm(s->vm_dir, 100 + i, 2);
	stage_start(s);
	for (int i = 0; i < 3; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "%d", 100 + i);
		stage_until_seen(s, id);
	}
	set_all(s, "100", &s->second);
	set_all(s, "102", &s->second);
	standin_set_mask(s->vms[1].claims[0], &s->second);
	logcatch_forget(&s->log);
	stage_audit(s);
	assert_int_equal(logcatch_count(&s->log, " at once in 2 VMs, as a cpuset"), 2);
	assert_int_equal(logcatch_count(&s->log, " (drift: only one vCPU set to "), 1);
	/* one alone, a while later */
	set_all(s, "102", &s->second);
	logcatch_forget(&s->log);
	stage_pass_ms(s, 2001);
	stage_audit(s);
	assert_int_equal(logcatch_count(&s->log, " at once, as taskset -a does)"), 1);
}

static void
what_a_pass_for_another_reason_repairs_is_told_and_counted_too(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_start_with(s, "100");
	standin_set_mask(s->vms[0].pid, &s->all);
	engine_kick(s->engine, vm, CAUSE_RESUME);
	stage_settle(s);
	stage_check_mask(s->vms[0].pid, &s->first);
	assert_int_equal(
		logcatch_count(&s->log, " (resume: only the main thread set to "), 1);
	assert_int_equal(vm->repairs, 1);
	assert_int_equal(vm->drift.repairs[DRIFT_MAIN], 1);
}

static void
a_decision_tells_its_own_reason_although_something_drifted(void **state)
{
	struct stage *s = stage_of(state);

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	stage_start_with(s, "100");
	standin_set_mask(s->vms[0].pid, &s->second);
	logcatch_forget(&s->log);
	(void)standin_plug(&s->vms[0], 1);
	standin_event(&s->vms[0], "ACPI_DEVICE_OST");
	stage_until_said(s, "vCPU 1");
	assert_int_equal(logcatch_count(&s->log, "vm 100: vCPU 1 "), 1);
	assert_int_equal(logcatch_count(&s->log, "main thread set to"), 0);
}

static void
another_process_of_the_same_name_starts_afresh(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_start_with(s, "100");
	set_all(s, "100", &s->second);
	stage_audit(s);
	vm_forget_process(vm);
	assert_int_equal(vm->drift.repairs[DRIFT_ALL], 0);
	assert_int_equal(vm->drift.found.kind, DRIFT_NONE);
	assert_int_equal(vm->drift.patience.spent, 0);
}

#define ON_STAGE(test) \
	cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGE(all_threads_at_once_are_told_in_one_line),
		ON_STAGE(several_vms_at_once_are_told_with_each_of_them),
		ON_STAGE(
			what_a_pass_for_another_reason_repairs_is_told_and_counted_too),
		ON_STAGE(a_decision_tells_its_own_reason_although_something_drifted),
		ON_STAGE(another_process_of_the_same_name_starts_afresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

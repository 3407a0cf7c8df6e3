// SPDX-License-Identifier: MIT
/* Looks between audits: what they find, what they leave alone, when they are made. */
#include "config.h"

#include "daemon/threadwatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <unistd.h>

#include "stage.h"

static void
a_vcpu_that_no_event_told_of_is_found_by_a_look(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	stage_look(s);
	assert_int_equal(s->engine->stats.passes, 1);
	tid = standin_plug(&s->vms[0], 1);
	standin_set_mask(tid, &s->all);
	stage_look(s);
	stage_check_mask(tid, &s->first);
	assert_int_equal(vm->last_cause, CAUSE_THREADS);
	assert_int_equal(s->engine->stats.passes, 2);
}

static void
a_vcpu_that_came_before_the_first_look_is_found(void **state)
{
	struct stage *s = stage_of(state);
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	stage_start_with(s, "100");
	tid = standin_plug(&s->vms[0], 1);
	standin_set_mask(tid, &s->all);
	stage_look(s);
	stage_check_mask(tid, &s->first);
}

static void
a_vcpu_that_ends_is_noticed_by_a_look(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_start_with(s, "100");
	stage_look(s);
	tid = s->vms[0].claims[1];
	standin_claim(&s->vms[0], 1, 0);
	standin_end_thread(&s->vms[0], tid);
	stage_look(s);
	assert_null(vm_task_find(vm, tid));
	assert_int_equal(vm->facts.n_vcpus, 1);
}

static void
workers_that_come_and_go_make_no_pass_and_leave_nothing(void **state)
{
	struct stage *s = stage_of(state);
	size_t n_tasks;
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	n_tasks = vm->n_tasks;
	for (unsigned int i = 0; i < 20; i++) {
		pid_t worker = standin_thread(&s->vms[0], "worker");

		stage_look(s);
		assert_non_null(vm_task_find(vm, worker));
		standin_end_thread(&s->vms[0], worker);
		stage_look(s);
	}
	assert_int_equal(s->engine->stats.passes, 1);
	assert_int_equal(vm->n_tasks, n_tasks);
	assert_int_equal(vm->record.n_threads, n_tasks);
}

static void
masks_are_the_audits_affair(void **state)
{
	struct stage *s = stage_of(state);
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	stage_start_with(s, "100");
	tid = s->vms[0].claims[0];
	standin_set_mask(tid, &s->second);
	(void)standin_thread(&s->vms[0], "worker");
	stage_look(s);
	stage_check_mask(tid, &s->second);
	stage_audit(s);
	stage_check_mask(tid, &s->first);
}

/* A QEMU whose workers carry the main thread's name. */
static void
threads_that_may_be_anything_are_on_the_guest_s_budget(void **state)
{
	struct stage *s = stage_of(state);
	unsigned int n = 50;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	stage_start_with(s, "100");
	for (unsigned int i = 0; i < n; i++) {
		pid_t tid = standin_thread(&s->vms[0], "qemu-system-x86");

		stage_look(s);
		standin_end_thread(&s->vms[0], tid);
		stage_look(s);
	}
	assert_true(s->engine->stats.passes > 10);
	assert_true(s->engine->stats.passes < 40);
}

static bool
is_pending(struct stage *s, const void *arg)
{
	(void)arg;
	return event_pending(s->engine->looks, EV_TIMEOUT, NULL) != 0;
}

static bool
is_unknown(struct stage *s, const void *arg)
{
	return engine_find(s->engine, arg) == NULL;
}

static bool
is_at_rest(struct stage *s, const void *arg)
{
	return !is_pending(s, arg);
}

static void
looks_begin_with_the_first_vm_and_end_with_the_last(void **state)
{
	struct stage *s = stage_of(state);

	stage_start(s);
	s->engine->look_ms = THREADWATCH_MS;
	threadwatch_wake(s->engine);
	assert_false(is_pending(s, NULL));
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	stage_until_seen(s, "100");
	assert_true(is_pending(s, NULL));
	assert_int_equal(unlink(s->vms[0].socket_path), 0);
	standin_kill(&s->vms[0]);
	stage_until(s, is_unknown, "100", "VM 100 is forgotten");
	stage_until(s, is_at_rest, NULL, "no more looks");
}

static void
a_process_that_ended_is_looked_at_no_more(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	stage_look(s);
	assert_true(vm->task_dirfd >= 0);
	vm_forget_process(vm);
	assert_int_equal(vm->task_dirfd, -1);
	stage_look(s);
	assert_int_equal(vm->task_dirfd, -1);
}

#define ON_STAGE(test) \
	cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGE(a_vcpu_that_no_event_told_of_is_found_by_a_look),
		ON_STAGE(a_vcpu_that_came_before_the_first_look_is_found),
		ON_STAGE(a_vcpu_that_ends_is_noticed_by_a_look),
		ON_STAGE(workers_that_come_and_go_make_no_pass_and_leave_nothing),
		ON_STAGE(masks_are_the_audits_affair),
		ON_STAGE(threads_that_may_be_anything_are_on_the_guest_s_budget),
		ON_STAGE(looks_begin_with_the_first_vm_and_end_with_the_last),
		ON_STAGE(a_process_that_ended_is_looked_at_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

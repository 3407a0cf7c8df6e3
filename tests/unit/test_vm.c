// SPDX-License-Identifier: MIT
/* The daemon's picture of a VM: its threads in order, its states, forgetting a process.
 */
#include "config.h"

#include "daemon/vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct vm *
new_vm(void)
{
	return vm_new(
		"100", 100, "/run/qemu-server/100.qmp", "/run/qemu-server/100.pid");
}

static void
add(struct vm *vm, pid_t tid, enum thread_class class, int index)
{
	struct vm_task task = {.have = cpuset_of((unsigned int)tid % 8)};

	task.thread = (struct vm_thread){.tid = tid, .class = class, .index = index};
	vm_task_add(vm, &task);
}

static void
tasks_stay_sorted_and_are_found_by_thread_id(void **state)
{
	static const pid_t order[] = {50, 10, 40, 20, 30, 60, 5};
	struct vm *vm = new_vm();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		add(vm, order[i], THREAD_WORKER, -1);
	for (size_t i = 1; i < vm->n_tasks; i++)
		assert_true(vm->tasks[i - 1].thread.tid < vm->tasks[i].thread.tid);
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		assert_int_equal(vm_task_find(vm, order[i])->thread.tid, order[i]);
	assert_null(vm_task_find(vm, 11));
	vm_free(vm);
}

static void
tasks_of_other_processes_are_told_apart_and_taken_out(void **state)
{
	struct vm *vm = new_vm();

	(void)state;
	add(vm, 12, THREAD_EMULATOR, -1);
	add(vm, 11, THREAD_HELPER, -1);
	add(vm, 13, THREAD_HELPER, -1);
	vm_task_find(vm, 11)->pid = vm_task_find(vm, 13)->pid = 11;
	assert_int_equal(vm_own_tasks(vm), 1);
	vm_task_remove(vm, vm_task_find(vm, 11));
	assert_null(vm_task_find(vm, 11));
	vm_task_remove(vm, vm_task_find(vm, 13));
	assert_int_equal(vm->n_tasks, 1);
	assert_int_equal(vm->tasks[0].thread.tid, 12);
	vm_free(vm);
}

static void
vcpus_come_by_index_not_by_thread_id(void **state)
{
	struct vm *vm = new_vm();
	struct vm_task *vcpus[4];

	(void)state;
	add(vm, 12, THREAD_VCPU, 3);
	add(vm, 13, THREAD_VCPU, 0);
	add(vm, 14, THREAD_EMULATOR, -1);
	add(vm, 15, THREAD_VCPU, 1);
	assert_int_equal(vm_vcpus(vm, vcpus), 3);
	assert_int_equal(vcpus[0]->thread.tid, 13);
	assert_int_equal(vcpus[1]->thread.tid, 15);
	assert_int_equal(vcpus[2]->thread.tid, 12);
	vm_free(vm);
}

static void
cpus_of_a_vm_are_what_is_wanted_else_what_it_has(void **state)
{
	struct vm *vm = new_vm();
	struct cpuset cpus;

	(void)state;
	add(vm, 1, THREAD_VCPU, 0);
	add(vm, 2, THREAD_VCPU, 1);
	add(vm, 3, THREAD_EMULATOR, -1);
	vm->tasks[1].want = cpuset_of(6);
	vm->tasks[1].wanted = true;
	cpus = vm_vcpu_cpus(vm);
	assert_int_equal(cpuset_count(&cpus), 2);
	assert_true(cpuset_has(&cpus, 1) && cpuset_has(&cpus, 6));
	vm_free(vm);
}

static void
a_forgotten_process_leaves_nothing_behind(void **state)
{
	struct vm *vm = new_vm();

	(void)state;
	add(vm, 1, THREAD_VCPU, 0);
	vm->placed = vm->surveyed = vm->foreign = vm->preexisting = true;
	vm->causes = vm->active = vm->delayed = 7;
	vm->domain = cpuset_of(3);
	vm->repairs = 4;
	vm_forget_process(vm);
	assert_int_equal(vm->n_tasks, 0);
	assert_false(vm->placed || vm->surveyed || vm->foreign || vm->preexisting);
	assert_int_equal(vm->causes | vm->active | vm->delayed, 0);
	assert_true(cpuset_empty(&vm->domain));
	assert_int_equal(vm->repairs, 0);
	assert_int_equal(vm->identity.pidfd, -1);
	assert_string_equal(vm->id, "100");
	vm_free(vm);
}

static void
the_life_of_a_vm_is_made_of_legal_steps(void **state)
{
	static const enum vm_state life[] = {VM_CONNECTING, VM_WATCHING, VM_PAUSED,
		VM_WATCHING, VM_YIELDED, VM_WATCHING, VM_STALLED, VM_YIELDED, VM_PAUSED,
		VM_YIELDED, VM_STALLED, VM_CONNECTING, VM_YIELDED, VM_CONNECTING,
		VM_PAUSED, VM_GONE, VM_YIELDED, VM_FOUND, VM_YIELDED, VM_GONE,
		VM_CONNECTING, VM_FOUND, VM_STALLED, VM_GONE, VM_FOUND};
	struct vm *vm = new_vm();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(life); i++) {
		vm_set_state(vm, life[i]);
		assert_int_equal(vm->state, life[i]);
	}
	vm_free(vm);
}

static void
what_fails_is_tried_more_and_more_seldom_until_it_works(void **state)
{
	static const unsigned int rests[] = {1, 2, 4, 8, 16, 16, 16};
	struct vm *vm = new_vm();

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_LEN(rests); i++) {
			vm_rest(vm);
			assert_int_equal(vm->rest, rests[i]);
		}
		vm_rested(vm);
		assert_int_equal(vm->rest, 0);
	}
	vm_free(vm);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_stay_sorted_and_are_found_by_thread_id),
		cmocka_unit_test(tasks_of_other_processes_are_told_apart_and_taken_out),
		cmocka_unit_test(vcpus_come_by_index_not_by_thread_id),
		cmocka_unit_test(cpus_of_a_vm_are_what_is_wanted_else_what_it_has),
		cmocka_unit_test(a_forgotten_process_leaves_nothing_behind),
		cmocka_unit_test(the_life_of_a_vm_is_made_of_legal_steps),
		cmocka_unit_test(
			what_fails_is_tried_more_and_more_seldom_until_it_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

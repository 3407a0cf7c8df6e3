// SPDX-License-Identifier: MIT
/* Classes of threads, and QMP naming threads it has no right to. */
#include "config.h"

#include "vm/threads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"
#include "base/xalloc.h"

#define QEMU 4711

static struct task_stat
task(pid_t tid, const char *comm)
{
	struct task_stat t = {
		.tid = tid, .state = 'S', .start_ticks = (uint64_t)tid * 10};

	str_copy(t.comm, sizeof(t.comm), comm);
	return t;
}

static void
every_thread_gets_its_class(void **state)
{
	const struct task_stat tasks[] = {
		task(QEMU, "kvm"), task(4712, "call_rcu"),
		task(4713,
			"kvm"), /* an iothread of QEMU 7.2 has the main thread's name */
		task(4714, "CPU 0/KVM"), task(4715, "CPU 1/KVM"),
		task(4716, "vhost-4711"), task(4717, "vhost-4712"),
		task(4718, "CPU 2/KVM"), /* a name alone makes no vCPU */
	};
	const struct thread_claim claims[] = {
		{4715, THREAD_VCPU, 7},
		{4714, THREAD_VCPU, 0},
		{4713, THREAD_IOTHREAD, 0},
	};
	static const enum thread_class classes[] = {THREAD_EMULATOR, THREAD_WORKER,
		THREAD_IOTHREAD, THREAD_VCPU, THREAD_VCPU, THREAD_VHOST, THREAD_WORKER,
		THREAD_WORKER};
	static const int indices[] = {-1, -1, 0, 0, 7, -1, -1, -1};
	struct vm_thread out[ARRAY_LEN(tasks)];

	(void)state;
	assert_int_equal(threads_classify(QEMU, tasks, ARRAY_LEN(tasks), claims,
				 ARRAY_LEN(claims), out, NULL),
		0);
	for (size_t i = 0; i < ARRAY_LEN(tasks); i++) {
		if (out[i].class != classes[i] || out[i].index != indices[i])
			fail_msg("thread %d is %s %d", (int)out[i].tid,
				thread_class_name(out[i].class), out[i].index);
		assert_int_equal(out[i].tid, tasks[i].tid);
		assert_int_equal(out[i].start_ticks, tasks[i].start_ticks);
		assert_string_equal(out[i].comm, tasks[i].comm);
	}
}

static void
the_result_is_ascending_whatever_the_order_of_the_tasks(void **state)
{
	const struct task_stat tasks[] = {
		task(9000, "b"), task(QEMU, "a"), task(12, "c")};
	const struct thread_claim claim = {12, THREAD_VCPU, 3};
	struct vm_thread out[3];

	(void)state;
	assert_int_equal(threads_classify(QEMU, tasks, 3, &claim, 1, out, NULL), 0);
	assert_int_equal(out[0].tid, 12);
	assert_int_equal(out[0].class, THREAD_VCPU);
	assert_int_equal(out[0].start_ticks, 120);
	assert_int_equal(out[1].tid, QEMU);
	assert_int_equal(out[2].tid, 9000);
}

static void
names_are_escaped(void **state)
{
	const struct task_stat tasks[] = {task(QEMU, "a\n\033[31mb\\\xff")};
	struct vm_thread out[1];

	(void)state;
	assert_int_equal(threads_classify(QEMU, tasks, 1, NULL, 0, out, NULL), 0);
	assert_string_equal(out[0].comm, "a\\x0a\\x1b[31mb\\\\\\xff");
}

static void
a_name_of_nothing_but_escapes_is_cut_at_a_whole_one(void **state)
{
	struct task_stat tasks[] = {task(QEMU, "")};
	struct vm_thread out[1];

	(void)state;
	memset(tasks[0].comm, '\n', TASK_COMM_MAX - 1);
	assert_int_equal(threads_classify(QEMU, tasks, 1, NULL, 0, out, NULL), 0);
	assert_int_equal(strlen(out[0].comm), 60);
}

static void
a_claim_that_does_not_fit_spoils_the_answer(void **state)
{
	static const struct {
		struct thread_claim claims[2];
		const char *text;
	} cases[] = {
		{{{4713, THREAD_VCPU, 1}, {4712, THREAD_VCPU, 0}},
			"QMP names thread 4713 as vcpu 1, but process 4711 has no such thread"},
		{{{4712, THREAD_VCPU, 0}, {1, THREAD_IOTHREAD, 0}},
			"QMP names thread 1 as iothread 0, but process 4711 has no such thread"},
		{{{4712, THREAD_VCPU, 0}, {0, THREAD_VCPU, 1}},
			"QMP names thread 0 as vcpu 1, but process 4711 has no such thread"},
		{{{-4712, THREAD_VCPU, 0}, {4712, THREAD_VCPU, 1}},
			"QMP names thread -4712 as vcpu 0, but process 4711 has no such thread"},
		{{{4712, THREAD_VCPU, 0}, {4712, THREAD_VCPU, 1}},
			"QMP names thread 4712 as vcpu 0 and as vcpu 1"},
		{{{4712, THREAD_VCPU, 0}, {4712, THREAD_IOTHREAD, 0}},
			"QMP names thread 4712 as vcpu 0 and as iothread 0"},
		{{{4711, THREAD_VCPU, 0}, {4712, THREAD_VCPU, 1}},
			"QMP names the main thread 4711 as vcpu 0"},
		{{{4711, THREAD_IOTHREAD, 2}, {4712, THREAD_VCPU, 1}},
			"QMP names the main thread 4711 as iothread 2"},
	};
	const struct task_stat tasks[] = {task(QEMU, "kvm"), task(4712, "CPU 0/KVM")};
	struct vm_thread before[2];
	struct vm_thread out[2];

	(void)state;
	memset(before, 0xa5, sizeof(before));
	memcpy(out, before, sizeof(out));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_NONE;
		int r = threads_classify(QEMU, tasks, 2, cases[i].claims, 2, out, &e);

		if (r != -ESTALE || !str_equal(e.text, cases[i].text))
			fail_msg("case %zu: %d \"%s\"", i, r, e.text);
		assert_memory_equal(out, before, sizeof(out));
	}
}

static void
tasks_that_contradict_themselves_are_refused(void **state)
{
	const struct task_stat twice[] = {task(QEMU, "a"), task(5, "b"), task(5, "c")};
	const struct task_stat headless[] = {task(5, "b")};
	struct vm_thread out[3];

	(void)state;
	assert_int_equal(threads_classify(QEMU, twice, 3, NULL, 0, out, NULL), -ESTALE);
	assert_int_equal(
		threads_classify(QEMU, headless, 1, NULL, 0, out, NULL), -ESTALE);
	assert_int_equal(threads_classify(QEMU, NULL, 0, NULL, 0, out, NULL), -ESTALE);
}

static void
the_largest_process_is_sorted(void **state)
{
	auto_free struct task_stat *tasks = xcalloc(TASKS_MAX, sizeof(*tasks));
	auto_free struct thread_claim *claims = xcalloc(4096, sizeof(*claims));
	auto_free struct vm_thread *out = xcalloc(TASKS_MAX, sizeof(*out));

	(void)state;
	for (size_t i = 0; i < TASKS_MAX; i++)
		tasks[i] = task((pid_t)(TASKS_MAX - i), "x");
	for (size_t i = 0; i < 4096; i++)
		claims[i] = (struct thread_claim){(pid_t)(i + 2), THREAD_VCPU, (int)i};
	assert_int_equal(
		threads_classify(1, tasks, TASKS_MAX, claims, 4096, out, NULL), 0);
	assert_int_equal(out[0].class, THREAD_EMULATOR);
	assert_int_equal(out[4096].class, THREAD_VCPU);
	assert_int_equal(out[4096].index, 4095);
	assert_int_equal(out[4097].class, THREAD_WORKER);
}

static void
io_urings_workers_are_known_by_name_and_by_nothing_like_it(void **state)
{
	(void)state;
	assert_true(threads_is_helper("iou-wrk-4711"));
	assert_false(threads_is_lasting("iou-wrk-4711"));
	assert_true(threads_is_helper("iou-sqp-4194304"));
	assert_true(threads_is_lasting("iou-sqp-4194304"));
	assert_false(threads_is_helper("iou-4711"));
	assert_false(threads_is_helper("kiou-wrk-4711"));
}

static void
a_task_that_nobody_may_set_is_known_by_its_flags(void **state)
{
	struct task_stat tasks[] = {task(QEMU, "kvm"), task(4712, "iou-wrk-4711")};
	struct vm_thread out[2];

	(void)state;
	tasks[0].flags = ~0x04000000u;
	tasks[1].flags = 0x04400050u; /* of a worker of Linux 5.15 */
	assert_int_equal(threads_classify(QEMU, tasks, 2, NULL, 0, out, NULL), 0);
	assert_false(out[0].fixed);
	assert_true(out[1].fixed);
}

static void
class_names_are_those_of_the_interface(void **state)
{
	(void)state;
	assert_string_equal(thread_class_name(THREAD_VCPU), "vcpu");
	assert_string_equal(thread_class_name(THREAD_IOTHREAD), "iothread");
	assert_string_equal(thread_class_name(THREAD_EMULATOR), "emulator");
	assert_string_equal(thread_class_name(THREAD_VHOST), "vhost");
	assert_string_equal(thread_class_name(THREAD_WORKER), "worker");
	assert_string_equal(thread_class_name(THREAD_HELPER), "helper");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_thread_gets_its_class),
		cmocka_unit_test(
			the_result_is_ascending_whatever_the_order_of_the_tasks),
		cmocka_unit_test(names_are_escaped),
		cmocka_unit_test(a_name_of_nothing_but_escapes_is_cut_at_a_whole_one),
		cmocka_unit_test(a_claim_that_does_not_fit_spoils_the_answer),
		cmocka_unit_test(tasks_that_contradict_themselves_are_refused),
		cmocka_unit_test(the_largest_process_is_sorted),
		cmocka_unit_test(
			io_urings_workers_are_known_by_name_and_by_nothing_like_it),
		cmocka_unit_test(a_task_that_nobody_may_set_is_known_by_its_flags),
		cmocka_unit_test(class_names_are_those_of_the_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

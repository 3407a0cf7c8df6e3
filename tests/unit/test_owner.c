// SPDX-License-Identifier: MIT
/* Who has a thread id, and which mask it was made with: real processes and threads. */
#include "config.h"

#include "act/owner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "act/affinity.h"
#include "base/attr.h"
#include "procs.h"

static const char *const names[] = {"main", "Tgid:\t7", "worker"};

static void
a_thread_is_owned_by_its_process_and_that_by_its_parent(void **state)
{
	struct procs_child c = procs_spawn(names, ARRAY_LEN(names));
	auto_close int procfd = procs_open_proc();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct owner who = {0};

		assert_int_equal(owner_read(procfd, c.tids[i], &who), 0);
		assert_int_equal(who.tid, c.tids[i]);
		assert_int_equal(who.pid, c.pid);
		assert_int_equal(who.parent, getpid());
	}
	procs_reap(&c);
}

static void
nobody_has_the_id_of_what_has_ended(void **state)
{
	struct procs_child c = procs_spawn(names, ARRAY_LEN(names));
	auto_close int procfd = procs_open_proc();
	struct owner who = {.tid = 5, .pid = 5, .parent = 5};
	pid_t pid = c.pid;

	(void)state;
	procs_end_thread(&c, 1);
	assert_int_equal(owner_read(procfd, c.tids[1], &who), -ESRCH);
	procs_reap(&c);
	assert_int_equal(owner_read(procfd, pid, &who), -ESRCH);
	assert_int_equal(owner_read(procfd, 0, &who), -ESRCH);
	assert_int_equal(who.tid, 5);
	assert_int_equal(who.pid, 5);
	assert_int_equal(who.parent, 5);
}

static void
owners_differ_by_thread_process_and_parent(void **state)
{
	const struct owner a = {10, 9, 8};
	const struct owner others[] = {{11, 9, 8}, {10, 11, 8}, {10, 9, 11}};

	(void)state;
	assert_true(owner_is_same(&a, &a));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(owner_is_same(&a, &others[i]));
}

static void
set_mask(pid_t tid, const struct cpuset *cpus)
{
	assert_int_equal(
		syscall(SYS_sched_setaffinity, tid, sizeof(cpus->words), cpus->words),
		0);
}

static void
threads_have_the_mask_of_the_main_thread_and_that_of_the_parent(void **state)
{
	struct procs_child c = procs_spawn(names, ARRAY_LEN(names));
	auto_close int procfd = procs_open_proc();
	struct cpuset all;
	struct cpuset one;
	struct cpuset got;
	struct owner who;

	(void)state;
	assert_int_equal(affinity_read(getpid(), &all), 0);
	one = cpuset_of(cpuset_next(&all, 0));
	set_mask(c.pid, &one);
	assert_int_equal(owner_read(procfd, c.tids[2], &who), 0);
	assert_int_equal(owner_inherited(&who, &got), 0);
	assert_true(cpuset_equal(&got, &one));
	assert_int_equal(owner_read(procfd, c.pid, &who), 0);
	assert_int_equal(owner_inherited(&who, &got), 0);
	assert_true(cpuset_equal(&got, &all));
	who.parent = 0;
	assert_int_equal(owner_inherited(&who, &got), -ESRCH);
	procs_reap(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_thread_is_owned_by_its_process_and_that_by_its_parent),
		cmocka_unit_test(nobody_has_the_id_of_what_has_ended),
		cmocka_unit_test(owners_differ_by_thread_process_and_parent),
		cmocka_unit_test(
			threads_have_the_mask_of_the_main_thread_and_that_of_the_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Stat lines and thread lists: written by hand, damaged at random, and of real
 * processes. */
#include "config.h"

#include "vm/task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/xalloc.h"
#include "mutate.h"
#include "procs.h"

/* fields 4 to 52 of a QEMU on Linux 6.12 */
#define TAIL                                                                           \
	" 1 4711 4711 0 -1 2138432 10 20 30 40 500 60 7 8 20 0 12 0 123456789 "        \
	"9221111808 5000 18446744073709551615 1 1 0 0 0 0 2147220671 4096 1260 0 0 0 " \
	"-1 37 0 0 0 0 0 0 0 0 0 0 0 0 0\n"

/* 63 bytes */
#define LONGEST "012345678901234567890123456789012345678901234567890123456789012"

/* fields 16 to 37, and 10 to 37 */
#define LATE " 7 8 20 0 12 0 9 9 5 1 1 1 0 0 0 0 2 4 1 0 0 0"
#define MIDDLE " 1 2 3 4 5 6" LATE

static int
parse(const char *text, struct task_stat *out)
{
	return task_stat_parse(text, strlen(text), out);
}

static void
every_field_is_read(void **state)
{
	struct task_stat s;

	(void)state;
	assert_int_equal(parse("4711 (qemu-system-x86) S" TAIL, &s), 0);
	assert_int_equal(s.tid, 4711);
	assert_string_equal(s.comm, "qemu-system-x86");
	assert_int_equal(s.state, 'S');
	assert_int_equal(s.flags, 2138432);
	assert_int_equal(s.start_ticks, 123456789);
	assert_int_equal(s.last_cpu, 37);
	assert_int_equal(s.cpu_ticks, 560);
}

static void
names_may_look_like_the_rest_of_the_line(void **state)
{
	static const char *const names[] = {
		"CPU 0/KVM",
		") S 1 2",
		"))) (((",
		"(",
		")",
		"",
		"a) R 1 1 1 1 -1 4 0 0",
		"new\nline",
		"\x01\xff\\",
		LONGEST,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		auto_free char *text = xasprintf("12 (%s) R" TAIL, names[i]);
		struct task_stat s = {0};

		if (parse(text, &s) != 0 || strcmp(s.comm, names[i]) != 0)
			fail_msg(
				"case %zu: \"%s\" read as \"%s\"", i, names[i], s.comm);
		assert_int_equal(s.tid, 12);
		assert_int_equal(s.start_ticks, 123456789);
	}
}

static void
what_is_no_stat_line_is_refused_and_changes_nothing(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"12",
		"12 ",
		"12 (",
		"12 (a",
		"12 (a)",
		"12 (a) ",
		"12 (a) S",
		"12 (a) S 1 2 3\n",
		"(a) S" TAIL,
		"-1 (a) S" TAIL,
		"0 (a) S" TAIL,
		"2147483648 (a) S" TAIL,
		"12  (a) S" TAIL,
		"12(a) S" TAIL,
		"12 a S" TAIL,
		"12 )a( S" TAIL,
		"12 (a)S" TAIL,
		"12 (a)  S" TAIL,
		"12 (a) 7" TAIL,
		"12 (a) [" TAIL,
		"x2 (a) S" TAIL,
		"12x (a) S" TAIL,
		/* 64 bytes of name */
		"12 (0123456789012345678901234567890123456789012345678901234567890123) S" TAIL,
		/* a blank too many, a minus alone or where none can be, a letter, a
		 * number above 64 bits */
		"1 (a) S 1  2 3 0 -1 2" MIDDLE " 1 3 0",
		"1 (a) S 1 2 3 0 - 2" MIDDLE " 1 3 0",
		"1 (a) S 1 2 3 x -1 2" MIDDLE " 1 3 0",
		"1 (a) S 1 2 3 0 -1 -2" MIDDLE " 1 3 0",
		"1 (a) S 1 2 3 0 -1 2" MIDDLE " 1 -3 0",
		"1 (a) S 1 2 3 18446744073709551616 -1 2" MIDDLE " 1 3 0",
		/* flags above 32 bits, CPU above 31 bits, times that do not add up */
		"1 (a) S 1 2 3 0 -1 4294967296" MIDDLE " 1 3 0",
		"1 (a) S 1 2 3 0 -1 2" MIDDLE " 1 2147483648 0",
		"1 (a) S 1 2 3 0 -1 2 1 2 3 4 18446744073709551615 1" LATE " 1 3 0",
		/* the last field that is read, broken off or with something behind it
		 */
		"1 (a) S 1 2 3 0 -1 2" MIDDLE " 1 3x",
		"1 (a) S 1 2 3 0 -1 2" MIDDLE " 1 ",
		"1 (a) S 1 2 3 0 -1 2" MIDDLE " 1",
	};
	struct task_stat before;
	struct task_stat s;

	(void)state;
	memset(&before, 0xa5, sizeof(before));
	s = before;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (parse(texts[i], &s) != -EINVAL)
			fail_msg("case %zu: \"%s\" was accepted", i, texts[i]);
		assert_memory_equal(&s, &before, sizeof(s));
	}
}

static void
the_shortest_line_of_an_old_kernel_is_enough(void **state)
{
	struct task_stat s;

	(void)state;
	assert_int_equal(parse("1 (a) S 1 2 3 0 -1 2" MIDDLE " 1 3", &s), 0);
	assert_int_equal(s.last_cpu, 3);
}

static void
a_nul_in_the_text_is_refused(void **state)
{
	const char text[] = "12 (a\0b) S" TAIL;
	struct task_stat s;

	(void)state;
	assert_int_equal(task_stat_parse(text, sizeof(text) - 1, &s), -EINVAL);
}

static void
damaged_lines_are_read_or_refused(void **state)
{
	const char text[] = "4711 (CPU 0/KVM) S" TAIL;
	uint64_t seed = 20240817;
	unsigned int accepted = 0;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned int i = 0; i < 50000; i++) {
		/* exactly as long as the text: a byte too far is seen by the sanitizer
		 */
		auto_free char *copy = NULL;
		char damaged[512];
		struct task_stat s = {0};
		size_t len = sizeof(text) - 1;

		memcpy(damaged, text, len);
		len = mutate_text(damaged, len, sizeof(damaged), &seed);
		copy = xcalloc(len, 1);
		memcpy(copy, damaged, len);
		if (task_stat_parse(copy, len, &s) < 0)
			continue;
		accepted++;
		assert_true(s.tid > 0 && s.last_cpu >= 0);
		assert_true(strnlen(s.comm, sizeof(s.comm)) < sizeof(s.comm));
	}
	assert_in_range(accepted, 1000, 49000);
}

static void
threads_of_a_real_process_are_listed_with_their_names(void **state)
{
	static const char *const names[] = {
		"main) S 1", "CPU 0/TCG", "CPU 1/TCG", "a\nb"};
	struct procs_child c = procs_spawn(names, ARRAY_LEN(names));
	auto_close int procfd = procs_open_proc();
	auto_free pid_t *tids = NULL;
	ssize_t n;

	(void)state;
	n = task_list_read(procfd, c.pid, &tids);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < 4; i++) {
		struct task_stat s;

		assert_true(i == 0 || tids[i] > tids[i - 1]);
		assert_int_equal(task_stat_read(procfd, c.pid, c.tids[i], &s), 0);
		assert_int_equal(s.tid, c.tids[i]);
		assert_string_equal(s.comm, names[i]);
		assert_true(s.start_ticks > 0);
	}
	procs_reap(&c);
}

static void
a_thread_that_ended_is_gone(void **state)
{
	static const char *const names[] = {"main", "worker"};
	struct procs_child c = procs_spawn(names, ARRAY_LEN(names));
	auto_close int procfd = procs_open_proc();
	auto_free pid_t *tids = NULL;
	struct task_stat s;

	(void)state;
	procs_end_thread(&c, 1);
	assert_int_equal(task_stat_read(procfd, c.pid, c.tids[1], &s), -ESRCH);
	assert_int_equal(task_list_read(procfd, c.pid, &tids), 1);
	assert_int_equal(tids[0], c.pid);
	procs_reap(&c);
}

static void
threads_of_another_process_are_not_found(void **state)
{
	static const char *const names[] = {"main", "worker"};
	struct procs_child a = procs_spawn(names, ARRAY_LEN(names));
	struct procs_child b = procs_spawn(names, ARRAY_LEN(names));
	auto_close int procfd = procs_open_proc();
	struct task_stat s;

	(void)state;
	assert_int_equal(task_stat_read(procfd, a.pid, b.tids[0], &s), -ESRCH);
	assert_int_equal(task_stat_read(procfd, a.pid, b.tids[1], &s), -ESRCH);
	assert_int_equal(task_stat_read(procfd, a.pid, 1, &s), -ESRCH);
	assert_int_equal(task_stat_read(procfd, a.pid, 0, &s), -ESRCH);
	assert_int_equal(task_stat_read(procfd, a.pid, -1, &s), -ESRCH);
	procs_reap(&a);
	procs_reap(&b);
}

static void
a_process_that_ended_has_no_threads(void **state)
{
	static const char *const names[] = {"main"};
	struct procs_child c = procs_spawn(names, ARRAY_LEN(names));
	auto_close int procfd = procs_open_proc();
	pid_t pid = c.pid;
	pid_t *tids = NULL;
	struct task_stat s;

	(void)state;
	procs_reap(&c);
	assert_int_equal(task_list_read(procfd, pid, &tids), -ESRCH);
	assert_null(tids);
	assert_int_equal(task_stat_read(procfd, pid, pid, &s), -ESRCH);
	assert_int_equal(task_list_read(procfd, 0, &tids), -ESRCH);
}

/* A tree that stands in for /proc: what no kernel would show must not be believed. */
static void
put_stat(const char *dir, const char *text, size_t len)
{
	auto_free char *path = xasprintf("%s/7/task/7/stat", dir);
	auto_free char *task = xasprintf("%s/7/task/7", dir);
	auto_free char *tasks = xasprintf("%s/7/task", dir);
	auto_free char *process = xasprintf("%s/7", dir);
	FILE *f;

	(void)mkdir(process, 0700);
	(void)mkdir(tasks, 0700);
	(void)mkdir(task, 0700);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static void
remove_stat(char *dir)
{
	static const char *const parts[] = {"7/task/7/stat", "7/task/7", "7/task", "7"};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		auto_free char *path = xasprintf("%s/%s", dir, parts[i]);

		(void)remove(path);
	}
	procs_remove_dir(dir);
}

static void
a_stat_file_that_cannot_be_is_refused(void **state)
{
	char *dir = procs_make_dir();
	auto_close int procfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_free char *long_text = xcalloc(5000, 1);
	struct task_stat s;

	(void)state;
	put_stat(dir, "7 (a) S" TAIL, strlen("7 (a) S" TAIL));
	assert_int_equal(task_stat_read(procfd, 7, 7, &s), 0);
	/* another thread's */
	put_stat(dir, "8 (a) S" TAIL, strlen("8 (a) S" TAIL));
	assert_int_equal(task_stat_read(procfd, 7, 7, &s), -EINVAL);
	put_stat(dir, "", 0);
	assert_int_equal(task_stat_read(procfd, 7, 7, &s), -EINVAL);
	memset(long_text, ' ', 5000);
	memcpy(long_text, "7 (a) S" TAIL, strlen("7 (a) S" TAIL));
	put_stat(dir, long_text, 5000);
	assert_int_equal(task_stat_read(procfd, 7, 7, &s), -EINVAL);
	remove_stat(dir);
}

static void
more_threads_than_the_cap_are_refused(void **state)
{
	char *dir = procs_make_dir();
	auto_close int procfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_free char *process = xasprintf("%s/7", dir);
	auto_free char *tasks = xasprintf("%s/7/task", dir);
	auto_close int taskfd = -1;
	pid_t *tids = NULL;
	char name[16];

	(void)state;
	assert_int_equal(mkdir(process, 0700), 0);
	assert_int_equal(mkdir(tasks, 0700), 0);
	taskfd = open(tasks, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned int i = 1; i <= TASKS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		assert_int_equal(mknodat(taskfd, name, S_IFREG | 0600, 0), 0);
	}
	/* in the order of a file system's hash: must come sorted */
	assert_int_equal(task_list_read(procfd, 7, &tids), TASKS_MAX);
	for (size_t i = 0; i < TASKS_MAX; i++)
		assert_int_equal(tids[i], i + 1);
	free(tids);
	tids = NULL;
	assert_int_equal(mknodat(taskfd, "65537", S_IFREG | 0600, 0), 0);
	assert_int_equal(task_list_read(procfd, 7, &tids), -E2BIG);
	assert_null(tids);
	for (unsigned int i = 1; i <= TASKS_MAX + 1; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		(void)unlinkat(taskfd, name, 0);
	}
	remove_stat(dir);
}

static void
no_descriptor_is_left_open(void **state)
{
	size_t before = procs_count_fds();
	int procfd = procs_open_proc();
	struct task_stat s;
	pid_t *tids = NULL;

	(void)state;
	assert_int_equal(task_stat_read(procfd, getpid(), getpid(), &s), 0);
	assert_true(task_list_read(procfd, getpid(), &tids) > 0);
	assert_int_equal(task_stat_read(procfd, getpid(), 1, &s), -ESRCH);
	free(tids);
	close(procfd);
	assert_int_equal(procs_count_fds(), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_read),
		cmocka_unit_test(names_may_look_like_the_rest_of_the_line),
		cmocka_unit_test(what_is_no_stat_line_is_refused_and_changes_nothing),
		cmocka_unit_test(the_shortest_line_of_an_old_kernel_is_enough),
		cmocka_unit_test(a_nul_in_the_text_is_refused),
		cmocka_unit_test(damaged_lines_are_read_or_refused),
		cmocka_unit_test(threads_of_a_real_process_are_listed_with_their_names),
		cmocka_unit_test(a_thread_that_ended_is_gone),
		cmocka_unit_test(threads_of_another_process_are_not_found),
		cmocka_unit_test(a_process_that_ended_has_no_threads),
		cmocka_unit_test(a_stat_file_that_cannot_be_is_refused),
		cmocka_unit_test(more_threads_than_the_cap_are_refused),
		cmocka_unit_test(no_descriptor_is_left_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

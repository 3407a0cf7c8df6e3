// SPDX-License-Identifier: MIT
/* Which memory is the guest's, and the program that moves it, on this machine's own
 * nodes. Pages that really move need several: see tests/lab/memory.sh. */
#include "config.h"

#include "act/pagemove.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"

#define SIZE (32u << 20)

static void
guest_memory_is_found_among_mappings(void **state)
{
	static const char maps[] =
		"55d0e0000000-55d0e4000000 rw-p 00000000 00:00 0    [heap]\n"
		"7f0000000000-7f0040000000 rw-p 00000000 00:00 0 \n"
		"7f1000000000-7f1040000000 rw-s 00000000 00:01 1036  "
		"/memfd:memory-backend-memfd (deleted)\n"
		"7f2000000000-7f2040000000 rw-s 00000000 00:0f 77    "
		"/dev/hugepages/qemu_back_mem (deleted)\n"
		"7f3000000000-7f3000021000 rw-p 00000000 00:00 0 \n"
		"7f4000000000-7f4040000000 rw-s 00000000 08:01 99    /var/lib/disk.raw\n"
		"7f5000000000-7f5040000000 ---p 00000000 00:00 0 \n"
		"7f6000000000-7f6040000000 rw-s 00000000 00:0e 9     "
		"anon_inode:[vfio-device]\n";
	struct ram_range *ranges = NULL;

	(void)state;
	assert_int_equal(ramlist_parse(maps, &ranges), 3);
	assert_true(ranges[0].start == 0x7f0000000000 &&
		    ranges[0].end == 0x7f0040000000 && !ranges[0].shared);
	assert_true(ranges[1].start == 0x7f1000000000 && ranges[1].shared);
	assert_true(ranges[2].start == 0x7f2000000000 && ranges[2].shared);
	free(ranges);
}

static void
damaged_mappings_are_refused(void **state)
{
	static const char *const texts[] = {
		"x",
		"7f00-6f00 rw-p 0 0 0\n",
		"-7f00 rw-p 0 0 0\n",
		"7f00- rw-p 0 0 0\n",
		"7f0000000000\n",
		"7f0000000000-7f0040000000\n",
		"7f0000000000-7f0040000000 rw\n",
		"11112222333344445-7f0040000000 rw-p 0 0 0\n",
		"7F0000000000-7f0040000000 rw-p 0 0 0\n",
	};
	struct ram_range *ranges = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (ramlist_parse(texts[i], &ranges) != -EINVAL)
			fail_msg("taken: %s", texts[i]);
	}
	assert_null(ranges);
	assert_int_equal(ramlist_parse("", &ranges), 0);
	free(ranges);
}

static char *
touch_memory(void)
{
	char *p = mmap(
		NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	memset(p, 1, SIZE);
	return p;
}

/* All of a move's steps. Returns what the last one did. */
static int
go_through(struct pagemove *m, pid_t pid, const char *memory, unsigned int node)
{
	const struct ram_range range = {.start = (uint64_t)(uintptr_t)memory,
		.end = (uint64_t)(uintptr_t)memory + SIZE};
	struct cpuset to = cpuset_of(node);
	int r = 1;

	pagemove_init(m, pid, &to, &range, 1);
	while (r > 0)
		r = pagemove_step(m);
	return r;
}

static void
what_is_there_already_is_not_touched(void **state)
{
	char *p = touch_memory();
	struct pagemove m;
	int r = go_through(&m, getpid(), p, 0);

	(void)state;
	(void)munmap(p, SIZE);
	if (r == -ENOSYS || r == -EPERM)
		skip();
	assert_int_equal(r, 0);
	assert_true(m.seen_bytes == SIZE);
	assert_true(m.total_bytes == SIZE);
	assert_true(m.stuck_bytes == 0);
}

static void
a_node_that_is_not_there_is_an_error_and_moves_nothing(void **state)
{
	char *p = touch_memory();
	struct pagemove m;
	int r = go_through(&m, getpid(), p, 1000);

	(void)state;
	if (r == -ENOSYS || r == -EPERM)
		skip();
	assert_true(r < 0);
	assert_true(m.moved_bytes == 0);
	assert_int_equal(p[SIZE / 2], 1);
	(void)munmap(p, SIZE);
}

static void
a_process_that_has_ended_is_told(void **state)
{
	char *p = touch_memory();
	struct pagemove m;
	pid_t pid = fork();
	int r;

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_true(waitpid(pid, NULL, 0) == pid);
	r = go_through(&m, pid, p, 0);
	(void)munmap(p, SIZE);
	if (r != -ENOSYS && r != -EPERM)
		assert_int_equal(r, -ESRCH);
}

/* ---- the program ---- */

/* A process with touched memory, and its start time as in /proc. Not one of this
 * program: a sanitizer's shadow is terabytes that look like a guest's memory. */
static pid_t
new_guest(unsigned long long *ticks)
{
	static const char guest[] = "import os, signal\n"
				    "memory = b'x' * (64 << 20)\n"
				    "os.write(1, b'x')\n"
				    "signal.pause()\n";
	char text[1024] = "";
	char path[64];
	const char *p;
	int ready[2];
	pid_t pid;
	FILE *f;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(ready[1], STDOUT_FILENO);
		(void)execlp("python3", "python3", "-c", guest, NULL);
		_exit(1);
	}
	(void)close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		skip(); /* no python3 */
	(void)close(ready[0]);
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	(void)fclose(f);
	p = strrchr(text, ')');
	for (unsigned int i = 0; i < 20; i++)
		p = strchr(p, ' ') + 1;
	assert_int_equal(sscanf(p, "%llu", ticks), 1);
	return pid;
}

static void
end_guest(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

/* What it says in the end, as new text. */
static char *
run_program(const char *arguments, const char *stdin_from)
{
	auto_free char *command = xasprintf(
		"%s src/qmpin-migrate %s 2>&1 | tail -n1", stdin_from, arguments);
	char line[256] = "";
	FILE *f = popen(command, "r");

	assert_non_null(f);
	(void)!fgets(line, sizeof(line), f);
	(void)pclose(f);
	return xstrdup(line);
}

static void
the_program_says_how_it_went(void **state)
{
	unsigned long long ticks;
	pid_t pid = new_guest(&ticks);
	auto_free char *good = xasprintf("%d %llu 0 1000", (int)pid, ticks);
	auto_free char *other = xasprintf("%d %llu 0 1000", (int)pid, ticks + 1);
	auto_free char *done = NULL;
	auto_free char *stale = NULL;
	char silence[16];
	int ends[2]; /* a parent that lives and says nothing */

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[1], F_SETFD, FD_CLOEXEC), 0);
	(void)snprintf(silence, sizeof(silence), "<&%d", ends[0]);
	done = run_program(good, silence);
	stale = run_program(other, silence);
	close(ends[0]);
	close(ends[1]);
	end_guest(pid);
	if (strstr(done, "not permitted") == NULL)
		assert_string_equal(done, "done 0 0\n");
	assert_string_equal(stale, "failed the VM has ended\n");
}

static void
the_program_ends_with_its_parent(void **state)
{
	unsigned long long ticks;
	pid_t pid = new_guest(&ticks);
	auto_free char *good = xasprintf("%d %llu 0 1", (int)pid, ticks);
	auto_free char *said = run_program(good, "</dev/null");

	(void)state;
	end_guest(pid);
	if (strstr(said, "not permitted") == NULL)
		assert_string_equal(said, "failed stopped\n");
}

static void
wrong_arguments_are_refused(void **state)
{
	static const char *const wrong[] = {"", "1", "0 1 0 1", "x 1 0 1", "1 1 x 1",
		"1 1 '' 1", "1 1 0 0", "1 1 0 1 1", "99999999999 1 0 1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		auto_free char *said = run_program(wrong[i], "</dev/null");

		if (strstr(said, "memory = migrate") == NULL)
			fail_msg("\"%s\": %s", wrong[i], said);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guest_memory_is_found_among_mappings),
		cmocka_unit_test(damaged_mappings_are_refused),
		cmocka_unit_test(what_is_there_already_is_not_touched),
		cmocka_unit_test(
			a_node_that_is_not_there_is_an_error_and_moves_nothing),
		cmocka_unit_test(a_process_that_has_ended_is_told),
		cmocka_unit_test(the_program_says_how_it_went),
		cmocka_unit_test(the_program_ends_with_its_parent),
		cmocka_unit_test(wrong_arguments_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

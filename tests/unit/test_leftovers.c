// SPDX-License-Identifier: MIT
/* Which records are swept away at the start of a daemon, and which are not. */
#include "config.h"

#include "daemon/leftovers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "act/record.h"
#include "base/xalloc.h"
#include "procs.h"
#include "vm/task.h"

struct folder {
	char *path;
	int fd;
	int procfd;
	struct procs_child live;
};

static int
setup(void **state)
{
	static const char *const names[] = {"qemu"};
	struct folder *f = xcalloc(1, sizeof(*f));

	f->path = procs_make_dir();
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->procfd = procs_open_proc();
	f->live = procs_spawn(names, 1);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct folder *f = *state;

	procs_reap(&f->live);
	close(f->fd);
	close(f->procfd);
	procs_remove_dir(f->path);
	free(f);
	return 0;
}

static uint64_t
start_ticks_of(const struct folder *f, pid_t pid)
{
	struct task_stat stat;

	assert_int_equal(task_stat_read(f->procfd, pid, pid, &stat), 0);
	return stat.start_ticks;
}

static void
save(const struct folder *f, const char *id, pid_t pid, uint64_t start_ticks)
{
	struct record r = {.pid = pid, .start_ticks = start_ticks};
	struct cpuset cpus = cpuset_of(0);
	struct err e = ERR_NONE;

	(void)snprintf(r.id, sizeof(r.id), "%s", id);
	r.limit = cpus;
	record_add(&r, pid, start_ticks, &cpus);
	assert_int_equal(record_save(f->fd, &r, &e), 0);
	record_fini(&r);
}

static void
write_file(const struct folder *f, const char *name, const char *text)
{
	int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool
is_there(const struct folder *f, const char *name)
{
	return faccessat(f->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static unsigned int
sweep(const struct folder *f)
{
	return leftovers_sweep(f->procfd, f->fd);
}

static void
a_record_of_a_process_that_has_ended_is_removed(void **state)
{
	struct folder *f = *state;

	save(f, "100", f->live.pid, start_ticks_of(f, f->live.pid));
	save(f, "plain-qemu.1", f->live.pid, start_ticks_of(f, f->live.pid));
	procs_reap(&f->live);
	assert_int_equal(sweep(f), 2);
	assert_false(is_there(f, "100.json"));
	assert_false(is_there(f, "plain-qemu.1.json"));
}

static void
a_record_of_a_process_that_lives_is_kept(void **state)
{
	struct folder *f = *state;

	save(f, "100", f->live.pid, start_ticks_of(f, f->live.pid));
	assert_int_equal(sweep(f), 0);
	assert_true(is_there(f, "100.json"));
}

static void
a_record_whose_process_id_was_taken_again_is_removed(void **state)
{
	struct folder *f = *state;

	save(f, "100", f->live.pid, start_ticks_of(f, f->live.pid) - 1);
	assert_int_equal(sweep(f), 1);
	assert_false(is_there(f, "100.json"));
}

static void
a_record_of_another_boot_is_removed_whoever_has_the_process_id(void **state)
{
	struct record r = {.id = "100"};
	struct folder *f = *state;
	char *text;

	r.pid = f->live.pid;
	r.start_ticks = start_ticks_of(f, f->live.pid);
	r.limit = cpuset_of(0);
	record_add(&r, r.pid, r.start_ticks, &r.limit);
	text = record_format(&r, "00112233445566778899aabbccddeeff");
	write_file(f, "100.json", text);
	assert_int_equal(sweep(f), 1);
	assert_false(is_there(f, "100.json"));
	free(text);
	record_fini(&r);
}

static void
files_that_are_no_records_stay(void **state)
{
	static const char *const names[] = {"io.qmpin", "notes.txt", "json", ".json",
		"100.json.bak", "100.json~", ".100.tmp", "a b.json"};
	struct folder *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		write_file(f, names[i], "x");
	assert_int_equal(sweep(f), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!is_there(f, names[i]))
			fail_msg("%s is gone", names[i]);
	}
}

static void
a_record_that_cannot_be_read_stays(void **state)
{
	struct folder *f = *state;

	write_file(f, "100.json", "{\"version\":1");
	save(f, "101", f->live.pid, 1);
	assert_int_equal(fchmodat(f->fd, "101.json", 0666, 0), 0);
	assert_int_equal(symlinkat("101.json", f->fd, "102.json"), 0);
	assert_int_equal(mkdirat(f->fd, "103.json", 0700), 0);
	assert_int_equal(sweep(f), 0);
	assert_true(is_there(f, "100.json"));
	assert_true(is_there(f, "101.json"));
	assert_true(is_there(f, "102.json"));
	assert_true(is_there(f, "103.json"));
}

static void
sweeping_twice_finds_everything_again(void **state)
{
	struct folder *f = *state;

	save(f, "100", f->live.pid, 1);
	assert_int_equal(sweep(f), 1);
	save(f, "101", f->live.pid, 1);
	assert_int_equal(sweep(f), 1);
	assert_int_equal(sweep(f), 0);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_record_of_a_process_that_has_ended_is_removed),
		IN_FOLDER(a_record_of_a_process_that_lives_is_kept),
		IN_FOLDER(a_record_whose_process_id_was_taken_again_is_removed),
		IN_FOLDER(
			a_record_of_another_boot_is_removed_whoever_has_the_process_id),
		IN_FOLDER(files_that_are_no_records_stay),
		IN_FOLDER(a_record_that_cannot_be_read_stays),
		IN_FOLDER(sweeping_twice_finds_everything_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Records of masks as files in a real directory: ours, damaged, and laid out as traps.
 */
#include "config.h"

#include "act/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "procs.h"
#include "record103.h"

static void
a_full_record_takes_no_more_and_can_be_saved(void **state)
{
	char *dir = procs_make_dir();
	auto_close int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct record r = {.id = "103", .pid = 1, .limit = cpus("0")};
	struct record back;

	(void)state;
	for (unsigned int i = 1; i <= RECORD_THREADS_MAX; i++)
		assert_true(record103_add(
			&r, (pid_t)i, UINT64_C(1) << 62, "0-383,512-767"));
	assert_false(record103_add(&r, 1 << 30, 7, "0"));
	assert_int_equal(record_save(dirfd, &r, NULL), 0);
	assert_int_equal(record_load(dirfd, "103", &back, NULL), 0);
	assert_int_equal(back.n_threads, RECORD_THREADS_MAX);
	record_fini(&back);
	record_fini(&r);
	procs_remove_dir(dir);
}

struct fixture {
	char *dir;
	char *path;
	int dirfd;
	struct record r;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->dir = procs_make_dir();
	f->path = xasprintf("%s/103.json", f->dir);
	f->dirfd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->r = record103_new();
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	record_fini(&f->r);
	close(f->dirfd);
	procs_remove_dir(f->dir);
	free(f->path);
	free(f);
	return 0;
}

static void
save(const struct fixture *f)
{
	struct err e = ERR_NONE;

	if (record_save(f->dirfd, &f->r, &e) != 0)
		fail_msg("%s: %s", e.source, e.text);
}

static void
expect_load(const struct fixture *f, int want, const char *part)
{
	size_t fds = procs_count_fds();
	struct err e = ERR_NONE;
	struct record r;
	int ret = record_load(f->dirfd, "103", &r, &e);

	if (ret != want || strstr(e.text, part) == NULL)
		fail_msg("%d, not %d: \"%s\", not \"%s\"", ret, want, e.text, part);
	if (ret == 0) {
		record103_expect(&r);
		record_fini(&r);
	} else if (ret != -ENOENT) {
		assert_string_equal(e.source, "103.json");
	}
	assert_int_equal(procs_count_fds(), fds);
}

static void
put_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, 0600), 0);
}

static void
a_saved_record_is_loaded_again(void **state)
{
	const struct fixture *f = *state;
	struct stat st;

	expect_load(f, -ENOENT, "");
	save(f);
	expect_load(f, 0, "");
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	save(f);
	expect_load(f, 0, "");
	record_remove(f->dirfd, "103");
	expect_load(f, -ENOENT, "");
	record_remove(f->dirfd, "103");
}

static void
saving_replaces_the_file_and_leaves_nothing_else(void **state)
{
	const struct fixture *f = *state;
	auto_free char *temp = xasprintf("%s/.103.tmp", f->dir);
	struct stat first;
	struct stat second;

	save(f);
	assert_int_equal(stat(f->path, &first), 0);
	/* left behind by a crash, or laid out as a trap */
	assert_int_equal(symlink(f->path, temp), 0);
	save(f);
	assert_int_equal(stat(f->path, &second), 0);
	assert_true(first.st_ino != second.st_ino);
	assert_int_equal(lstat(temp, &first), -1);
	expect_load(f, 0, "");
}

static void
a_save_that_fails_leaves_the_old_record(void **state)
{
	struct fixture *f = *state;
	auto_free char *temp = xasprintf("%s/.103.tmp", f->dir);
	struct rlimit full = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
	struct err e = ERR_NONE;
	struct rlimit old;
	struct stat st;
	int r;

	save(f);
	f->r.placed = false;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	full.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	r = record_save(f->dirfd, &f->r, &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(r, -EFBIG);
	assert_non_null(strstr(e.text, "cannot write the file"));
	assert_int_equal(lstat(temp, &st), -1);
	expect_load(f, 0, "");
	/* a directory in the way */
	unlink(f->path);
	assert_int_equal(mkdir(f->path, 0700), 0);
	err_clear(&e);
	assert_int_equal(record_save(f->dirfd, &f->r, &e), -EISDIR);
	assert_int_equal(lstat(temp, &st), -1);
	rmdir(f->path);
}

static void
only_our_own_private_file_is_read(void **state)
{
	const struct fixture *f = *state;
	auto_free char *other = xasprintf("%s/other", f->dir);

	save(f);
	assert_int_equal(chmod(f->path, 0620), 0);
	expect_load(f, -EPERM, "others may write it (mode 0620)");
	assert_int_equal(chmod(f->path, 0602), 0);
	expect_load(f, -EPERM, "others may write it (mode 0602)");
	assert_int_equal(chmod(f->path, 0644), 0);
	expect_load(f, 0, "");
	if (geteuid() == 0) {
		assert_int_equal(chown(f->path, 12345, (gid_t)-1), 0);
		expect_load(f, -EPERM, "belongs to uid 12345");
		assert_int_equal(chown(f->path, 0, (gid_t)-1), 0);
	}
	assert_int_equal(rename(f->path, other), 0);
	assert_int_equal(symlink("other", f->path), 0);
	expect_load(f, -ELOOP, "cannot open");
	unlink(f->path);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	expect_load(f, -EINVAL, "not a regular file");
	unlink(f->path);
	assert_int_equal(mkdir(f->path, 0700), 0);
	expect_load(f, -EINVAL, "not a regular file");
	rmdir(f->path);
}

static void
a_file_that_holds_no_record_of_this_vm_is_refused(void **state)
{
	const struct fixture *f = *state;
	auto_free char *moved = xasprintf("%s/104.json", f->dir);
	struct err e = ERR_NONE;
	struct record r;

	put_text(f->path, "");
	expect_load(f, -EINVAL, "not JSON");
	put_text(f->path, "{}");
	expect_load(f, -EINVAL, "\"version\" is missing");
	put_text(f->path, RECORD103_TEXT);
	expect_load(f, -ESTALE, "a record of another boot");
	put_text(f->path, "");
	assert_int_equal(truncate(f->path, 20000000), 0);
	expect_load(f, -E2BIG, "20000000 bytes, at most 16777216 are read");
	save(f);
	assert_int_equal(rename(f->path, moved), 0);
	assert_int_equal(record_load(f->dirfd, "104", &r, &e), -EINVAL);
	assert_string_equal(e.text, "the record of VM 103");
}

static void
an_id_that_is_no_file_name_is_not_saved(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_NONE;

	str_copy(f->r.id, sizeof(f->r.id), "../103");
	assert_int_equal(record_save(f->dirfd, &f->r, &e), -EINVAL);
	assert_string_equal(e.text, "no VM's id: \"../103\"");
}

/* 1000 VMs at once must not be felt: far from the limit even on a slow machine. */
static void
a_save_is_quick(void **state)
{
	struct fixture *f = *state;
	struct timespec a;
	struct timespec b;
	double us;
	double least_us = 1e9;

	for (pid_t tid = 4715; tid < 4725; tid++)
		record103_add(&f->r, tid, 4711, "0-7,64-71");
	for (unsigned int i = 0; i < 1000; i++) {
		clock_gettime(CLOCK_MONOTONIC, &a);
		save(f);
		clock_gettime(CLOCK_MONOTONIC, &b);
		us = (double)(b.tv_sec - a.tv_sec) * 1e6 +
		     (double)(b.tv_nsec - a.tv_nsec) / 1e3;
		least_us = us < least_us ? us : least_us;
	}
	print_message(
		"a record of %zu threads: %.0f us to save\n", f->r.n_threads, least_us);
	assert_true(least_us < 20000);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_record_takes_no_more_and_can_be_saved),
		WITH_DIR(a_saved_record_is_loaded_again),
		WITH_DIR(saving_replaces_the_file_and_leaves_nothing_else),
		WITH_DIR(a_save_that_fails_leaves_the_old_record),
		WITH_DIR(only_our_own_private_file_is_read),
		WITH_DIR(a_file_that_holds_no_record_of_this_vm_is_refused),
		WITH_DIR(an_id_that_is_no_file_name_is_not_saved),
		WITH_DIR(a_save_is_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

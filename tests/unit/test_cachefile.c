// SPDX-License-Identifier: MIT
/* Measurements as files in a real directory: ours, damaged, laid out as traps, on a
 * full disk. */
#include "config.h"

#include "probe/cachefile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "procs.h"

#define FINGERPRINT "00c0ffee12345678"
#define NAME "latency-" FINGERPRINT
#define TEMP ".latency.tmp"

struct fixture {
	char *dir;
	char *path;
	int dirfd;
	struct cache c;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	const struct cpuset cpus = cpuset_below(256);

	f->dir = procs_make_dir();
	f->path = xasprintf("%s/" NAME, f->dir);
	f->dirfd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	str_copy(f->c.fingerprint, sizeof(f->c.fingerprint), FINGERPRINT);
	f->c.matrix = matrix_new(&cpus);
	for (size_t i = 0; i < matrix_pairs(256); i++)
		f->c.matrix->cells[i] = (struct matrix_cell){100.25f, 4, 90};
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	cache_fini(&f->c);
	close(f->dirfd);
	procs_remove_dir(f->dir);
	free(f->path);
	free(f);
	return 0;
}

static unsigned int
count_entries(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

static void
save(const struct fixture *f)
{
	struct err e = ERR_NONE;

	if (cachefile_save(f->dirfd, &f->c, &e) != 0)
		fail_msg("%s: %s", e.source, e.text);
}

static void
expect_save(const struct fixture *f, int want, const char *part)
{
	size_t fds = procs_count_fds();
	struct err e = ERR_NONE;
	int r = cachefile_save(f->dirfd, &f->c, &e);

	if (r != want || strstr(e.text, part) == NULL)
		fail_msg("%d, not %d: \"%s\", not \"%s\"", r, want, e.text, part);
	assert_int_equal(procs_count_fds(), fds);
	assert_int_equal(faccessat(f->dirfd, TEMP, F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

/* Loaded with the time of measurement @measured_s, or refused. */
static void
expect_load(const struct fixture *f, int want, const char *part, uint64_t measured_s)
{
	size_t fds = procs_count_fds();
	struct cache c = {.measured_s = 999};
	struct err e = ERR_NONE;
	int r = cachefile_load(f->dirfd, NAME, &c, &e);

	if (r != want || strstr(e.text, part) == NULL)
		fail_msg("%d, not %d: \"%s\", not \"%s\"", r, want, e.text, part);
	assert_int_equal(procs_count_fds(), fds);
	if (r == 0) {
		assert_int_equal(c.measured_s, measured_s);
		assert_int_equal(c.matrix->n, 256);
		cache_fini(&c);
		return;
	}
	assert_string_equal(e.source, NAME);
	assert_int_equal(c.measured_s, 999);
	assert_null(c.matrix);
}

static void
a_saved_measurement_is_loaded_again(void **state)
{
	struct fixture *f = *state;
	struct stat first;
	struct stat second;

	expect_load(f, -ENOENT, "No such file", 0);
	save(f);
	expect_load(f, 0, "", 0);
	assert_int_equal(stat(f->path, &first), 0);
	assert_int_equal(first.st_mode & (mode_t)~0044, S_IFREG | 0600);
	f->c.measured_s = 7;
	save(f);
	expect_load(f, 0, "", 7);
	assert_int_equal(stat(f->path, &second), 0);
	assert_true(first.st_ino != second.st_ino);
	assert_int_equal(count_entries(f->dir), 1);
}

static void
what_a_killed_writer_left_is_removed(void **state)
{
	struct fixture *f = *state;
	auto_free char *temp = xasprintf("%s/" TEMP, f->dir);
	auto_free char *other = xasprintf("%s/other", f->dir);

	/* as a trap, too: what it points at is not written */
	assert_int_equal(symlink(other, temp), 0);
	save(f);
	assert_int_equal(access(other, F_OK), -1);
	assert_int_equal(count_entries(f->dir), 1);
	expect_load(f, 0, "", 0);
}

static void
only_one_writes_at_a_time(void **state)
{
	struct fixture *f = *state;
	auto_close int lock = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(flock(lock, LOCK_EX), 0);
	expect_save(f, -EBUSY, "another process is writing");
	assert_int_equal(count_entries(f->dir), 0);
	assert_int_equal(flock(lock, LOCK_UN), 0);
	save(f);
	save(f);
}

static void
without_a_fingerprint_nothing_is_saved(void **state)
{
	struct fixture *f = *state;

	f->c.fingerprint[0] = '\0';
	expect_save(f, -EINVAL, "without the fingerprint");
	str_copy(f->c.fingerprint, sizeof(f->c.fingerprint), "../../../../etc/x");
	expect_save(f, -EINVAL, "without the fingerprint");
	assert_int_equal(count_entries(f->dir), 0);
}

static void
a_save_that_fails_leaves_the_old_file_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct rlimit full = {.rlim_cur = 10000};
	struct rlimit old;

	f->c.measured_s = 7;
	save(f);
	f->c.measured_s = 8;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	full.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	expect_save(f, -EFBIG, "cannot be written");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(count_entries(f->dir), 1);
	expect_load(f, 0, "", 7);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(mkdir(f->path, 0700), 0);
	expect_save(f, -EISDIR, "cannot be replaced");
	assert_int_equal(rmdir(f->path), 0);
	assert_int_equal(count_entries(f->dir), 0);
}

static void
a_full_disk_is_left_as_it_was(void **state)
{
	struct fixture *f = *state;

	/* a namespace of our own: whatever happens, nobody else sees the mount */
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", f->dir, "tmpfs", 0, "size=64k") < 0)
		skip();
	close(f->dirfd);
	f->dirfd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	expect_save(f, -ENOSPC, "cannot be written: No space left");
	assert_int_equal(count_entries(f->dir), 0);
	assert_int_equal(
		mount("none", f->dir, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
	expect_save(f, -EROFS, "Read-only file system");
	assert_int_equal(umount2(f->dir, MNT_DETACH), 0);
}

static void
only_a_file_that_nobody_else_can_have_written_is_read(void **state)
{
	struct fixture *f = *state;
	auto_free char *other = xasprintf("%s/other", f->dir);

	save(f);
	assert_int_equal(chmod(f->path, 0620), 0);
	expect_load(f, -EPERM, "others may write it (mode 0620)", 0);
	assert_int_equal(chmod(f->path, 0602), 0);
	expect_load(f, -EPERM, "others may write it (mode 0602)", 0);
	assert_int_equal(chmod(f->path, 0644), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(f->path, 12345, (gid_t)-1), 0);
		expect_load(f, -EPERM, "belongs to uid 12345", 0);
		/* root's file is good for other users */
		assert_int_equal(chown(f->path, 0, (gid_t)-1), 0);
		assert_int_equal(chmod(f->dir, 0755), 0);
		assert_int_equal(seteuid(12345), 0);
		expect_load(f, 0, "", 0);
		assert_int_equal(seteuid(0), 0);
	}
	assert_int_equal(rename(f->path, other), 0);
	assert_int_equal(symlink("other", f->path), 0);
	expect_load(f, -ELOOP, "cannot be opened", 0);
	unlink(f->path);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	expect_load(f, -EINVAL, "not a regular file", 0);
	unlink(f->path);
	assert_int_equal(mkdir(f->path, 0700), 0);
	expect_load(f, -EINVAL, "not a regular file", 0);
	rmdir(f->path);
}

static void
a_damaged_or_huge_file_is_refused(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	int fd;

	save(f);
	assert_int_equal(stat(f->path, &st), 0);
	fd = open(f->path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "7", 1, st.st_size / 2), 1);
	expect_load(f, -EINVAL, "wrong checksum", 0);
	save(f);
	assert_int_equal(truncate(f->path, st.st_size - 1), 0);
	expect_load(f, -EINVAL, "wrong checksum", 0);
	assert_int_equal(truncate(f->path, 0), 0);
	expect_load(f, -EINVAL, "ends too early", 0);
	assert_int_equal(truncate(f->path, (off_t)CACHE_BYTES_MAX + 1), 0);
	expect_load(f, -EINVAL, "bytes, at most", 0);
	close(fd);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(a_saved_measurement_is_loaded_again),
		WITH_DIR(what_a_killed_writer_left_is_removed),
		WITH_DIR(only_one_writes_at_a_time),
		WITH_DIR(without_a_fingerprint_nothing_is_saved),
		WITH_DIR(a_save_that_fails_leaves_the_old_file_and_nothing_else),
		WITH_DIR(a_full_disk_is_left_as_it_was),
		WITH_DIR(only_a_file_that_nobody_else_can_have_written_is_read),
		WITH_DIR(a_damaged_or_huge_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

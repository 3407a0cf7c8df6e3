// SPDX-License-Identifier: MIT
/*
 * Files of measurements: replaced as a whole, read with suspicion. Not synced: a file
 * that a crash of the host has damaged fails its checksum and is measured anew, while
 * waiting for a slow disk would stop whoever saves.
 */
#include "config.h"

#include "probe/cachefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"
#include "base/xalloc.h"

/* One for the directory: writers lock it. */
#define TEMP_NAME ".latency.tmp"
#define NAME_MAX_BYTES 64u

static int
fail_errno(struct err *e, const char *name, const char *what)
{
	int r = errno != 0 ? -errno : -EIO;

	(void)err_set(e, r, name, 0, "%s: %s", what, strerror(-r));
	return r;
}

static int
check_file(int fd, const char *name, size_t *size, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail_errno(e, name, "cannot look at the file");
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, name, 0, "not a regular file");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(e, -EPERM, name, 0, "belongs to uid %u, not to us",
			(unsigned int)st.st_uid);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(e, -EPERM, name, 0, "others may write it (mode %04o)",
			(unsigned int)st.st_mode & 07777);
	if ((uintmax_t)st.st_size > CACHE_BYTES_MAX)
		return err_set(e, -EINVAL, name, 0, "%ju bytes, at most %u are read",
			(uintmax_t)st.st_size, CACHE_BYTES_MAX);
	*size = (size_t)st.st_size;
	return 0;
}

int
cachefile_load(int dirfd, const char *name, struct cache *out, struct err *e)
{
	auto_close int fd = openat(
		dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	auto_free char *text = NULL;
	size_t size = 0;
	ssize_t n;
	int r;

	if (fd < 0)
		return fail_errno(e, name, "cannot be opened");
	r = check_file(fd, name, &size, e);
	if (r < 0)
		return r;
	text = xcalloc(size + 1, 1);
	n = io_read_all(fd, text, size);
	if (n < 0)
		return fail_errno(e, name, "cannot be read");
	return cache_parse(text, (size_t)n, name, out, e);
}

/* Another writer is never waited for: it may have been stopped. Its lock ends with the
 * descriptor that is returned. */
static int
lock_directory(int dirfd, const char *name, struct err *e)
{
	auto_close int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fail_errno(e, name, "cannot open the directory");
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return take_fd(&fd);
	if (errno == EWOULDBLOCK)
		return err_set(e, -EBUSY, name, 0, "another process is writing it");
	return fail_errno(e, name, "cannot lock the directory");
}

static int
write_temp(int dirfd, const char *text, size_t len, const char *name, struct err *e)
{
	auto_close int fd = -1;

	/* of a writer that was killed; or laid out as a trap */
	if (unlinkat(dirfd, TEMP_NAME, 0) < 0 && errno != ENOENT)
		return fail_errno(e, TEMP_NAME, "cannot remove the old file");
	fd = openat(dirfd, TEMP_NAME,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail_errno(e, name, "cannot be created");
	if (io_write_all(fd, text, len) < 0 || close(take_fd(&fd)) < 0)
		return fail_errno(e, name, "cannot be written");
	return 0;
}

int
cachefile_save(int dirfd, const struct cache *c, struct err *e)
{
	auto_close int lock = -1;
	auto_free char *text = NULL;
	char name[NAME_MAX_BYTES];
	size_t len;
	int r;

	if (strlen(c->fingerprint) != sizeof(c->fingerprint) - 1 ||
		strchr(c->fingerprint, '/') != NULL)
		return err_set(e, -EINVAL, NULL, 0,
			"a measurement without the fingerprint of its host");
	cache_file_name(c->fingerprint, name, sizeof(name));
	text = cache_format(c, &len);
	lock = lock_directory(dirfd, name, e);
	if (lock < 0)
		return lock;
	r = write_temp(dirfd, text, len, name, e);
	if (r == 0 && renameat(dirfd, TEMP_NAME, dirfd, name) < 0)
		r = fail_errno(e, name, "cannot be replaced");
	if (r < 0)
		(void)unlinkat(dirfd, TEMP_NAME, 0);
	return r;
}

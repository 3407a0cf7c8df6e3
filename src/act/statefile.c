// SPDX-License-Identifier: MIT
/* Small private files of ours: replaced as a whole, read with suspicion. */
#include "config.h"

#include "act/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/xalloc.h"

static int
fail_errno(struct err *e, const char *name, const char *what)
{
	int r = -errno;

	return err_set(e, r, name, 0, "%s: %s", what, strerror(-r));
}

static int
write_temp(int dirfd, const char *temp, const char *text, size_t len, struct err *e)
{
	auto_close int fd = -1;

	/* one that was left behind by a crash */
	if (unlinkat(dirfd, temp, 0) < 0 && errno != ENOENT)
		return fail_errno(e, temp, "cannot remove the old file");
	fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		0600);
	if (fd < 0)
		return fail_errno(e, temp, "cannot create the file");
	if (io_write_all(fd, text, len) < 0 || close(take_fd(&fd)) < 0)
		return fail_errno(e, temp, "cannot write the file");
	return 0;
}

int
statefile_replace(int dirfd, const char *name, const char *temp, const char *text,
	size_t len, struct err *e)
{
	int r;

	r = write_temp(dirfd, temp, text, len, e);
	if (r == 0 && renameat(dirfd, temp, dirfd, name) < 0)
		r = fail_errno(e, name, "cannot replace the file");
	if (r < 0)
		(void)unlinkat(dirfd, temp, 0);
	return r;
}

static int
check_file(int fd, const char *name, size_t max, size_t *size, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail_errno(e, name, "cannot look at the file");
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, name, 0, "not a regular file");
	if (st.st_uid != geteuid())
		return err_set(e, -EPERM, name, 0, "belongs to uid %u, not to us",
			(unsigned int)st.st_uid);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(e, -EPERM, name, 0, "others may write it (mode %04o)",
			(unsigned int)st.st_mode & 07777);
	if ((uintmax_t)st.st_size > max)
		return err_set(e, -E2BIG, name, 0, "%ju bytes, at most %zu are read",
			(uintmax_t)st.st_size, max);
	*size = (size_t)st.st_size;
	return 0;
}

int
statefile_read(int dirfd, const char *name, size_t max, char **text, size_t *len,
	struct err *e)
{
	auto_free char *buf = NULL;
	auto_close int fd = -1;
	size_t size = 0;
	ssize_t n;
	int r;

	fd = openat(
		dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT
				       : fail_errno(e, name, "cannot open the file");
	r = check_file(fd, name, max, &size, e);
	if (r < 0)
		return r;
	buf = xcalloc(size + 1, 1);
	n = io_read_all(fd, buf, size);
	if (n < 0)
		return fail_errno(e, name, "cannot read the file");
	*text = take_ptr(&buf);
	*len = (size_t)n;
	return 0;
}

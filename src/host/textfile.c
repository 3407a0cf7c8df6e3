// SPDX-License-Identifier: MIT
/*
 * Files read as text, in bounded time and space: nothing blocks on a FIFO, nothing
 * grows beyond the cap. What the text means is the business of others.
 */
#include "config.h"

#include "host/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"

static int
open_regular(int dirfd, const char *path, struct err *e)
{
	auto_close int fd =
		openat(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(
			e, -errno, path, 0, "cannot be opened: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, path, 0, "not a regular file");
	return take_fd(&fd);
}

int
textfile_read_at(int dirfd, const char *path, size_t cap, char **text, struct err *e)
{
	struct strbuf buf = {0};
	auto_close int fd = open_regular(dirfd, path, e);
	char chunk[4096];
	ssize_t n;

	if (fd < 0)
		return fd;
	/* st_size says nothing in sysfs and can change: count what comes */
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		int r = n < 0 ? -errno : 0;

		if (r == -EINTR)
			continue;
		if (r < 0)
			(void)err_set(
				e, r, path, 0, "cannot be read: %s", strerror(-r));
		else if (buf.len + (size_t)n > cap)
			r = err_set(e, -ERANGE, path, 0, "more than %zu bytes", cap);
		if (r < 0) {
			strbuf_fini(&buf);
			return r;
		}
		strbuf_add(&buf, chunk, (size_t)n);
	}
	*text = strbuf_take(&buf);
	buf.len = strlen(*text);
	while (buf.len > 0 && strchr(" \t\r\n", (*text)[buf.len - 1]) != NULL)
		(*text)[--buf.len] = '\0';
	return 0;
}

int
textfile_read(const char *path, size_t cap, char **text, struct err *e)
{
	return textfile_read_at(AT_FDCWD, path, cap, text, e);
}

char *
textfile_below(const char *root, const char *name, size_t cap)
{
	auto_free char *path = xasprintf("%s/%s", root, name);
	char *text = NULL;

	return textfile_read(path, cap, &text, NULL) == 0 ? text : NULL;
}

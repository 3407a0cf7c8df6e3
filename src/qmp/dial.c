// SPDX-License-Identifier: MIT
/*
 * Connecting to unix sockets. On those, connect() does not wait for accept(): it has
 * succeeded or failed when it returns, and EAGAIN means a full queue, not progress.
 */
#include "config.h"

#include "qmp/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"

/* A name for @path that fits; @dir is opened, and must stay open, for a long one. */
static int
make_address(const char *path, struct sockaddr_un *address, int *dir)
{
	const char *slash = strrchr(path, '/');
	auto_free char *parent = NULL;
	int n;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) < sizeof(address->sun_path)) {
		str_copy(address->sun_path, sizeof(address->sun_path), path);
		return 0;
	}
	if (slash == NULL)
		return -ENAMETOOLONG;
	parent = xmemdupz(path, (size_t)(slash - path) + 1);
	*dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dir < 0)
		return -errno;
	n = snprintf(address->sun_path, sizeof(address->sun_path),
		"/proc/self/fd/%d/%s", *dir, slash + 1);
	return n < (int)sizeof(address->sun_path) ? 0 : -ENAMETOOLONG;
}

int
dial_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* cppcheck-suppress resourceLeak ; the caller's */
	return fd < 0 ? -errno : fd;
}

static int
connect_to(int fd, const char *path, struct ucred *peer)
{
	socklen_t len = sizeof(*peer);
	struct sockaddr_un address;
	auto_close int dir = -1;
	int r;

	r = make_address(path, &address, &dir);
	if (r < 0)
		return r;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) < 0)
		return -errno;
	return 0;
}

int
dial_connect(int fd, const char *path, struct ucred *peer, struct err *e)
{
	struct ucred found;
	int r = connect_to(fd, path, &found);

	if (r == -EAGAIN)
		return err_set(e, r, path, 0, "other clients are being served");
	if (r == -ECONNREFUSED)
		return err_set(e, r, path, 0, "nobody listens on this socket");
	if (r < 0)
		return err_set(e, r, path, 0, "cannot connect: %s", strerror(-r));
	*peer = found;
	return 0;
}

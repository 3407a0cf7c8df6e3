// SPDX-License-Identifier: MIT
/*
 * Listening sockets in the run directory. Invariant: a file is removed only under the
 * lock and only when whoever listened on it has ended.
 */
#include "config.h"

#include "ctl/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/pidfd.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/address.h"

#define LOCK_FILE "io.qmpin.lock"

/* Clients the kernel keeps until we accept: all the caps allow, in one burst. */
#define BACKLOG 256

int
listen_lock(const struct listen_place *place, struct err *e)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	auto_close int fd = openat(place->dirfd, LOCK_FILE,
		O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd < 0)
		return err_set(e, -errno, place->dir, 0, "cannot open %s: %s",
			LOCK_FILE, strerror(errno));
	if (fcntl(fd, F_OFD_SETLK, &whole) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			return err_set(e, -EADDRINUSE, place->dir, 0,
				"another qmpind is starting here");
		return err_set(e, -errno, place->dir, 0, "cannot lock %s: %s",
			LOCK_FILE, strerror(errno));
	}
	return take_fd(&fd);
}

/* A daemon that was killed is outlived for a moment by the sockets in a fork of it that
 * was about to become another program.
 */
static bool
has_listener_ended(int fd)
{
	struct ucred listener = {.pid = 0};
	socklen_t size = sizeof(listener);
	auto_close int pidfd = -1;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &size) < 0 ||
		listener.pid == 0) /* of another pid namespace */
		return false;
	pidfd = pidfd_of(listener.pid);
	return pidfd < 0 ? pidfd == -ESRCH : pidfd_has_ended(pidfd);
}

/* 0: nobody listens; -EADDRINUSE: somebody does; or why that is unknown. */
static int
probe(const struct sockaddr_un *address)
{
	auto_close int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return has_listener_ended(fd) ? 0 : -EADDRINUSE;
	if (errno == ECONNREFUSED)
		return 0;
	/* EAGAIN: its queue is full. EPROTOTYPE: of another type, yet alive. */
	return errno == EAGAIN || errno == EPROTOTYPE ? -EADDRINUSE : -errno;
}

/* Make room for a socket of ours: only a socket that nobody serves may go. */
static int
remove_stale(const struct listen_place *place, const char *name,
	const struct sockaddr_un *address, struct err *e)
{
	struct stat st;
	int r;

	if (fstatat(place->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, -EADDRINUSE, place->dir, 0,
			"%s is in the way and not a socket: remove it", name);
	r = probe(address);
	if (r == -EADDRINUSE)
		return err_set(
			e, r, place->dir, 0, "another qmpind serves %s already", name);
	if (r < 0)
		return err_set(e, r, place->dir, 0, "cannot tell who serves %s: %s",
			name, strerror(-r));
	return unlinkat(place->dirfd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* Hand the file to those it is for. Nobody can connect before we listen. */
static int
admit(const struct listen_place *place, const char *name, mode_t mode, gid_t gid)
{
	if (gid != (gid_t)-1 &&
		fchownat(place->dirfd, name, (uid_t)-1, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (fchmodat(place->dirfd, name, mode, 0) < 0)
		return -errno;
	return 0;
}

int
listen_open(const struct listen_place *place, const char *name, mode_t mode, gid_t gid,
	struct listen_socket *out, struct err *e)
{
	struct listen_socket s = {.fd = -1};
	struct sockaddr_un address;
	struct stat st = {0};
	auto_close int fd = -1;
	int r;

	r = address_fill(place->dirfd, place->dir, name, &address);
	if (r == 0)
		r = remove_stale(place, name, &address, e);
	if (r < 0)
		return err_set(
			e, r, place->dir, 0, "cannot make %s: %s", name, strerror(-r));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set(e, -errno, place->dir, 0, "cannot bind %s: %s", name,
			strerror(errno));
	r = admit(place, name, mode, gid);
	if (r == 0 && fstatat(place->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	if (r == 0 && listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(place->dirfd, name, 0);
		return err_set(e, r, place->dir, 0, "cannot open %s to its clients: %s",
			name, strerror(-r));
	}
	str_copy(s.name, sizeof(s.name), name);
	s.dev = st.st_dev;
	s.ino = st.st_ino;
	s.fd = take_fd(&fd);
	*out = s;
	return 0;
}

void
listen_close(const struct listen_place *place, struct listen_socket *s)
{
	struct stat st;

	if (s->fd < 0)
		return;
	if (fstatat(place->dirfd, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		st.st_dev == s->dev && st.st_ino == s->ino)
		(void)unlinkat(place->dirfd, s->name, 0);
	close(s->fd);
	s->fd = -1;
}

// SPDX-License-Identifier: MIT
/*
 * QEMU's sockets found among its descriptors, and duplicated.
 *
 * A number may be reused by the process while it is looked at, so /proc only says which
 * numbers are worth a look: all that counts is asked of the duplicate itself. Nothing
 * but sockets is ever duplicated: closing a duplicate of a file or device may have
 * effects there. Nothing here waits.
 */
#include "config.h"

#include "qmp/listener.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/pidfd.h"
#include "base/str.h"
#include "base/xalloc.h"

/* A look takes 2-3 us a descriptor. QEMU has about 60, with many queues some hundred.
 */
#define DESCRIPTORS_MAX 4096u
/* No queue is longer than net.core.somaxconn, and that is 4096 unless it was raised. */
#define DISMISSED_MAX 65536u

/* Of a bound socket. A path may fill all of sun_path; the kernel then counts the NUL
 * behind it, which has room here. */
struct socket_name {
	socklen_t len;
	union {
		struct sockaddr_un un;
		char bytes[sizeof(struct sockaddr_un) + 1];
	};
};

/* Look at a duplicate of a socket. Returns true when no other is wanted; a descriptor
 * that is kept is taken out of @fd. */
typedef bool socket_handler(void *owner, int *fd);

struct walk {
	const struct listener_process *process;
	const char *source; /* for @e */
	struct err *e;
	int dir; /* PID/fd */
	socket_handler *on_socket;
	void *owner;
	unsigned int looked_at;
	bool done;
};

/* Both calls by number: glibc 2.36 and later have a wrapper for the first only. */
static int
duplicate(int pidfd, int target)
{
	return (int)syscall(SYS_pidfd_getfd, pidfd, target, 0);
}

static int
open_inside(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT,
	};

	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/* What @err from the kernel means when one looks @at something of the process. */
static int
explain(const struct walk *w, int err, const char *at)
{
	int pid = (int)w->process->pid;

	if (err == ESRCH || pidfd_has_ended(w->process->pidfd))
		return err_set(w->e, -ESRCH, w->source, 0, "process %d ended", pid);
	if (err == ENOENT)
		return err_set(w->e, -EPERM, w->source, 0,
			"process %d is hidden in /proc", pid);
	if (err == EPERM || err == EACCES)
		return err_set(w->e, -EPERM, w->source, 0,
			"%s of process %d: not permitted (without CAP_SYS_PTRACE, or by a security policy)",
			at, pid);
	return err_set(w->e, -err, w->source, 0, "%s of process %d: %s", at, pid,
		strerror(err));
}

/* A number that is closed meanwhile (ENOENT, EBADF) is passed over. */
static int
look_at(struct walk *w, const char *number)
{
	/* "socket:[4294967295]"; of longer ones the beginning is enough */
	char link[32] = "";
	auto_close int fd = -1;
	uint64_t target;

	if (str_parse_uint(number, INT_MAX, &target) < 0)
		return 0; /* "." and ".." */
	if (w->looked_at++ == DESCRIPTORS_MAX)
		return err_set(w->e, -E2BIG, w->source, 0,
			"process %d has more than %u descriptors", (int)w->process->pid,
			DESCRIPTORS_MAX);
	if (readlinkat(w->dir, number, link, sizeof(link) - 1) < 0)
		return errno == ENOENT ? 0 : explain(w, errno, "descriptors");
	if (!str_has_prefix(link, "socket:["))
		return 0;
	fd = duplicate(w->process->pidfd, (int)target);
	if (fd < 0)
		return errno == EBADF ? 0
				      : explain(w, errno, "a duplicate of a socket");
	w->done = w->on_socket(w->owner, &fd);
	return 0;
}

/* Show the sockets of the process to on_socket, in the order of their numbers. */
static int
walk_sockets(struct walk *w)
{
	_Alignas(struct dirent64) char buf[8192];
	auto_close int dir = -1;
	char path[32];
	ssize_t n;
	int r = 0;

	(void)snprintf(path, sizeof(path), "%d/fd", (int)w->process->pid);
	dir = openat(w->process->procfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return explain(w, errno, "descriptors");
	w->dir = dir;
	while (r == 0 && !w->done && (n = getdents64(dir, buf, sizeof(buf))) != 0) {
		if (n < 0)
			return explain(w, errno, "descriptors");
		for (ssize_t at = 0; r == 0 && !w->done && at < n;) {
			const struct dirent64 *d = (const void *)(buf + at);

			r = look_at(w, d->d_name);
			at += d->d_reclen;
		}
	}
	if (r == 0 && !w->done &&
		pidfd_has_ended(w->process->pidfd)) /* its list is empty then */
		return explain(w, ESRCH, "descriptors");
	return r;
}

static bool
has_option(int fd, int option, int value)
{
	socklen_t len = sizeof(value);
	int found;

	return getsockopt(fd, SOL_SOCKET, option, &found, &len) == 0 && found == value;
}

/* False for what has no path: other families, unnamed and abstract sockets. */
static bool
read_name(int fd, struct socket_name *name)
{
	*name = (struct socket_name){.len = sizeof(name->bytes)};
	return getsockname(fd, (struct sockaddr *)name->bytes, &name->len) == 0 &&
	       name->un.sun_family == AF_UNIX &&
	       name->len > offsetof(struct sockaddr_un, sun_path) &&
	       name->len <= sizeof(name->bytes) && name->un.sun_path[0] != '\0';
}

static bool
is_same_name(const struct socket_name *a, const struct socket_name *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static int
open_of_process(const struct listener_process *process, const char *what)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "%d/%s", (int)process->pid, what);
	return openat(process->procfd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/*
 * What a process means by a name: an absolute one is looked up below its root, symbolic
 * links too (where a filter of system calls forbids that, links lead where they lead
 * us); a relative one from where it is. One that does not lead anywhere there was bound
 * before the process left (qemu -chroot): what it means to us is tried then.
 */
static int
open_name(const struct listener_process *process, const char *name)
{
	auto_close int base = open_of_process(process, name[0] == '/' ? "root" : "cwd");
	int fd;

	if (base < 0)
		return -1;
	if (name[0] != '/')
		return openat(base, name, O_PATH | O_CLOEXEC);
	fd = open_inside(base, name);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM)) /* RestrictSUIDSGID= */
		fd = openat(base, name + 1, O_PATH | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		fd = open(name, O_PATH | O_CLOEXEC);
	return fd;
}

/* ---- the listening socket ---- */

struct search {
	const struct listener_process *process;
	struct stat file;
	int found;
	ino_t inode; /* of found */
	bool several;
};

static bool
is_listening_at(int fd, const struct search *s)
{
	struct socket_name name;
	auto_close int file = -1;
	struct stat st;

	if (!has_option(fd, SO_ACCEPTCONN, 1) || !has_option(fd, SO_DOMAIN, AF_UNIX) ||
		!has_option(fd, SO_TYPE, SOCK_STREAM) || !read_name(fd, &name))
		return false;
	file = open_name(s->process, name.un.sun_path);
	return file >= 0 && fstat(file, &st) == 0 && st.st_dev == s->file.st_dev &&
	       st.st_ino == s->file.st_ino;
}

static bool
on_candidate(void *owner, int *fd)
{
	struct search *s = owner;
	struct stat st;

	if (!is_listening_at(*fd, s) || fstat(*fd, &st) < 0)
		return false;
	if (s->found < 0) {
		s->found = take_fd(fd);
		s->inode = st.st_ino;
	} else if (st.st_ino != s->inode) { /* or else another number of the same */
		s->several = true;
	}
	return s->several;
}

int
listener_duplicate(const struct listener_process *process, const char *path, int *fd,
	struct err *e)
{
	struct search s = {.process = process, .found = -1};
	struct walk w = {
		.process = process,
		.source = path,
		.e = e,
		.on_socket = on_candidate,
		.owner = &s,
	};
	auto_close int found = -1;
	int pid = (int)process->pid;
	int r;

	if (stat(path, &s.file) < 0)
		return err_set(e, -errno, path, 0, "%s", strerror(errno));
	if (!S_ISSOCK(s.file.st_mode))
		return err_set(e, -ENOTSOCK, path, 0, "not a socket");
	r = walk_sockets(&w);
	found = s.found;
	if (r < 0)
		return r;
	if (s.several)
		return err_set(e, -ENOTUNIQ, path, 0,
			"process %d listens on several sockets of this name", pid);
	if (found < 0)
		return err_set(e, -ENOENT, path, 0,
			"process %d listens on no socket of this name", pid);
	*fd = take_fd(&found);
	return 0;
}

/* ---- queue and clients ---- */

bool
listener_has_waiter(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	/* with a hang-up there is always something to read: it was dismissed */
	while (poll(&p, 1, 0) < 0) {
		if (errno != EINTR)
			return false;
	}
	return (p.revents & POLLIN) != 0 && (p.revents & POLLHUP) == 0;
}

struct service {
	struct socket_name name;
	uint64_t inode;
};

/* One that has left is not being served: QEMU is stopped, or has not seen it yet. */
static bool
has_hung_up(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) != 0;
}

/* The name first: hardly a socket but a client's has it. */
static bool
on_possible_client(void *owner, int *fd)
{
	struct service *s = owner;
	struct sockaddr_un peer;
	socklen_t len = sizeof(peer);
	struct socket_name name;
	struct stat st;

	if (!read_name(*fd, &name) || !is_same_name(&name, &s->name))
		return false;
	if (getpeername(*fd, (struct sockaddr *)&peer, &len) < 0 || has_hung_up(*fd) ||
		!has_option(*fd, SO_TYPE, SOCK_STREAM) || fstat(*fd, &st) < 0)
		return false;
	s->inode = st.st_ino;
	return true;
}

int
listener_served(const struct listener_process *process, int listener, uint64_t *inode)
{
	struct service s = {0};
	struct walk w = {
		.process = process,
		.on_socket = on_possible_client,
		.owner = &s,
	};
	int r;

	if (!read_name(listener, &s.name))
		return -EINVAL;
	r = walk_sockets(&w);
	if (r < 0)
		return r;
	*inode = s.inode;
	return 0;
}

void
listener_dismiss(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || !has_option(fd, SO_ACCEPTCONN, 1))
		return;
	/* connect() is refused from here on, so that the queue only gets shorter; each
	 * accept() wakes those that wait for a place in it, to be refused too. */
	(void)shutdown(fd, SHUT_RDWR);
	(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	for (unsigned int i = 0; i < DISMISSED_MAX; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client < 0 && errno != EINTR && errno != ECONNABORTED)
			return;
		if (client >= 0)
			close(client);
	}
}

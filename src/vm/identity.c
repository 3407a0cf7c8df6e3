// SPDX-License-Identifier: MIT
/*
 * Who is behind a monitor socket, proven.
 *
 * The order is the proof: once the pidfd is open its process cannot be replaced unseen,
 * so a start time read from /proc while the pidfd is still alive afterwards is that
 * process's. Nothing here is kept when a step fails.
 */
#include "config.h"

#include "vm/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pidfd.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "vm/task.h"

/* "2147483647\n" and then some: more is no pidfile. */
#define PIDFILE_MAX 32u

static int
fail_errno(struct err *e, const char *path, const char *what)
{
	int r = -errno;

	return err_set(e, r, path, 0, "%s: %s", what, strerror(-r));
}

int
identity_parse_pidfile(const char *text, size_t len, pid_t *out)
{
	char digits[PIDFILE_MAX + 1];
	uint64_t pid;

	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len >= sizeof(digits) || memchr(text, '\0', len) != NULL)
		return -EINVAL;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (str_parse_uint(digits, INT_MAX, &pid) < 0 || pid == 0)
		return -EINVAL;
	*out = (pid_t)pid;
	return 0;
}

/* The text, at most @size bytes of it; returns how many or a negative errno. */
static ssize_t
read_text(const char *path, char *text, size_t size, struct err *e)
{
	auto_close int fd = -1;
	struct stat st;
	ssize_t n;

	/* O_NONBLOCK: a fifo under that name must not hold us */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fail_errno(e, path, "cannot open the pidfile");
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(
			e, -EINVAL, path, 0, "the pidfile is not a regular file");
	n = read(fd, text, size);
	if (n < 0)
		return fail_errno(e, path, "cannot read the pidfile");
	return n;
}

static int
read_pidfile(const char *path, pid_t *out, struct err *e)
{
	char text[PIDFILE_MAX + 1]; /* one more, to see that there is more */
	ssize_t n;

	n = read_text(path, text, sizeof(text), e);
	if (n < 0)
		return (int)n;
	if (n == 0) /* QEMU makes the file first and writes it later */
		return err_set(e, -EINVAL, path, 0, "the pidfile is empty");
	if (n > (ssize_t)PIDFILE_MAX)
		return err_set(e, -EINVAL, path, 0, "too long for a pidfile");
	if (identity_parse_pidfile(text, (size_t)n, out) < 0)
		return err_set(e, -EINVAL, path, 0, "holds no process id: \"%.*s\"",
			(int)n, text);
	return 0;
}

/* Only root and the peer itself may have put the socket there. */
static int
check_socket(const char *path, const struct ucred *peer, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) < 0) {
		if (errno == ENOENT) /* -ENOENT speaks of pidfiles */
			return err_set(
				e, -ESTALE, path, 0, "the monitor socket is gone");
		return fail_errno(e, path, "cannot look at the monitor socket");
	}
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, -ENOTSOCK, path, 0, "not a socket");
	if (st.st_uid != 0 && st.st_uid != peer->uid)
		return err_set(e, -EPERM, path, 0,
			"the socket belongs to uid %u, its peer %d runs as uid %u",
			(unsigned int)st.st_uid, (int)peer->pid,
			(unsigned int)peer->uid);
	return 0;
}

/* The pid that pidfile and peer agree on. */
static int
agree_on_pid(
	const char *pid_path, int need_pidfile, const struct ucred *peer, struct err *e)
{
	struct stat st;
	pid_t pid;
	int r;

	if (!need_pidfile && lstat(pid_path, &st) < 0 && errno == ENOENT)
		return 0;
	r = read_pidfile(pid_path, &pid, e);
	if (r < 0)
		return r;
	if (pid != peer->pid)
		return err_set(e, -ESTALE, pid_path, 0,
			"names process %d, but process %d is behind the socket",
			(int)pid, (int)peer->pid);
	return 0;
}

/* pidfd first, then the start time, then the pidfd again: see the top of the file. */
static int
take_process(int procfd, pid_t pid, const char *source, struct vm_identity *out,
	struct err *e)
{
	auto_close int pidfd = -1;
	struct task_stat stat;
	int r;

	pidfd = pidfd_of(pid);
	if (pidfd < 0) {
		r = pidfd == -EINVAL || pidfd == -ENOENT ? -ESRCH : pidfd;
		return err_set(e, r, source, 0, "cannot watch process %d: %s", (int)pid,
			strerror(-r));
	}
	r = task_stat_read(procfd, pid, pid, &stat);
	if (r < 0)
		return err_set(e, r, source, 0,
			"cannot read the start time of process %d: %s", (int)pid,
			strerror(-r));
	if (pidfd_has_ended(pidfd))
		return err_set(e, -ESRCH, source, 0, "process %d has ended", (int)pid);
	out->pid = pid;
	out->start_ticks = stat.start_ticks;
	out->pidfd = take_fd(&pidfd);
	return 0;
}

int
identity_prove(int procfd, const char *socket_path, const char *pid_path,
	int need_pidfile, const struct ucred *peer, struct vm_identity *out,
	struct err *e)
{
	int r;

	if (peer->pid <= 0)
		return err_set(e, -ESRCH, socket_path, 0,
			"the peer is a process of another pid namespace");
	r = agree_on_pid(pid_path, need_pidfile, peer, e);
	if (r < 0)
		return r;
	r = check_socket(socket_path, peer, e);
	if (r < 0)
		return r;
	return take_process(procfd, peer->pid, socket_path, out, e);
}

int
identity_reopen(int procfd, pid_t pid, uint64_t start_ticks, const char *source,
	struct vm_identity *out, struct err *e)
{
	struct vm_identity found = {.pidfd = -1};
	int r = take_process(procfd, pid, source, &found, e);

	if (r < 0)
		return r;
	if (found.start_ticks != start_ticks) {
		identity_fini(&found);
		return err_set(e, -ESRCH, source, 0, "process %d is another one by now",
			(int)pid);
	}
	*out = found;
	return 0;
}

int
identity_of_process(int procfd, pid_t pid, struct vm_identity *out)
{
	return take_process(procfd, pid, NULL, out, NULL);
}

bool
identity_has_ended(const struct vm_identity *id)
{
	return pidfd_has_ended(id->pidfd);
}

int
identity_check_peer(int fd, const char *socket_path, struct err *e)
{
	struct pollfd p = {.fd = fd};

	/* a hang-up is told unasked */
	if (poll(&p, 1, 0) != 0)
		return err_set(e, -ECONNRESET, socket_path, 0,
			"the peer has closed the connection");
	return 0;
}

void
identity_fini(struct vm_identity *id)
{
	if (id->pid > 0)
		close(id->pidfd);
	*id = (struct vm_identity){.pidfd = -1};
}

// SPDX-License-Identifier: MIT
/*
 * The child process around hwloc. It keeps nothing of its parent but the pipe, and its
 * answer is taken as what comes from outside: capped, and whole or not at all.
 */
#include "config.h"

#include "host/hwchild.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"

/* Ahead of the bytes, in the pipe. */
struct answer {
	int r;
	struct err e;
	size_t len;
};

static void
write_all(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		p += n;
		len -= (size_t)n;
	}
}

static int
read_all(int fd, void *bytes, size_t len)
{
	char *p = bytes;

	while (len > 0) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Keep nothing of the parent but the pipe: not its handlers, whose descriptors mean
 * something else here, not its connections, which would stay open after it. */
static int
leave_parent(int fd)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(
		PR_SET_DUMPABLE, 0); /* a crash here is an answer, not a core file */
	(void)alarm(HWCHILD_SECONDS_MAX);
	sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
	if (dup2(fd, STDIN_FILENO) < 0)
		_exit(1);
	(void)close_range(STDERR_FILENO, ~0u, 0);
	(void)open("/dev/null", O_WRONLY | O_CLOEXEC); /* as stderr */
	return STDIN_FILENO;
}

static void __attribute__((noreturn)) child(hwchild_work *work, const void *arg, int fd)
{
	struct strbuf out = {0};
	struct answer a = {0};

	fd = leave_parent(fd);
	a.r = work(arg, &out, &a.e);
	a.len = a.r == 0 ? out.len : 0;
	write_all(fd, &a, sizeof(a));
	write_all(fd, strbuf_text(&out), a.len);
	_exit(0);
}

/* Why there is no whole answer. */
static int
explain(int status, const char *name, struct err *e)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		return err_set(e, -ETIME, name, 0, "hwloc needs more than %u seconds",
			HWCHILD_SECONDS_MAX);
	if (WIFSIGNALED(status))
		return err_set(e, -EINVAL, name, 0, "hwloc crashes on it (signal %d)",
			WTERMSIG(status));
	return err_set(e, -EINVAL, name, 0, "hwloc ends without an answer");
}

static int
read_answer(int fd, struct answer *a, size_t cap, struct strbuf *out)
{
	char chunk[16384];
	int r = read_all(fd, a, sizeof(*a));

	if (r == 0 && (a->r > 0 || a->len > cap))
		return -ERANGE;
	for (size_t left = r == 0 ? a->len : 0; r == 0 && left > 0;) {
		size_t n = left < sizeof(chunk) ? left : sizeof(chunk);

		r = read_all(fd, chunk, n);
		strbuf_add(out, chunk, r == 0 ? n : 0);
		left -= n;
	}
	return r;
}

static int
receive(int fd, pid_t pid, const char *name, size_t cap, struct strbuf *bytes,
	struct err *e)
{
	struct strbuf out = {0};
	struct answer a;
	int status = 0;
	int r = read_answer(fd, &a, cap, &out);

	/* a child that has more to say than we want to hear waits for us */
	if (r == -ERANGE)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (r == 0 && a.r == 0) {
		*bytes = out;
		return 0;
	}
	strbuf_fini(&out);
	if (r == -ERANGE)
		return err_set(e, r, name, 0, "the answer of hwloc is too long");
	if (r < 0)
		return explain(status, name, e);
	if (e != NULL && !err_is_set(e))
		*e = a.e;
	return a.r;
}

int
hwchild_run(hwchild_work *work, const void *arg, const char *name, size_t cap,
	struct strbuf *bytes, struct err *e)
{
	auto_close int from = -1;
	auto_close int to = -1;
	sigset_t all;
	sigset_t before;
	int fds[2];
	pid_t pid;
	int error;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, -errno, name, 0, "no pipe: %s", strerror(errno));
	from = fds[0];
	to = fds[1];
	/* no handler of ours may run in the child */
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	error = errno;
	if (pid == 0)
		child(work, arg, to);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return err_set(e, -error, name, 0, "no process: %s", strerror(error));
	(void)close(take_fd(&to));
	return receive(from, pid, name, cap, bytes, e);
}

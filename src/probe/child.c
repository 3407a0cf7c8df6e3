// SPDX-License-Identifier: MIT
/*
 * Fork, and a program of ours in it that keeps nothing of us but three descriptors.
 * Between the two only what a thread's fork permits is called. A program that cannot be
 * run tells so through a pipe that a success closes.
 */
#include "config.h"

#include "probe/child.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pidfd.h"
#include "base/xalloc.h"

#define CHILD_WORDS_MAX 12
/* To die takes a thread some CPU time, on the CPU it is bound to. */
#define STOP_MS 1000

/* The ends of three pipes; -1: none. */
struct pipes {
	int in[2];
	int out[2];
	int failure[2];
};

struct command {
	const char *words[CHILD_WORDS_MAX];
	char numbers[3][32];
};

static const char *
program(void)
{
	const char *other = getenv(CHILD_PROGRAM_ENV);

	return other != NULL && *other != '\0' ? other : PROBE_PROGRAM;
}

static void
fill_command(struct command *c, const struct child_options *o)
{
	size_t n = 0;
	/* the least that is written as more than nothing, which would be no end */
	double budget_s = o->budget_s > 0 ? fmax(o->budget_s, 0.001) : 0;

	*c = (struct command){0};
	(void)snprintf(c->numbers[0], sizeof(c->numbers[0]), "--cold=%.3f", o->cold_s);
	(void)snprintf(c->numbers[1], sizeof(c->numbers[1]), "--budget=%.3f", budget_s);
	(void)snprintf(
		c->numbers[2], sizeof(c->numbers[2]), "--cpus-pct=%u", o->cpus_pct);
	c->words[n++] = "qmpin-probe";
	for (size_t i = 0; i < ARRAY_LEN(c->numbers); i++)
		c->words[n++] = c->numbers[i];
	if (o->exhaustive)
		c->words[n++] = "--exhaustive";
	if (o->cpus != NULL) {
		c->words[n++] = "--cpus";
		c->words[n++] = o->cpus;
	}
}

static void
close_pair(int fds[2])
{
	for (unsigned int i = 0; i < 2; i++) {
		if (fds[i] >= 0)
			(void)close(take_fd(&fds[i]));
	}
}

static void
close_pipes(struct pipes *p)
{
	close_pair(p->in);
	close_pair(p->out);
	close_pair(p->failure);
}

static int
open_pipes(struct pipes *p)
{
	int r = 0;

	*p = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
	if (pipe2(p->in, O_CLOEXEC) < 0 || pipe2(p->out, O_CLOEXEC) < 0 ||
		pipe2(p->failure, O_CLOEXEC) < 0 ||
		fcntl(p->in[1], F_SETFL, O_NONBLOCK) < 0 ||
		fcntl(p->out[0], F_SETFL, O_NONBLOCK) < 0)
		r = -errno;
	if (r < 0)
		close_pipes(p);
	return r;
}

/* A descriptor above the standard streams, which are about to be replaced. */
static int
move_up(int fd)
{
	return fd <= STDERR_FILENO ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : fd;
}

static int
take_streams(struct pipes *p)
{
	int in = move_up(p->in[0]);
	int out = move_up(p->out[1]);

	p->failure[1] = move_up(p->failure[1]);
	if (in < 0 || out < 0 || p->failure[1] < 0)
		return -errno;
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		return -errno;
	return close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

/* Handlers of the parent go with the exec, what it ignores or blocks does not. */
static void
reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn))
become(const char *path, const char *const *words, struct pipes *p, pid_t parent)
{
	int r;

	reset_signals();
	/* what a terminal sends to its foreground, Ctrl-C, is for the parent: it says
	 * when to end, and has the last words */
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* it may have died before that */
	if (getppid() != parent)
		_exit(1);
	r = take_streams(p);
	if (r == 0) {
		(void)execv(path, (char *const *)(uintptr_t)words);
		r = -errno;
	}
	if (write(p->failure[1], &r, sizeof(r)) != (ssize_t)sizeof(r))
		_exit(1);
	_exit(1);
}

static void
reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* Why it could not become the program; 0: it has. */
static int
read_failure(int fd)
{
	int failure = 0;
	ssize_t n;

	do {
		n = read(fd, &failure, sizeof(failure));
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(failure) ? failure : 0;
}

/* All signals are blocked: no handler of ours may run in the child. */
static pid_t
fork_quietly(const char *path, const char *const *words, struct pipes *p)
{
	pid_t parent = getpid();
	sigset_t all;
	sigset_t before;
	pid_t pid;
	int error;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	error = errno;
	if (pid == 0)
		become(path, words, p, parent);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -error : pid;
}

static int
start(const char *path, const char *const *words, struct pipes *p, struct child *out)
{
	pid_t pid = fork_quietly(path, words, p);
	int pidfd;

	if (pid < 0)
		return pid;
	pidfd = pidfd_of(pid);
	if (pidfd < 0) {
		(void)kill(pid, SIGKILL);
		reap(pid);
		return pidfd;
	}
	*out = (struct child){.pid = pid,
		.pidfd = pidfd,
		.in = take_fd(&p->in[1]),
		.out = take_fd(&p->out[0]),
		.failure = take_fd(&p->failure[0])};
	return 0;
}

static int
launch(const char *path, const char *const *words, struct child *out)
{
	struct pipes p;
	int r = open_pipes(&p);

	if (r == 0) {
		r = start(path, words, &p, out);
		close_pipes(&p);
	}
	return r;
}

static int
fail(int r, struct err *e)
{
	return err_set(e, r, program(), 0, "cannot start the probe: %s", strerror(-r));
}

int
child_launch(const struct child_options *o, struct child *out, struct err *e)
{
	struct command c;
	int r;

	fill_command(&c, o);
	r = launch(program(), c.words, out);
	return r < 0 ? fail(r, e) : 0;
}

int
child_launch_program(
	const char *path, const char *const *words, struct child *out, struct err *e)
{
	int r = launch(path, words, out);

	return r < 0 ? err_set(e, r, path, 0, "cannot be started: %s", strerror(-r))
		     : 0;
}

int
child_failure(const struct child *c, struct err *e)
{
	int r = child_exec_error(c);

	return r < 0 ? fail(r, e) : 0;
}

int
child_exec_error(const struct child *c)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): -errno is below 0 */
	return read_failure(c->failure);
}

int
child_start(const struct child_options *o, struct child *out, struct err *e)
{
	struct child c;
	int r = child_launch(o, &c, e);

	if (r < 0)
		return r;
	r = child_failure(&c, e);
	if (r < 0)
		child_stop(&c);
	else
		*out = c;
	return r;
}

void
child_kill(struct child *c)
{
	if (c->pid <= 0)
		return;
	(void)kill(c->pid, SIGKILL);
	if (c->in >= 0)
		(void)close(take_fd(&c->in));
	if (c->out >= 0)
		(void)close(take_fd(&c->out));
}

static void
forget(struct child *c)
{
	(void)close(c->pidfd);
	(void)close(c->failure);
	*c = (struct child){.pidfd = -1, .in = -1, .out = -1, .failure = -1};
}

void
child_leave(struct child *c)
{
	if (c->pid <= 0)
		return;
	child_kill(c);
	(void)waitpid(c->pid, NULL, WNOHANG);
	forget(c);
}

void
child_stop(struct child *c)
{
	struct pollfd p = {.fd = c->pidfd, .events = POLLIN};

	if (c->pid <= 0)
		return;
	child_kill(c);
	if (poll(&p, 1, STOP_MS) != 0)
		reap(c->pid);
	forget(c);
}

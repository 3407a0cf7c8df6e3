// SPDX-License-Identifier: MIT
/*
 * The daemon's side of the guard: the child, its pipe, its rebirth. A guard that does
 * not answer is worth nothing, and is killed; one at a time is there, dead or alive.
 */
#include "config.h"

#include "qmp/guard.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pidfd.h"
#include "base/xalloc.h"
#include "qmp/backoff.h"
#include "qmp/guard_child.h"
#include "qmp/guard_wire.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* An echo comes within a millisecond. Two halves: when this process or all of them were
 * stopped, the first may have passed while nobody could answer. */
#define ECHO_HALF_MS 2500u
/* So long after the last echo a guard that holds something is asked again. */
#define PING_MS 30000u
/* The pipe takes hundreds of messages. When a thousand VMs are told at once on a busy
 * host, the guard gets so much time to make room, once: one that does not is dead. */
#define ROOM_MS 100u
#define PIPE_BYTES (1 << 20)
/* Back-off after guards that died younger than LONG_LIFE_MS: none, 1, 2, 4 ... 30 s. */
#define BACKOFF_MIN_MS 1000u
#define BACKOFF_MAX_MS 30000u
#define LONG_LIFE_MS 60000u
/* What guard_free() waits for the end, and then for that by SIGKILL. */
#define END_MS 1000

enum guard_state {
	GUARD_ABSENT, /* the timer starts the next one */
	GUARD_RUNNING,
	GUARD_ENDING, /* killed or dead, to be reaped */
};

struct guard {
	struct event_base *base;
	guard_handler *on_change;
	void *owner;
	enum guard_state state;
	bool told;   /* the state that the owner knows: alive */
	bool busy;   /* inside a callback of libevent */
	bool doomed; /* freed by its owner meanwhile */
	int pid;
	int pidfd; /* -1 when ABSENT */
	int pipe;  /* -1 when ABSENT */
	uint64_t born_us;
	unsigned int early_deaths; /* in a row */
	bool awaits_echo;
	bool said_more;	     /* since that which is to be echoed */
	unsigned int misses; /* halves of the time for an echo */
	struct event heard;
	struct event ended;
	struct event timer; /* RUNNING: echo or ping; ABSENT: birth */
	struct event change;
};

static void
set_timer(struct guard *g, uint64_t ms)
{
	const struct timeval tv = clock_timeval_ms(ms);

	(void)event_add(&g->timer, &tv);
}

static void on_pipe_readable(evutil_socket_t fd, short what, void *owner);
static void on_process_end(evutil_socket_t fd, short what, void *owner);

/* -- birth */

/* The pipe: ours waits, but not for long; see ROOM_MS. */
static int
open_pipe(int ends[2])
{
	const struct timeval patience = {.tv_usec = ROOM_MS * 1000};
	const int size = PIPE_BYTES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	(void)setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	(void)setsockopt(ends[1], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	(void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

/* Signals wait until the child has put off our handlers. */
static pid_t
fork_guard(int pipe)
{
	int daemon = pidfd_of(getpid());
	sigset_t all;
	sigset_t before;
	pid_t pid;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		guard_child_run(pipe, daemon);
	if (pid < 0)
		pid = -errno;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (daemon >= 0)
		close(daemon);
	return pid;
}

static int
start(struct guard *g)
{
	int ends[2];
	pid_t pid;
	int pidfd;
	int r;

	r = open_pipe(ends);
	if (r < 0)
		return r;
	pid = fork_guard(ends[1]);
	close(ends[1]);
	pidfd = pid > 0 ? pidfd_of(pid) : pid;
	if (pidfd < 0) {
		close(ends[0]);
		if (pid > 0) {
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, NULL, 0);
		}
		return pidfd;
	}
	g->state = GUARD_RUNNING;
	g->pid = pid;
	g->pidfd = pidfd;
	g->pipe = ends[0];
	g->born_us = clock_now_us(clock_system());
	g->awaits_echo = g->said_more = false;
	r = event_assign(
		&g->heard, g->base, g->pipe, EV_READ | EV_PERSIST, on_pipe_readable, g);
	r |= event_assign(&g->ended, g->base, g->pidfd, EV_READ, on_process_end, g);
	assert(r == 0);
	(void)event_add(&g->heard, NULL);
	(void)event_add(&g->ended, NULL);
	return 0;
}

/* The first one that dies early is replaced at once. */
static void
wait_for_birth(struct guard *g)
{
	if (g->early_deaths <= 1)
		set_timer(g, 0);
	else
		set_timer(g, backoff_ms(g->early_deaths - 1, BACKOFF_MIN_MS,
				     BACKOFF_MAX_MS, 0));
}

static void
try_birth(struct guard *g)
{
	if (start(g) == 0)
		return;
	g->early_deaths++;
	wait_for_birth(g);
}

/* -- death */

static void
close_pipe(struct guard *g)
{
	if (g->pipe >= 0)
		close(g->pipe);
	g->pipe = -1;
}

/* From now on nothing is told to it. Its end is seen at the pidfd; the owner learns
 * from the loop. The pipe lasts as long: where it ends the guard takes us for dead, and
 * reads the answers that we await. */
static void
lose(struct guard *g)
{
	if (g->state != GUARD_RUNNING)
		return;
	g->state = GUARD_ENDING;
	(void)event_del(&g->timer);
	(void)event_del(&g->heard);
	if (syscall(SYS_pidfd_send_signal, g->pidfd, SIGKILL, NULL, 0) < 0)
		close_pipe(g);
	event_active(&g->change, EV_TIMEOUT, 0);
}

/* Somebody else may have reaped it; all the same. */
static void
reap(struct guard *g)
{
	siginfo_t info;

	(void)event_del(&g->ended);
	(void)waitid((idtype_t)P_PIDFD, (id_t)g->pidfd, &info, WEXITED | WNOHANG);
	close_pipe(g);
	close(g->pidfd);
	g->pidfd = -1;
	g->pid = 0;
	g->state = GUARD_ABSENT;
}

static void
destroy(struct guard *g)
{
	struct pollfd end = {.fd = g->pidfd, .events = POLLIN};

	if (g->state == GUARD_RUNNING) {
		(void)event_del(&g->heard);
		close_pipe(g);
		if (poll(&end, 1, END_MS) != 1)
			(void)syscall(
				SYS_pidfd_send_signal, g->pidfd, SIGKILL, NULL, 0);
	}
	if (g->state != GUARD_ABSENT) {
		(void)poll(&end, 1, END_MS);
		reap(g);
	}
	(void)event_del(&g->timer);
	(void)event_del(&g->change);
	free(g);
}

/* -- what happens */

static void
enter(struct guard *g)
{
	g->busy = true;
}

static void
leave(struct guard *g)
{
	bool alive = guard_is_alive(g);

	if (!g->doomed && g->told != alive) {
		g->told = alive;
		g->on_change(g->owner, alive);
	}
	g->busy = false;
	if (g->doomed)
		destroy(g);
}

static void
take_echo(struct guard *g, const struct guard_wire_message *echo)
{
	g->awaits_echo = false;
	if (echo->n_sessions > 0 || g->said_more)
		set_timer(g, PING_MS);
	else
		(void)event_del(&g->timer);
}

static void
listen_to(struct guard *g)
{
	struct guard_wire_message m;
	int fds[GUARD_WIRE_FDS_MAX];
	int r;

	do {
		r = guard_wire_receive(g->pipe, &m, fds);
		if (r == 1)
			take_echo(g, &m);
	} while (r == 1);
	if (r != -EAGAIN)
		lose(g);
}

static void
on_pipe_readable(evutil_socket_t fd, short what, void *owner)
{
	struct guard *g = owner;

	(void)fd;
	(void)what;
	enter(g);
	listen_to(g);
	leave(g);
}

static void
on_process_end(evutil_socket_t fd, short what, void *owner)
{
	struct guard *g = owner;

	(void)fd;
	(void)what;
	enter(g);
	lose(g);
	if (clock_now_us(clock_system()) - g->born_us < LONG_LIFE_MS * UINT64_C(1000))
		g->early_deaths++;
	else
		g->early_deaths = 0;
	reap(g);
	wait_for_birth(g);
	leave(g);
}

/* leave() tells. */
static void
on_change_due(evutil_socket_t fd, short what, void *owner)
{
	struct guard *g = owner;

	(void)fd;
	(void)what;
	enter(g);
	leave(g);
}

/* -- what is said */

static int
tell(struct guard *g, struct guard_wire_message *m, const int *fds, size_t n_fds)
{
	int r;

	if (g->state != GUARD_RUNNING)
		return -ESRCH;
	m->wants_echo = !g->awaits_echo;
	r = guard_wire_send(g->pipe, m, fds, n_fds);
	assert(r != -EBADF);
	if (r < 0) {
		lose(g);
		return -ESRCH;
	}
	g->said_more = g->awaits_echo;
	if (!g->awaits_echo) {
		g->awaits_echo = true;
		g->misses = 0;
		set_timer(g, ECHO_HALF_MS);
	}
	return 0;
}

/* Read once more before giving up: when we were the ones who slept, the echo is here.
 */
static void
check_echo(struct guard *g)
{
	struct guard_wire_message ping = {.kind = GUARD_WIRE_PING};

	if (!g->awaits_echo) {
		(void)tell(g, &ping, NULL, 0);
		return;
	}
	listen_to(g);
	if (g->state != GUARD_RUNNING || !g->awaits_echo)
		return;
	if (g->misses++ == 0)
		set_timer(g, ECHO_HALF_MS);
	else
		lose(g);
}

static void
on_timer(evutil_socket_t fd, short what, void *owner)
{
	struct guard *g = owner;

	(void)fd;
	(void)what;
	enter(g);
	if (g->state == GUARD_RUNNING)
		check_echo(g);
	else if (g->state == GUARD_ABSENT)
		try_birth(g);
	leave(g);
}

/* -- interface */

struct guard *
guard_new(struct event_base *base, guard_handler *on_change, void *owner)
{
	struct guard *g = xcalloc(1, sizeof(*g));
	int r;

	g->base = base;
	g->on_change = on_change;
	g->owner = owner;
	g->pidfd = g->pipe = -1;
	r = event_assign(&g->timer, base, -1, 0, on_timer, g);
	r |= event_assign(&g->change, base, -1, 0, on_change_due, g);
	assert(r == 0);
	try_birth(g);
	g->told = guard_is_alive(g);
	return g;
}

bool
guard_is_alive(const struct guard *g)
{
	return g->state == GUARD_RUNNING;
}

int
guard_pid(const struct guard *g)
{
	return guard_is_alive(g) ? g->pid : 0;
}

int
guard_watch(struct guard *g, uint64_t key, int listener, int pidfd)
{
	struct guard_wire_message m = {.kind = GUARD_WIRE_WATCH, .key = key};
	const int fds[] = {listener, pidfd};

	assert(key != 0);
	return tell(g, &m, fds, ARRAY_LEN(fds));
}

int
guard_hold(struct guard *g, uint64_t key, int session, const struct guard_terms *terms)
{
	struct guard_wire_message m = {
		.kind = GUARD_WIRE_HOLD, .key = key, .terms = *terms};

	assert(key != 0);
	return tell(g, &m, &session, 1);
}

int
guard_renew(struct guard *g, uint64_t key, const struct guard_terms *terms)
{
	struct guard_wire_message m = {
		.kind = GUARD_WIRE_RENEW, .key = key, .terms = *terms};

	return tell(g, &m, NULL, 0);
}

void
guard_forget(struct guard *g, uint64_t key)
{
	struct guard_wire_message m = {.kind = GUARD_WIRE_FORGET, .key = key};

	(void)tell(g, &m, NULL, 0);
}

void
guard_free(struct guard *g)
{
	if (g == NULL)
		return;
	if (g->busy)
		g->doomed = true;
	else
		destroy(g);
}

// SPDX-License-Identifier: MIT
/*
 * The guard's loop, on epoll alone. All descriptors are copies, so that closing one
 * neither ends what it stands for nor takes it out of the epoll set: both are done by
 * hand. Where it cannot do its duty it ends: the daemon sees that, and holds nothing.
 */
#include "config.h"

#include "qmp/guard_child.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "qmp/accepted.h"
#include "qmp/ending.h"
#include "qmp/guard_process.h"
#include "qmp/guard_table.h"
#include "qmp/guard_wire.h"
#include "qmp/listener.h"

/* After so many messages the sessions have their turn. */
#define MESSAGES_PER_TURN 64

/*
 * A session is watched for its end only, edge-triggered: one that is not connected yet
 * hangs up all the time (EPOLLHUP), and connect() does not wake anybody. What tells the
 * end is EPOLLRDHUP with it.
 */
#define ENDED_EVENTS (EPOLLHUP | EPOLLRDHUP)
#define SESSION_EVENTS ((uint32_t)(EPOLLRDHUP | EPOLLET))

enum source_kind {
	SOURCE_NONE,
	SOURCE_PIPE,
	SOURCE_DAEMON,
	SOURCE_LISTENER,
	SOURCE_PROCESS,
	SOURCE_SESSION,
};

struct source {
	enum source_kind kind;
	void *object;
};

/* QEMU answers within a millisecond or two; one that has been silent twice as long as
 * this has answered, or hangs. */
#define HEAR_MS 10
#define HEARINGS_MAX 50
#define HEARD_MAX 256

struct child {
	int pipe;
	int epoll;
	int diag; /* of qmp/accepted.h; negative: cannot tell */
	struct guard_table table;
	struct source *sources; /* by descriptor */
	size_t n_sources;
};

static uint64_t
now_us(void)
{
	return clock_now_us(clock_system());
}

/* -- ending */

static bool
is_session(const struct child *c, size_t fd, bool asked)
{
	const struct guard_session *s = c->sources[fd].object;

	return c->sources[fd].kind == SOURCE_SESSION && s->terms.asked == asked;
}

static void
end_each(const struct child *c, bool asked)
{
	for (size_t i = 0; i < c->n_sources; i++) {
		if (is_session(c, i, asked))
			(void)ending_end((int)i);
	}
}

/* Everything at once. */
static void
end_all(const struct child *c)
{
	end_each(c, false);
	end_each(c, true);
}

/* Read what has come on one session; a flood is none of our business. */
static bool
hear_one(int fd)
{
	char bytes[4096];
	int n = 0;

	while (n < HEARD_MAX && recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		n++;
	return n > 0;
}

/* The same for all that asked. @any: there are some. True: something had come. */
static bool
hear_all(const struct child *c, bool *any)
{
	bool heard = false;

	*any = false;
	for (size_t i = 0; i < c->n_sources; i++) {
		if (!is_session(c, i, true))
			continue;
		*any = true;
		heard = hear_one((int)i) || heard;
	}
	return heard;
}

/* The daemon is dead. What it asked last is answered before others are served, or the
 * next client would get the answer. */
static void
end_all_in_order(const struct child *c)
{
	const struct timespec pause = {.tv_nsec = HEAR_MS * 1000000l};
	int silent = 0;
	bool any;

	end_each(c, false);
	(void)hear_all(c, &any);
	for (int i = 0; any && silent < 2 && i < HEARINGS_MAX; i++) {
		(void)nanosleep(&pause, NULL);
		silent = hear_all(c, &any) ? 0 : silent + 1;
	}
	end_each(c, true);
}

static _Noreturn void
resign(const struct child *c)
{
	end_all(c);
	_exit(1);
}

/* -- what is watched */

static void
set_events(const struct child *c, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data = {.fd = fd}};

	if (epoll_ctl(c->epoll, EPOLL_CTL_MOD, fd, &e) < 0)
		resign(c);
}

static void
make_room(struct child *c, size_t n)
{
	if (n <= c->n_sources)
		return;
	c->sources = xrealloc(c->sources, 2 * n, sizeof(struct source));
	while (c->n_sources < 2 * n)
		c->sources[c->n_sources++] = (struct source){0};
}

static void
add_source(
	struct child *c, int fd, enum source_kind kind, void *object, uint32_t events)
{
	struct epoll_event e = {.events = events, .data = {.fd = fd}};

	make_room(c, (size_t)fd + 1);
	c->sources[fd] = (struct source){kind, object};
	if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		resign(c);
}

/* Who is not taken out stays as long as the daemon has its descriptor, and would speak
 * for the next one with this number. */
static void
drop_source(struct child *c, int fd)
{
	if (epoll_ctl(c->epoll, EPOLL_CTL_DEL, fd, NULL) < 0)
		resign(c);
	c->sources[fd] = (struct source){0};
	close(fd);
}

/* Edge-triggered: a queue that stays full is told once. Asking for it tells what is
 * there already, which must not count as one more client each time. */
static void
watch_for_waiters(const struct child *c, struct guard_vm *vm)
{
	if (vm->armed || !guard_table_wants_waiter(vm))
		return;
	set_events(c, vm->listener, (uint32_t)(EPOLLIN | EPOLLET));
	vm->armed = true;
}

static void
watch_session(const struct child *c, const struct guard_session *s)
{
	uint32_t bytes = guard_table_wants_bytes(s) ? EPOLLIN : 0;

	set_events(c, s->fd, SESSION_EVENTS | bytes);
	watch_for_waiters(c, s->vm);
}

/* -- sessions */

static void
drop_session(struct child *c, struct guard_session *s)
{
	drop_source(c, s->fd);
	guard_table_left(&c->table, s);
}

static void
end_session(struct child *c, struct guard_session *s)
{
	if (ending_end(s->fd))
		drop_session(c, s);
	else
		guard_table_not_ended(s, now_us());
}

/* Peeking at the bytes would tell more than their number, but waits for a reader that
 * is stuck in the middle of its reading. */
static unsigned int
pending_bytes(int fd)
{
	int n = 0;

	return ioctl(fd, SIOCINQ, &n) == 0 && n > 0 ? (unsigned int)n : 0;
}

static void
sample(const struct child *c, struct guard_session *s)
{
	guard_table_sample(s, pending_bytes(s->fd), now_us());
	if (guard_table_wants_bytes(s))
		watch_session(c, s);
}

/* Where it cannot be told whether QEMU has accepted a session, it may have. */
static void
ask_place(const struct child *c, struct guard_session *s)
{
	int r = accepted_ask(c->diag, s->fd);

	if (r == 0)
		guard_table_queued(s);
	else if (r > 0)
		guard_table_accepted(s, now_us());
}

static void
look(const struct child *c, struct guard_vm *vm)
{
	if (!listener_has_waiter(vm->listener)) {
		guard_table_served(vm);
		return;
	}
	guard_table_waits_on(vm, now_us());
	for (struct guard_session *s = vm->last; s != NULL; s = s->before) {
		if (guard_table_wants_place(s))
			ask_place(c, s);
	}
}

static void
prove(struct child *c, struct guard_session *s)
{
	if (listener_has_waiter(s->vm->listener))
		end_session(c, s);
	else
		guard_table_served(s->vm);
}

static void
take_step(struct child *c, const struct guard_todo *todo)
{
	switch (todo->step) {
	case GUARD_LOOK:
		look(c, todo->session->vm);
		break;
	case GUARD_PROVE:
		prove(c, todo->session);
		break;
	case GUARD_SAMPLE:
		sample(c, todo->session);
		break;
	case GUARD_END:
		end_session(c, todo->session);
		break;
	case GUARD_SLEEP:
		break;
	}
}

/* All that is due. Returns for how many milliseconds nothing will be, -1: for ever. */
static int
work(struct child *c)
{
	struct guard_todo todo;
	uint64_t now;
	uint64_t ms;

	do {
		now = now_us();
		todo = guard_table_next(&c->table, now);
		take_step(c, &todo);
	} while (todo.step != GUARD_SLEEP);
	if (todo.until_us == GUARD_TABLE_NEVER)
		return -1;
	ms = (todo.until_us - now + 999) / 1000;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* -- what happens */

static void
unwatch(struct child *c, struct guard_vm *vm)
{
	if (vm->listener >= 0)
		drop_source(c, vm->listener);
	if (vm->pidfd >= 0)
		drop_source(c, vm->pidfd);
	guard_table_unwatch(&c->table, vm);
}

static void
on_process_end(struct child *c, struct guard_vm *vm)
{
	if (vm->listener >= 0)
		listener_dismiss(vm->listener);
	while (vm->last != NULL) {
		(void)ending_end(vm->last->fd);
		drop_session(c, vm->last);
	}
	unwatch(c, vm);
}

/* With nobody in the way it is not watched any more. One that was shut down hangs up
 * whatever is asked of it: its process has ended, or will. */
static void
on_listener_event(const struct child *c, struct guard_vm *vm, uint32_t events)
{
	if ((events & EPOLLHUP) != 0)
		return;
	if (guard_table_wants_waiter(vm))
		guard_table_waits(vm, now_us());
	else
		set_events(c, vm->listener, (uint32_t)EPOLLET);
}

static void
on_session_event(struct child *c, struct guard_session *s, uint32_t events)
{
	if ((events & ENDED_EVENTS) == ENDED_EVENTS) {
		drop_session(c, s);
	} else if ((events & EPOLLIN) != 0) {
		guard_table_came(s, pending_bytes(s->fd), now_us());
		watch_session(c, s);
	}
}

/* -- messages */

static void
take_watch(struct child *c, uint64_t key, int listener, int pidfd)
{
	struct guard_vm *vm = guard_table_find(&c->table, key);

	if (listener < 0 || pidfd < 0)
		resign(c);
	if (vm != NULL)
		unwatch(c, vm);
	vm = guard_table_watch(&c->table, key, listener, pidfd);
	add_source(c, listener, SOURCE_LISTENER, vm, (uint32_t)EPOLLET);
	add_source(c, pidfd, SOURCE_PROCESS, vm, EPOLLIN);
	watch_for_waiters(c, vm);
}

static void
take_hold(struct child *c, const struct guard_wire_message *m, int fd)
{
	struct guard_session *s;

	if (fd < 0)
		resign(c);
	s = guard_table_hold(&c->table, m->key, fd, &m->terms, now_us());
	add_source(c, fd, SOURCE_SESSION, s, SESSION_EVENTS);
	watch_session(c, s);
}

static void
take_renew(struct child *c, const struct guard_wire_message *m)
{
	struct guard_session *s =
		guard_table_renew(&c->table, m->key, &m->terms, now_us());

	if (s != NULL)
		watch_session(c, s);
}

static void
take_forget(struct child *c, uint64_t key)
{
	struct guard_vm *vm;

	while ((vm = guard_table_find(&c->table, key)) != NULL && vm->last != NULL)
		drop_session(c, vm->last);
	if (vm != NULL)
		unwatch(c, vm);
}

static void
take_message(struct child *c, const struct guard_wire_message *m, const int *fds)
{
	struct guard_wire_message echo = {.kind = GUARD_WIRE_ECHO};

	if (m->kind == GUARD_WIRE_WATCH)
		take_watch(c, m->key, fds[0], fds[1]);
	else if (m->kind == GUARD_WIRE_HOLD)
		take_hold(c, m, fds[0]);
	else if (m->kind == GUARD_WIRE_RENEW)
		take_renew(c, m);
	else if (m->kind == GUARD_WIRE_FORGET)
		take_forget(c, m->key);
	echo.n_sessions = (uint32_t)c->table.n_sessions;
	/* one echo is awaited at a time, so there is room */
	if (m->wants_echo != 0 && guard_wire_send(c->pipe, &echo, NULL, 0) == -EAGAIN)
		resign(c);
}

/* Returns 1, 0 (the daemon has closed its end) or -EAGAIN. */
static int
take_next_message(struct child *c)
{
	struct guard_wire_message m;
	int fds[GUARD_WIRE_FDS_MAX];
	int r = guard_wire_receive(c->pipe, &m, fds);

	if (r == 1)
		take_message(c, &m, fds);
	else if (r < 0 && r != -EAGAIN)
		resign(c);
	return r;
}

/* Returns false when the daemon has ended. */
static bool
on_messages(struct child *c)
{
	int r = 1;

	for (int i = 0; i < MESSAGES_PER_TURN && r == 1; i++)
		r = take_next_message(c);
	return r != 0;
}

/* What it had said before may have brought sessions. */
static bool
on_daemon_end(struct child *c)
{
	while (take_next_message(c) == 1)
		continue;
	return false;
}

/* -- the loop */

/* Returns false when the daemon has ended. */
static bool
handle(struct child *c, const struct epoll_event *e)
{
	const struct source *s = &c->sources[e->data.fd];

	switch (s->kind) {
	case SOURCE_PIPE:
		return on_messages(c);
	case SOURCE_DAEMON:
		return on_daemon_end(c);
	case SOURCE_LISTENER:
		on_listener_event(c, s->object, e->events);
		return true;
	case SOURCE_PROCESS:
		on_process_end(c, s->object);
		return true;
	case SOURCE_SESSION:
		on_session_event(c, s->object, e->events);
		return true;
	case SOURCE_NONE:
		break;
	}
	return true;
}

/* One event at a time: what it leads to may close what the next one is about. */
static void
loop(struct child *c)
{
	struct epoll_event e;
	int n;

	do {
		n = epoll_wait(c->epoll, &e, 1, work(c));
		if (n < 0 && errno != EINTR)
			resign(c);
	} while (n <= 0 || handle(c, &e));
}

void
guard_child_run(int pipe, int daemon)
{
	struct child c = {.pipe = pipe, .diag = -1};

	if (guard_process_detach("qmpin-guard", &c.pipe, &daemon) < 0)
		resign(&c);
	c.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (c.epoll < 0)
		resign(&c);
	add_source(&c, c.pipe, SOURCE_PIPE, NULL, EPOLLIN);
	if (daemon >= 0)
		add_source(&c, daemon, SOURCE_DAEMON, NULL, EPOLLIN);
	c.diag = accepted_open();
	loop(&c);
	end_all_in_order(&c);
	_exit(0);
}

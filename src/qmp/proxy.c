// SPDX-License-Identifier: MIT
/*
 * Clients and QEMU's session on libevent; what is said is the mux's. Every callback
 * feeds the mux and then settles: sends what can be sent, does what is told, until
 * nothing moves. Nothing waits, and each source has a bound per turn.
 */
#include "config.h"

#include "qmp/proxy.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "qmp/fdpass.h"
#include "qmp/mux.h"
#include "qmp/rota.h"
#include "qmp/seat.h"

/* One read. By so much a client may get more than its bound. */
#define READ_SIZE (32u * 1024)
#define ACCEPTS_PER_TURN 16
/* After accept() has failed for want of descriptors or memory. */
#define ACCEPT_PAUSE_MS 100
/* While nobody new is accepted. */
#define NO_ROOM_EVERY_MS 250

#define SESSION_MS 5000u
#define CLIENTS_MAX 64u
#define SLOW_MS 1000u

struct proxy {
	struct event_base *base;
	struct mux *mux;
	const struct clock *clock;
	struct rota *rota;
	struct rota_place place; /* to read from QEMU */
	struct proxy_handlers handlers;
	void *owner;
	int upstream;
	int listener; /* borrowed */
	unsigned int clients_max;
	unsigned int n_clients; /* without our own */
	struct seat *seats;
	struct event readable;
	struct event writable;
	struct event waiting; /* a client at the listener */
	struct event deadline;
	struct event kick; /* activated by hand; never armed, so never disarmed */
	struct event accept_pause;
	struct event no_room; /* runs while nobody new is accepted */
	bool accept_paused;
	bool finish;
	bool busy;   /* inside a callback of libevent */
	bool doomed; /* freed by its owner meanwhile */
	bool ended;  /* told so */
};

static bool
is_over(const struct proxy *p)
{
	return p->doomed || p->ended;
}

static void
close_discards(struct proxy *p)
{
	int fd;

	while ((fd = mux_next_discard(p->mux)) >= 0)
		close(fd);
}

static void
let_go(struct proxy *p, struct seat *s)
{
	struct seat **at = &p->seats;

	assert(s != NULL);
	for (; *at != s; at = &(*at)->next)
		assert(*at != NULL);
	*at = s->next;
	p->n_clients -= s->pid != 0;
	seat_free(s);
	close_discards(p);
}

/* The session is ended by shutdown(): others may have copies of the descriptor. */
static void
close_all(struct proxy *p)
{
	while (p->seats != NULL)
		let_go(p, p->seats);
	mux_abandon(p->mux);
	close_discards(p);
	rota_leave(p->rota, &p->place);
	(void)event_del(&p->readable);
	(void)event_del(&p->writable);
	(void)event_del(&p->waiting);
	(void)event_del(&p->deadline);
	(void)event_del(&p->kick);
	(void)event_del(&p->accept_pause);
	(void)event_del(&p->no_room);
	if (p->upstream >= 0) {
		(void)shutdown(p->upstream, SHUT_RDWR);
		close(p->upstream);
	}
	p->upstream = -1;
}

static void
destroy(struct proxy *p)
{
	close_all(p);
	mux_free(p->mux);
	free(p);
}

static void
read_upstream(struct proxy *p)
{
	char bytes[READ_SIZE];
	int fds[FDPASS_MAX];
	size_t n_fds;
	ssize_t n;

	if (!mux_upstream_wants(p->mux))
		return;
	n = fdpass_recv(p->upstream, bytes, sizeof(bytes), fds, &n_fds);
	while (n_fds > 0)
		close(fds[--n_fds]);
	if (n > 0)
		mux_upstream_feed(p->mux, (struct frame_span){bytes, (size_t)n});
	else if (n != -EAGAIN)
		mux_upstream_end(p->mux, (int)n);
}

/* Returns whether some bytes went. Failures are seen by reading, after what QEMU said
 * before it left. */
static bool
flush_upstream(struct proxy *p)
{
	int fd;
	struct frame_span out = mux_upstream_output(p->mux, &fd);
	ssize_t n = 0;

	if (out.len > 0)
		n = fdpass_send(p->upstream, out, fd);
	if (n > 0)
		mux_upstream_sent(p->mux, (size_t)n);
	if (n == -EAGAIN || (n > 0 && (size_t)n < out.len))
		(void)event_add(&p->writable, NULL);
	close_discards(p);
	return n > 0;
}

static bool
flush_all(struct proxy *p)
{
	bool moved = flush_upstream(p);
	struct seat *next;

	for (struct seat *s = p->seats; s != NULL; s = next) {
		next = s->next;
		moved |= seat_flush(s);
		if (s->left)
			let_go(p, s);
	}
	return moved;
}

static void
tell_dropped(struct proxy *p, const struct seat *s, const struct mux_told *told)
{
	struct err why = ERR_NONE;

	if (s->pid > 0)
		(void)err_set(&why, told->err, NULL, 0, "a client (process %d) %s",
			(int)s->pid, told->why.text);
	else
		(void)err_set(&why, told->err, NULL, 0, "a client of our own %s",
			told->why.text);
	p->handlers.on_client_dropped(p->owner, &why);
}

static void
on_up(struct proxy *p)
{
	int flags = fcntl(p->listener, F_GETFL);

	if (flags >= 0)
		(void)fcntl(p->listener, F_SETFL, flags | O_NONBLOCK);
	p->handlers.on_up(p->owner);
}

static void
on_turn(struct proxy *p, struct seat *s)
{
	if (seat_is_left(s))
		let_go(p, s);
	else
		mux_dispatch(p->mux, s->caller);
}

static void
on_ended(struct proxy *p, const struct mux_told *told)
{
	close_all(p);
	p->ended = true;
	p->handlers.on_end(p->owner, told->err, &told->why);
}

/* Do one thing that the mux tells. Returns false when there is none. */
static bool
obey(struct proxy *p)
{
	struct mux_told told;

	switch (mux_settle(p->mux, clock_now_us(p->clock), &told)) {
	case MUX_NOTHING:
		return false;
	case MUX_UP:
		on_up(p);
		break;
	case MUX_TURN:
		on_turn(p, told.owner);
		break;
	case MUX_CHANGED:
		p->handlers.on_changed(p->owner);
		break;
	case MUX_DROPPED:
		tell_dropped(p, told.owner, &told);
		let_go(p, told.owner);
		break;
	case MUX_LEFT:
		let_go(p, told.owner);
		break;
	case MUX_ENDED:
		on_ended(p, &told);
		break;
	}
	return true;
}

/* Send first: what was taken in time must count, also when we were the ones who slept.
 */
static void
settle(struct proxy *p)
{
	(void)flush_all(p);
	do {
		while (!is_over(p) && obey(p))
			continue;
	} while (!is_over(p) && flush_all(p));
}

static void
arm(struct event *ev, bool wanted)
{
	if (wanted)
		(void)event_add(ev, NULL);
	else
		(void)event_del(ev);
}

static void
arm_deadline(struct proxy *p)
{
	uint64_t deadline_us = mux_deadline_us(p->mux);
	uint64_t now_us = clock_now_us(p->clock);
	struct timeval left =
		clock_timeval_us(deadline_us > now_us ? deadline_us - now_us : 0);

	if (deadline_us == MUX_NEVER)
		(void)event_del(&p->deadline);
	else
		(void)event_add(&p->deadline, &left);
}

static bool
has_room(const struct proxy *p)
{
	return !p->finish && p->n_clients < p->clients_max;
}

static void
arm_no_room(struct proxy *p)
{
	static const struct timeval interval = {0, NO_ROOM_EVERY_MS * 1000};

	if (has_room(p))
		(void)event_del(&p->no_room);
	else if (!event_pending(&p->no_room, EV_TIMEOUT, NULL))
		(void)event_add(&p->no_room, &interval);
}

static void
arm_all(struct proxy *p)
{
	for (struct seat *s = p->seats; s != NULL; s = s->next)
		seat_arm(s);
	arm(&p->readable, mux_upstream_wants(p->mux));
	arm(&p->waiting, mux_is_open(p->mux) && has_room(p) && !p->accept_paused);
	arm_deadline(p);
	arm_no_room(p);
}

static void
enter(struct proxy *p)
{
	p->busy = true;
}

static void
leave(struct proxy *p)
{
	settle(p);
	p->busy = false;
	if (p->doomed)
		destroy(p);
	else if (!p->ended)
		arm_all(p);
}

static void
on_seat_ready(void *owner, struct seat *s, bool readable)
{
	struct proxy *p = owner;

	enter(p);
	if (readable)
		seat_read(s);
	if (s->left)
		let_go(p, s);
	leave(p);
}

static void
on_upstream_turn(void *owner)
{
	struct proxy *p = owner;

	enter(p);
	read_upstream(p);
	leave(p);
}

static void
on_upstream_readable(evutil_socket_t fd, short what, void *owner)
{
	struct proxy *p = owner;

	(void)fd;
	(void)what;
	rota_come(p->rota, &p->place, p->clock);
}

static void
on_upstream_writable(evutil_socket_t fd, short what, void *owner)
{
	(void)fd;
	(void)what;
	enter(owner);
	leave(owner);
}

static void
add_client(struct proxy *p, int fd, pid_t pid)
{
	struct seat *s = seat_new(p->base, p->mux, fd, pid);

	s->on_ready = on_seat_ready;
	s->owner = p;
	s->next = p->seats;
	p->seats = s;
	p->n_clients += pid != 0;
}

/* Returns false when nobody waits, or it cannot be had now. */
static bool
accept_one(struct proxy *p)
{
	const struct timeval pause = {.tv_usec = ACCEPT_PAUSE_MS * 1000};
	struct ucred peer = {.pid = -1};
	socklen_t len = sizeof(peer);
	int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
		add_client(p, fd, peer.pid > 0 ? peer.pid : -1);
		return true;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return false;
	p->accept_paused = true;
	(void)event_add(&p->accept_pause, &pause);
	return false;
}

static void
on_listener_waiting(evutil_socket_t fd, short what, void *owner)
{
	struct proxy *p = owner;

	(void)fd;
	(void)what;
	enter(p);
	for (int i = 0; i < ACCEPTS_PER_TURN && mux_is_open(p->mux) && has_room(p);
		i++) {
		if (!accept_one(p))
			break;
	}
	leave(p);
}

static void
on_pause_over(evutil_socket_t fd, short what, void *owner)
{
	struct proxy *p = owner;

	(void)fd;
	(void)what;
	enter(p);
	p->accept_paused = false;
	leave(p);
}

static void
on_no_room(evutil_socket_t fd, short what, void *owner)
{
	struct proxy *p = owner;

	(void)fd;
	(void)what;
	enter(p);
	p->handlers.on_no_room(p->owner);
	leave(p);
}

/* Read once more before giving up: when we were the ones who slept, the answer is here.
 */
static void
on_deadline(evutil_socket_t fd, short what, void *owner)
{
	struct proxy *p = owner;

	(void)fd;
	(void)what;
	enter(p);
	read_upstream(p);
	leave(p);
}

/* One of our own has joined, or it is to finish: what clients have said is still read.
 */
static void
on_kick(evutil_socket_t fd, short what, void *owner)
{
	struct proxy *p = owner;

	(void)fd;
	(void)what;
	enter(p);
	for (struct seat *s = p->seats; s != NULL && p->finish; s = s->next)
		seat_read(s);
	if (p->finish)
		mux_finish(p->mux, clock_now_us(p->clock));
	leave(p);
}

static unsigned int
or_default(unsigned int value, unsigned int otherwise)
{
	return value > 0 ? value : otherwise;
}

struct proxy *
proxy_new(struct event_base *base, int upstream, int listener,
	const struct proxy_options *options, const struct proxy_handlers *handlers,
	void *owner)
{
	struct mux_options mux_options = {
		.session_us = or_default(options->session_ms, SESSION_MS) * 1000ull,
		.slow_us = or_default(options->slow_ms, SLOW_MS) * 1000ull,
	};
	struct proxy *p = xcalloc(1, sizeof(*p));
	int r;

	p->base = base;
	p->clock = options->clock;
	p->rota = options->rota;
	p->place = (struct rota_place){.on_turn = on_upstream_turn, .owner = p};
	p->handlers = *handlers;
	p->owner = owner;
	p->upstream = upstream;
	p->listener = listener;
	p->clients_max = or_default(options->clients_max, CLIENTS_MAX);
	p->mux = mux_new(&mux_options, clock_now_us(p->clock));
	r = event_assign(&p->readable, base, upstream, EV_READ | EV_PERSIST,
		on_upstream_readable, p);
	r |= event_assign(
		&p->writable, base, upstream, EV_WRITE, on_upstream_writable, p);
	r |= event_assign(&p->waiting, base, listener, EV_READ | EV_PERSIST,
		on_listener_waiting, p);
	r |= event_assign(&p->deadline, base, -1, 0, on_deadline, p);
	r |= event_assign(&p->kick, base, -1, 0, on_kick, p);
	r |= event_assign(&p->accept_pause, base, -1, 0, on_pause_over, p);
	r |= event_assign(&p->no_room, base, -1, 0, on_no_room, p);
	assert(r == 0);
	arm_all(p);
	return p;
}

int
proxy_join(struct proxy *p)
{
	int ends[2];

	if (is_over(p) || !mux_is_open(p->mux))
		return -ENOTCONN;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) <
		0)
		return -errno;
	add_client(p, ends[0], 0);
	event_active(&p->kick, 0, 0);
	return ends[1];
}

bool
proxy_is_busy(const struct proxy *p)
{
	return !is_over(p) && mux_is_busy(p->mux);
}

void
proxy_finish(struct proxy *p)
{
	if (is_over(p) || p->finish)
		return;
	p->finish = true;
	event_active(&p->kick, 0, 0);
}

void
proxy_free(struct proxy *p)
{
	if (p == NULL)
		return;
	if (p->busy)
		p->doomed = true;
	else
		destroy(p);
}

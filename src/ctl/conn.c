// SPDX-License-Identifier: MIT
/*
 * The clients of the control server, on bufferevents. Leaves the meaning of requests to
 * on_request. Invariants: one call in flight a connection; no request is taken while
 * more than RESUME_BYTES wait to be read, so what a client can make us keep is one
 * request's answers; a connection is never freed below its own turn().
 */
#include "config.h"

#include "ctl/conn.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "ctl/call.h"

/* Answers that may wait for a reader while its next request is taken. Also what a
 * client must have queued before its share of the total is looked at. */
#define RESUME_BYTES (32u * 1024u)

/* Requests of one client handled before the others have a turn. */
#define TURN_MAX 4u

/* Bytes moved from the kernel's side to the framer at a time. */
#define CHUNK_BYTES 4096u

size_t
conn_backlog(const struct conn *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

static void
release(struct conn *c)
{
	varlink_framer_fini(&c->framer);
	free(c);
}

void
conn_close(struct conn *c)
{
	if (c->bev == NULL)
		return;
	bufferevent_free(c->bev);
	c->bev = NULL;
	event_free(c->again);
	event_free(c->patience);
	TAILQ_REMOVE(&c->set->conns, c, link);
	c->set->n--;
	c->set->n_read_only -= c->read_only;
	if (c->call != NULL)
		call_abandon(take_ptr(&c->call));
	if (!c->in_turn)
		release(c);
}

/* 1: a message, 0: none whole, -E2BIG. */
static int
next_message(struct conn *c, const char **text, size_t *len)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	char chunk[CHUNK_BYTES];
	int r;

	for (;;) {
		int n;

		r = varlink_framer_next(&c->framer, text, len);
		if (r != 0)
			return r;
		n = evbuffer_remove(in, chunk, sizeof(chunk));
		if (n <= 0)
			return 0;
		varlink_framer_add(&c->framer, chunk, (size_t)n);
	}
}

/* 1: a request was handled, 0: none whole, or a negative errno: not varlink. */
static int
take_request(struct conn *c)
{
	struct varlink_request request;
	const char *text;
	size_t len;
	int r = next_message(c, &text, &len);

	if (r <= 0)
		return r;
	r = varlink_request_decode(text, len, &request, NULL);
	if (r < 0)
		return r;
	c->call = call_new(c, &request);
	c->set->on_request(c->set->owner, c->call, &request);
	varlink_request_fini(&request);
	return 1;
}

/* The client has sent all it will, and has got all it will get. */
static bool
is_done(const struct conn *c)
{
	return c->eof && c->call == NULL && conn_backlog(c) == 0;
}

/* The next request may be taken. */
static bool
is_ready(const struct conn *c)
{
	return c->bev != NULL && c->call == NULL && conn_backlog(c) <= RESUME_BYTES;
}

/* Come back from the next round of the loop. A timer, as libevent may run deferred
 * callbacks many times within a round. */
static void
turn_later(struct conn *c)
{
	struct timeval now = {.tv_sec = 0};

	(void)event_add(c->again, &now);
}

/* From its first byte on a request has its time: bytes that trickle in give it no more.
 * Without one, being idle has its time. */
static void
limit_time(struct conn *c)
{
	bool begun = varlink_framer_has_begun(&c->framer);
	struct timeval limit = clock_timeval_ms(
		begun ? c->set->limits.half_ms : c->set->limits.idle_ms);

	if (begun && c->begun)
		return;
	(void)event_add(c->patience, &limit);
	c->begun = begun;
	c->excused = false;
}

/* Handle what has arrived, as far as the invariants allow. */
static void
turn(struct conn *c)
{
	unsigned int taken = 0;
	int r = 1;

	c->in_turn = true;
	while (r > 0 && is_ready(c) && taken++ < TURN_MAX)
		r = take_request(c);
	if (c->bev != NULL && (r < 0 || (r == 0 && is_done(c))))
		conn_close(c);
	c->in_turn = false;
	if (c->bev == NULL) {
		release(c);
		return;
	}
	limit_time(c);
	if (r > 0 && is_ready(c))
		turn_later(c);
}

static void
on_client_data(struct bufferevent *bev, void *arg)
{
	(void)bev;
	turn(arg);
}

static void
on_client_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	turn(arg);
}

/* What the socket is ready for, and POLLHUP. */
static short
ready_for(const struct conn *c, short events)
{
	struct pollfd p = {.fd = bufferevent_getfd(c->bev), .events = events};

	return poll(&p, 1, 0) > 0 ? p.revents : 0;
}

/* A peer that has closed both ways reads no answers. One that has only ended its side
 * (`printf ... | socat`) still gets them. */
static bool
is_gone(const struct conn *c)
{
	return (ready_for(c, 0) & (POLLHUP | POLLERR)) != 0;
}

/* The time is up. Not through the client's fault where it waits for us, or where we
 * were held up ourselves and have not read what it has sent. */
static void
on_client_patience(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = {0, 0};
	struct conn *c = arg;

	(void)fd;
	(void)what;
	if (c->call != NULL || conn_backlog(c) > 0) {
		c->begun = false;
		limit_time(c);
	} else if (!c->excused && ready_for(c, POLLIN) == POLLIN) {
		c->excused = true;
		(void)event_add(c->patience, &soon);
	} else {
		conn_close(c);
	}
}

static void
on_client_event(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;

	/* only writing has a time-out here; as on_client_patience */
	if ((what & BEV_EVENT_TIMEOUT) != 0 && ready_for(c, POLLOUT) == POLLOUT) {
		(void)bufferevent_enable(bev, EV_WRITE);
	} else if ((what & BEV_EVENT_EOF) != 0 && !is_gone(c)) {
		c->eof = true;
		turn(c);
	} else {
		conn_close(c);
	}
}

/* What one client may cost is limited before anything is read from it. */
static int
set_up(struct conn *c)
{
	struct timeval stall = clock_timeval_ms(c->set->limits.stall_ms);

	bufferevent_setcb(c->bev, on_client_data, on_client_data, on_client_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, VARLINK_REQUEST_MAX);
	bufferevent_setwatermark(c->bev, EV_WRITE, RESUME_BYTES, 0);
	limit_time(c);
	if (bufferevent_set_timeouts(c->bev, NULL, &stall) < 0)
		return -ENOMEM;
	return bufferevent_enable(c->bev, EV_READ | EV_WRITE) < 0 ? -ENOMEM : 0;
}

static int
read_peer(int fd, struct ctl_peer *out)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	*out = (struct ctl_peer){cred.pid, cred.uid, cred.gid};
	return 0;
}

/* Some places are kept for the administrator's own socket. */
static bool
is_full(const struct conn_set *set, bool read_only)
{
	unsigned int keep = set->limits.clients / 16;

	if (set->n >= set->limits.clients)
		return true;
	return read_only && set->n_read_only >= set->limits.clients - keep;
}

/* Those that had ended their side first, and have left since without a word: nothing
 * tells us of that while nothing is sent to them. */
static void
reap(struct conn_set *set)
{
	struct conn *c = TAILQ_FIRST(&set->conns);

	while (c != NULL) {
		struct conn *next = TAILQ_NEXT(c, link);

		if (c->eof && is_gone(c))
			conn_close(c);
		c = next;
	}
}

void
conn_accept(struct conn_set *set, int fd, bool read_only)
{
	struct ctl_peer peer;
	struct conn *c;

	if (is_full(set, read_only))
		reap(set);
	if (is_full(set, read_only) || read_peer(fd, &peer) < 0) {
		close(fd);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->set = set;
	c->bev = bufferevent_socket_new(set->base, fd, BEV_OPT_CLOSE_ON_FREE);
	c->again = evtimer_new(set->base, on_client_again, c);
	c->patience = evtimer_new(set->base, on_client_patience, c);
	if (c->bev == NULL || c->again == NULL || c->patience == NULL)
		abort(); /* no memory, as in xcalloc */
	c->peer = peer;
	c->read_only = read_only;
	varlink_framer_init(&c->framer, VARLINK_REQUEST_MAX);
	TAILQ_INSERT_TAIL(&set->conns, c, link);
	set->n++;
	set->n_read_only += read_only;
	if (set_up(c) < 0)
		conn_close(c);
}

/* Make room in the total: the one that has let most pile up pays. */
static void
shed(struct conn_set *set)
{
	struct conn *fattest = NULL;
	size_t total = 0;
	struct conn *c;

	for (c = TAILQ_FIRST(&set->conns); c != NULL; c = TAILQ_NEXT(c, link)) {
		total += conn_backlog(c);
		if (fattest == NULL || conn_backlog(c) > conn_backlog(fattest))
			fattest = c;
	}
	if (total > set->limits.total_bytes && fattest != NULL)
		conn_close(fattest);
}

void
conn_send(struct conn *c, const char *bytes, size_t len)
{
	if (bufferevent_write(c->bev, bytes, len) < 0 ||
		conn_backlog(c) > c->set->limits.client_bytes) {
		conn_close(c);
		return;
	}
	if (conn_backlog(c) > RESUME_BYTES)
		shed(c->set);
}

void
conn_answered(struct conn *c)
{
	c->call = NULL;
	/* Answered after its handler: requests that wait are not taken here, below the
	 * one who answers. */
	if (!c->in_turn)
		turn_later(c);
}

void
conn_set_fini(struct conn_set *set)
{
	struct conn *c;

	while ((c = TAILQ_FIRST(&set->conns)) != NULL)
		conn_close(c); /* NOLINT(clang-analyzer-unix.Malloc): not twice */
}

// SPDX-License-Identifier: MIT
/*
 * A session's bytes and timers on libevent. Input is read as it comes, also when
 * nothing is asked: QEMU buffers what is not read without limit. Output never waits:
 * what the socket does not take now is sent when it can.
 */
#include "config.h"

#include "qmp/link.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "qmp/rota.h"

/* The replies of a large VM come in one or two reads of this size. After each the
 * others have their turn: so many bytes of events take some 2 ms. */
#define READ_SIZE (32u * 1024)

/* Where the loop had no room for a socket it is looked at so often. */
#define DEAF_US UINT64_C(100000)

struct link {
	int fd;
	const struct clock *clock;
	struct session session;
	struct rota *rota;
	struct rota_place place;
	struct event readable;
	struct event writable;
	struct event deadline;
	link_handler *on_tell;
	void *owner;
	bool busy;   /* inside a callback of libevent */
	bool doomed; /* freed by its owner meanwhile */
	bool ended;  /* told so */
};

static void
destroy(struct link *l)
{
	rota_leave(l->rota, &l->place);
	(void)event_del(&l->readable);
	(void)event_del(&l->writable);
	(void)event_del(&l->deadline);
	(void)shutdown(l->fd, SHUT_RDWR); /* the guard has a copy */
	close(l->fd);
	session_fini(&l->session);
	free(l);
}

static bool
is_over(const struct link *l)
{
	return l->doomed || l->ended;
}

static void
tell(struct link *l, enum session_tell what, const struct session_told *told)
{
	if (what == SESSION_NOTHING || is_over(l))
		return;
	l->ended = what == SESSION_BROKEN || what == SESSION_CLOSED;
	l->on_tell(l->owner, what, told);
}

static void
digest(struct link *l, const char *bytes, size_t len)
{
	struct frame_span in = {bytes, len};
	struct session_told told;
	enum session_tell what;

	do {
		what = session_feed(&l->session, &in, &told);
		tell(l, what, &told);
	} while (what != SESSION_NOTHING && !is_over(l));
}

static void
closed(struct link *l, int err)
{
	struct session_told told;

	tell(l, session_close(&l->session, err, &told), &told);
}

/* Take out of the socket what was read: nobody else reads it while we live. */
static void
consume(struct link *l, char *bytes, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = recv(l->fd, bytes, len, MSG_DONTWAIT);
		if (n > 0) {
			len -= (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			closed(l, n == 0 ? 0 : -errno);
			return;
		}
	}
}

/* Read some of what is there. It stays in the socket until the owner has been told:
 * stopped before that, we leave it to the guard, which cannot know of an answer
 * otherwise. */
static void
take_input(struct link *l)
{
	char bytes[READ_SIZE];
	ssize_t n = recv(l->fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_PEEK);

	if (n == 0)
		closed(l, 0);
	else if (n > 0)
		digest(l, bytes, (size_t)n);
	else if (errno != EAGAIN && errno != EINTR)
		closed(l, -errno);
	if (n > 0 && !is_over(l))
		consume(l, bytes, (size_t)n);
}

/* Send what can be sent. A failure is not told here: reading shows it too, after what
 * the peer said before it left. */
static void
give_output(struct link *l)
{
	struct frame_span out = session_output(&l->session, clock_now_us(l->clock));
	const struct session_told told = {.why = ERR_NONE};
	ssize_t n = 0;

	if (out.len > 0)
		n = send(l->fd, out.bytes, out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if ((n >= 0 && (size_t)n < out.len) ||
		(n < 0 && (errno == EAGAIN || errno == EINTR)))
		(void)event_add(&l->writable, NULL);
	if (n > 0) {
		session_sent(&l->session, (size_t)n);
		tell(l, SESSION_ASKED, &told);
	}
}

/* The loop had no room for it, and may have now. */
static bool
is_deaf(struct link *l)
{
	return event_pending(&l->readable, EV_READ, NULL) == 0 &&
	       event_add(&l->readable, NULL) < 0;
}

static void
arm_deadline(struct link *l)
{
	uint64_t deadline_us = session_deadline_us(&l->session);
	uint64_t now_us = clock_now_us(l->clock);
	struct timeval left;

	if (is_deaf(l) && deadline_us > now_us + DEAF_US)
		deadline_us = now_us + DEAF_US;
	left = clock_timeval_us(deadline_us > now_us ? deadline_us - now_us : 0);
	if (deadline_us == SESSION_NEVER)
		(void)event_del(&l->deadline);
	else
		(void)event_add(&l->deadline, &left);
}

static void
enter(struct link *l)
{
	l->busy = true;
}

static void
leave(struct link *l)
{
	if (!is_over(l))
		give_output(l);
	l->busy = false;
	if (l->doomed) {
		destroy(l);
	} else if (l->ended) {
		rota_leave(l->rota, &l->place);
		(void)event_del(&l->readable);
		(void)event_del(&l->writable);
		(void)event_del(&l->deadline);
	} else {
		arm_deadline(l);
	}
}

static void
on_turn(void *owner)
{
	struct link *l = owner;

	enter(l);
	take_input(l);
	leave(l);
}

static void
on_readable(evutil_socket_t fd, short what, void *owner)
{
	struct link *l = owner;

	(void)fd;
	(void)what;
	rota_come(l->rota, &l->place, l->clock);
}

/* leave() sends. */
static void
on_writable(evutil_socket_t fd, short what, void *owner)
{
	struct link *l = owner;

	(void)fd;
	(void)what;
	enter(l);
	leave(l);
}

/* Read once more before giving up: when we were the ones who slept, the answer is here.
 * What is read before puts this off, so that a flood in front of the answer is no
 * matter. */
static void
on_deadline(evutil_socket_t fd, short what, void *owner)
{
	struct session_told told;
	struct link *l = owner;

	(void)fd;
	(void)what;
	enter(l);
	take_input(l);
	if (!is_over(l))
		tell(l, session_check(&l->session, clock_now_us(l->clock), &told),
			&told);
	leave(l);
}

struct link *
link_new(struct event_base *base, int fd, const struct link_options *options,
	link_handler *on_tell, void *owner)
{
	struct link *l = xcalloc(1, sizeof(*l));
	int r;

	l->fd = fd;
	l->clock = options->clock;
	l->rota = options->rota;
	l->place = (struct rota_place){.on_turn = on_turn, .owner = l};
	l->on_tell = on_tell;
	l->owner = owner;
	session_init(&l->session, clock_now_us(l->clock),
		&(struct session_terms){.session_us = options->session_ms * 1000ull,
			.query_us = options->query_ms * 1000ull,
			.last_id = options->last_id});
	r = event_assign(&l->readable, base, fd, EV_READ | EV_PERSIST, on_readable, l);
	r |= event_assign(&l->writable, base, fd, EV_WRITE, on_writable, l);
	r |= event_assign(&l->deadline, base, -1, 0, on_deadline, l);
	assert(r == 0);
	arm_deadline(l);
	return l;
}

void
link_observe(struct link *l)
{
	session_observe(&l->session);
	if (!l->busy && !l->ended)
		(void)event_add(&l->writable, NULL);
}

void
link_command(struct link *l, enum message_command command, const char *path)
{
	session_command(&l->session, command, path, clock_now_us(l->clock));
	if (!l->busy && !l->ended)
		(void)event_add(&l->writable, NULL);
}

bool
link_is_wanted(const struct link *l)
{
	return session_is_wanted(&l->session);
}

bool
link_is_busy(const struct link *l)
{
	return session_is_busy(&l->session);
}

int
link_fd(const struct link *l)
{
	return l->fd;
}

void
link_free(struct link *l)
{
	if (l == NULL)
		return;
	if (l->busy)
		l->doomed = true;
	else
		destroy(l);
}

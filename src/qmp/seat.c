// SPDX-License-Identifier: MIT
/*
 * A client that closes its side for writing is still answered, as QEMU does; one that
 * is gone is not, and what it had not been asked for yet is not asked. The kernel tells
 * them apart: POLLHUP is only for both sides.
 */
#include "config.h"

#include "qmp/seat.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "qmp/fdpass.h"
#include "qmp/mux.h"

/* One read: many commands, or a piece of a long one. */
#define READ_SIZE (16u * 1024)

bool
seat_is_left(struct seat *s)
{
	struct pollfd pfd = {.fd = s->fd};

	s->left |= poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLHUP | POLLERR)) != 0;
	return s->left;
}

void
seat_read(struct seat *s)
{
	char bytes[READ_SIZE];
	int fds[FDPASS_MAX];
	size_t n_fds;
	ssize_t n;

	if (s->silent || !mux_client_wants(s->mux, s->caller))
		return;
	n = fdpass_recv(s->fd, bytes, sizeof(bytes), fds, &n_fds);
	if (n > 0) {
		mux_client_feed(s->mux, s->caller,
			(struct frame_span){bytes, (size_t)n}, fds, n_fds);
	} else if (n == 0) {
		s->silent = true;
		mux_client_eof(s->caller);
		(void)seat_is_left(s);
	} else if (n == -EMSGSIZE) {
		mux_client_drop(s->caller, -EMSGSIZE, "sends too many descriptors");
	} else if (n != -EAGAIN) {
		s->left = true;
	}
}

bool
seat_flush(struct seat *s)
{
	struct frame_span out = mux_client_output(s->caller);
	ssize_t n = 0;

	if (out.len > 0)
		n = fdpass_send(s->fd, out, -1);
	if (n > 0)
		mux_client_sent(s->caller, (size_t)n);
	if (n == -EAGAIN || (n > 0 && (size_t)n < out.len))
		(void)event_add(&s->writable, NULL);
	else if (n < 0)
		s->left = true;
	return n > 0;
}

static void
arm(struct event *ev, bool wanted)
{
	if (wanted)
		(void)event_add(ev, NULL);
	else
		(void)event_del(ev);
}

void
seat_arm(struct seat *s)
{
	bool reads = !s->silent && mux_client_wants(s->mux, s->caller);

	arm(&s->readable, reads);
	arm(&s->hangup, !reads && !s->silent && !s->deaf);
}

static void
on_readable(evutil_socket_t fd, short what, void *owner)
{
	struct seat *s = owner;

	(void)fd;
	(void)what;
	s->on_ready(s->owner, s, true);
}

static void
on_writable(evutil_socket_t fd, short what, void *owner)
{
	struct seat *s = owner;

	(void)fd;
	(void)what;
	s->on_ready(s->owner, s, false);
}

/* While it is not read: it has left, or has only said its last. */
static void
on_hangup(evutil_socket_t fd, short what, void *owner)
{
	struct seat *s = owner;

	(void)fd;
	(void)what;
	s->deaf = !seat_is_left(s);
	s->on_ready(s->owner, s, false);
}

struct seat *
seat_new(struct event_base *base, struct mux *mux, int fd, pid_t pid)
{
	struct seat *s = xcalloc(1, sizeof(*s));
	int r;

	s->mux = mux;
	s->fd = fd;
	s->pid = pid;
	s->caller = mux_join(mux, pid == 0, s);
	r = event_assign(&s->readable, base, fd, EV_READ | EV_PERSIST, on_readable, s);
	r |= event_assign(&s->writable, base, fd, EV_WRITE, on_writable, s);
	r |= event_assign(&s->hangup, base, fd, EV_CLOSED | EV_PERSIST, on_hangup, s);
	assert(r == 0);
	return s;
}

void
seat_free(struct seat *s)
{
	(void)event_del(&s->readable);
	(void)event_del(&s->writable);
	(void)event_del(&s->hangup);
	mux_leave(s->mux, s->caller);
	close(s->fd);
	free(s);
}

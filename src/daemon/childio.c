// SPDX-License-Identifier: MIT
/*
 * The events of a child. Invariant: on_exited is called only when its pidfd says so;
 * where the loop has no room for that, the pidfd is looked at now and then.
 */
#include "config.h"

#include "daemon/childio.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"

/* One that was killed is gone in no time, but for those that cannot die. */
#define AGAIN_MS 100u

static bool
is_ready(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

static void
set_timer(struct event *timer, unsigned int ms)
{
	struct timeval tv = clock_timeval_ms(ms);

	(void)event_add(timer, &tv);
}

/* ---- its words ---- */

static void
on_child_readable(evutil_socket_t fd, short what, void *arg)
{
	struct childio *io = arg;

	(void)fd;
	(void)what;
	io->handlers->on_readable(io->owner);
}

ssize_t
childio_read(struct childio *io, char *buf, size_t cap)
{
	ssize_t n = read(io->child.out, buf, cap);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n > 0 ? n : -ENODATA;
}

static void
on_child_silence(evutil_socket_t fd, short what, void *arg)
{
	struct childio *io = arg;

	(void)fd;
	(void)what;
	/* it has said something just now: it was we who did not listen */
	if (event_pending(io->readable, EV_READ, NULL) != 0 && is_ready(io->child.out))
		childio_heard(io);
	else
		io->handlers->on_silence(io->owner);
}

void
childio_heard(struct childio *io)
{
	if (io->silence_ms > 0)
		set_timer(io->silence, io->silence_ms);
	else
		(void)event_del(io->silence);
}

void
childio_expect(struct childio *io, unsigned int ms)
{
	io->silence_ms = ms;
	childio_heard(io);
}

/* ---- what it is told ---- */

static void
on_child_writable(evutil_socket_t fd, short what, void *arg)
{
	struct childio *io = arg;
	int n = evbuffer_write(io->out, fd);

	(void)what;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		/* one that reads no more has ended, or will now: its output tells */
		(void)close(take_fd(&io->child.in));
		(void)evbuffer_drain(io->out, evbuffer_get_length(io->out));
	}
	if (evbuffer_get_length(io->out) > 0)
		(void)event_add(io->writable, NULL);
}

void
childio_tell(struct childio *io, const char *bytes, size_t len)
{
	if (io->child.in < 0)
		return; /* it reads no more */
	if (evbuffer_add(io->out, bytes, len) < 0)
		abort(); /* no memory, as in xcalloc */
	(void)event_add(io->writable, NULL);
}

size_t
childio_backlog(const struct childio *io)
{
	return evbuffer_get_length(io->out);
}

/* ---- its end ---- */

static void
await_exit(struct childio *io, unsigned int look_ms)
{
	if (event_add(io->exited, NULL) < 0)
		set_timer(io->again, look_ms);
}

static void
on_child_exited(evutil_socket_t fd, short what, void *arg)
{
	struct childio *io = arg;

	(void)fd;
	(void)what;
	if (!is_ready(io->child.pidfd)) {
		await_exit(io, AGAIN_MS);
		return;
	}
	childio_hush(io);
	(void)event_del(io->exited);
	io->handlers->on_exited(io->owner);
}

void
childio_hush(struct childio *io)
{
	(void)event_del(io->readable);
	(void)event_del(io->writable);
	(void)event_del(io->silence);
}

void
childio_finish(struct childio *io, unsigned int ms)
{
	(void)event_del(io->readable);
	childio_expect(io, ms);
	await_exit(io, 0);
}

void
childio_end(struct childio *io)
{
	childio_hush(io);
	child_kill(&io->child);
	await_exit(io, 0);
}

static void
hear_nothing(struct childio *io)
{
	childio_hush(io);
	(void)event_del(io->exited);
	(void)event_del(io->again);
}

void
childio_stop(struct childio *io)
{
	hear_nothing(io);
	child_stop(&io->child);
}

void
childio_leave(struct childio *io)
{
	hear_nothing(io);
	child_leave(&io->child);
}

void
childio_fini(struct childio *io)
{
	event_free(io->readable);
	event_free(io->writable);
	event_free(io->exited);
	event_free(io->again);
	event_free(io->silence);
	evbuffer_free(io->out);
}

/* ---- its beginning ---- */

bool
childio_init(struct childio *io, struct event_base *base, const struct child *child,
	const struct childio_handlers *handlers, void *owner)
{
	*io = (struct childio){.child = *child, .handlers = handlers, .owner = owner};
	io->out = evbuffer_new();
	io->readable = event_new(
		base, child->out, EV_READ | EV_PERSIST, on_child_readable, io);
	io->writable = event_new(base, child->in, EV_WRITE, on_child_writable, io);
	io->exited = event_new(base, child->pidfd, EV_READ, on_child_exited, io);
	io->again = evtimer_new(base, on_child_exited, io);
	io->silence = evtimer_new(base, on_child_silence, io);
	if (io->out == NULL || io->readable == NULL || io->writable == NULL ||
		io->exited == NULL || io->again == NULL || io->silence == NULL)
		abort(); /* no memory, as in xcalloc */
	return event_add(io->readable, NULL) == 0;
}

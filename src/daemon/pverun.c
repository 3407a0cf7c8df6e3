// SPDX-License-Identifier: MIT
/*
 * The child's pipes and its pidfd in the event loop. Invariant: the process is waited
 * for only when its pidfd has told that it is gone. A run is never freed below its own
 * callback.
 */
#include "config.h"

#include "daemon/pverun.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "probe/child.h"

/* What a pipe holds: others wait while it is taken in. */
#define CHUNK_BYTES 65536u
/* Where the end cannot be waited for (no room in the epoll set) it is looked for. */
#define LOOK_US 200000u

struct pverun {
	struct child child;
	struct pvefeed in;
	struct evbuffer *out;
	struct event *readable;
	struct event *writable;
	struct event *exited;	  /* its pidfd; waited for when it is ending */
	struct event *silence;	  /* when it is ending: until the next look */
	unsigned int deadline_ms; /* 0: it may be silent */
	const struct pverun_handlers *handlers;
	void *owner;
	char *program;
	bool ending; /* killed */
	bool gone;   /* and dead */
	bool busy;   /* inside a callback of libevent */
	bool doomed; /* freed by its owner meanwhile */
};

static void
listen_for_sound(struct pverun *r)
{
	struct timeval tv = {
		r->deadline_ms / 1000, (suseconds_t)(r->deadline_ms % 1000) * 1000};

	if (r->deadline_ms > 0)
		(void)event_add(r->silence, &tv);
	else
		(void)event_del(r->silence);
}

static void
be_deaf(struct pverun *r)
{
	(void)event_del(r->readable);
	(void)event_del(r->writable);
	(void)event_del(r->silence);
}

static void
release(struct pverun *r)
{
	event_free(r->readable);
	event_free(r->writable);
	event_free(r->exited);
	event_free(r->silence);
	evbuffer_free(r->out);
	pvefeed_fini(&r->in);
	free(r->program);
	free(r);
}

void
pverun_free(struct pverun *r)
{
	if (r == NULL)
		return;
	be_deaf(r);
	(void)event_del(r->exited);
	/* one that sleeps until it is told something dies at once */
	if (r->gone || (!r->ending && r->deadline_ms == 0))
		child_stop(&r->child);
	else
		child_leave(&r->child);
	r->ending = true;
	if (r->busy)
		r->doomed = true;
	else
		release(r);
}

static void
leave(struct pverun *r)
{
	r->busy = false;
	if (r->doomed)
		release(r);
}

static void
await_exit(struct pverun *r)
{
	struct timeval tv = clock_timeval_us(LOOK_US);

	if (event_add(r->exited, NULL) < 0)
		(void)event_add(r->silence, &tv);
}

void
pverun_end(struct pverun *r)
{
	if (r->ending)
		return;
	r->ending = true;
	be_deaf(r);
	child_kill(&r->child);
	await_exit(r);
}

static void
end(struct pverun *r, const char *why)
{
	if (r->ending)
		return;
	pverun_end(r);
	r->handlers->on_end(r->owner, why);
}

/* ---- what it is told ---- */

/* Why it ended by itself. */
static void
explain_end(struct pverun *r)
{
	char text[512];
	int error = child_exec_error(&r->child);

	(void)snprintf(text, sizeof(text), "%s: %s", r->program,
		error < 0 ? strerror(-error) : "it has ended");
	end(r, text);
}

/* One that reads no more has ended, or is of no use. */
static void
on_child_writable(evutil_socket_t fd, short what, void *arg)
{
	struct pverun *r = arg;
	int n = evbuffer_write(r->out, fd);

	(void)what;
	r->busy = true;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		explain_end(r);
	else if (evbuffer_get_length(r->out) > 0)
		(void)event_add(r->writable, NULL);
	leave(r);
}

void
pverun_tell(struct pverun *r, enum pvefeed_kind kind, unsigned int subject)
{
	struct pvefeed_message m = {.kind = kind, .subject = subject};
	struct strbuf bytes = {0};

	if (r->ending)
		return;
	pvefeed_put(&bytes, &m);
	if (evbuffer_add(r->out, bytes.s, bytes.len) < 0)
		abort(); /* no memory, as in xcalloc */
	strbuf_fini(&bytes);
	(void)event_add(r->writable, NULL);
}

void
pverun_expect(struct pverun *r, unsigned int deadline_ms)
{
	r->deadline_ms = deadline_ms;
	if (!r->ending)
		listen_for_sound(r);
}

/* ---- what it says ---- */

/* Returns false when it is over. */
static bool
take_messages(struct pverun *r)
{
	struct err why = ERR_NONE;
	struct pvefeed_message m;
	int n = 0;

	while (!r->ending && (n = pvefeed_next(&r->in, &m, &why)) > 0)
		r->handlers->on_message(r->owner, &m);
	if (!r->ending && n < 0)
		end(r, why.text);
	return !r->ending;
}

static void
on_child_readable(evutil_socket_t fd, short what, void *arg)
{
	struct pverun *r = arg;
	auto_free char *chunk = xcalloc(1, CHUNK_BYTES);
	ssize_t n = read(fd, chunk, CHUNK_BYTES);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	r->busy = true;
	if (n <= 0)
		explain_end(r);
	else if (pvefeed_take(&r->in, chunk, (size_t)n) < 0)
		end(r, "it says more than it may");
	else if (take_messages(r))
		listen_for_sound(r);
	leave(r);
}

static bool
is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

static void
tell_gone(struct pverun *r)
{
	r->busy = true;
	r->gone = true;
	r->handlers->on_gone(r->owner);
	leave(r);
}

static void
on_child_silence(evutil_socket_t fd, short what, void *arg)
{
	struct pverun *r = arg;

	(void)fd;
	(void)what;
	if (r->ending) {
		if (is_readable(r->child.pidfd))
			tell_gone(r);
		else
			await_exit(r);
		return;
	}
	if (is_readable(r->child.out)) { /* it was we who did not listen */
		listen_for_sound(r);
		return;
	}
	r->busy = true;
	end(r, NULL);
	leave(r);
}

static void
on_child_exited(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	tell_gone(arg);
}

int
pverun_new(const struct pverun_options *o, const struct pverun_handlers *handlers,
	void *owner, struct pverun **out, struct err *e)
{
	const char *const words[] = {"qmpin-pve", o->dir, NULL};
	struct pverun *r = xcalloc(1, sizeof(*r));
	int ret = child_launch_program(o->program, words, &r->child, e);

	if (ret < 0) {
		free(r);
		return ret;
	}
	r->program = xstrdup(o->program);
	r->handlers = handlers;
	r->owner = owner;
	r->out = evbuffer_new();
	if (r->out == NULL)
		abort(); /* no memory, as in xcalloc */
	r->readable = event_new(
		o->base, r->child.out, EV_READ | EV_PERSIST, on_child_readable, r);
	r->writable = event_new(o->base, r->child.in, EV_WRITE, on_child_writable, r);
	r->exited = event_new(o->base, r->child.pidfd, EV_READ, on_child_exited, r);
	r->silence = evtimer_new(o->base, on_child_silence, r);
	if (event_add(r->readable, NULL) < 0) {
		pverun_free(r);
		return err_set(e, -ENOSPC, NULL, 0, "no room in the epoll set");
	}
	*out = r;
	return 0;
}

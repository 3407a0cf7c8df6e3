// SPDX-License-Identifier: MIT
/*
 * A running qmpin-probe in the event loop. Its output is read to the end before its
 * exit status is asked for, and it is never waited for: a thread that is bound to a CPU
 * that others hold takes as long to die as to run. Invariant: after on_end no handler
 * is called, and a run is never freed below its own callback.
 */
#include "config.h"

#include "daemon/proberun.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define CHUNK_BYTES 65536u
/* Read in one turn: others wait meanwhile. */
#define TURN_CHUNKS 4
/* One that has closed its output is about to end. */
#define EXIT_MS 2000u
/* What may wait for it to read: lists of CPUs wait for their turn beyond. */
#define BACKLOG_BYTES 65536u

struct proberun {
	struct child child;
	struct wire wire;
	struct cpuset avoid; /* as it was told */
	struct evbuffer *out;
	struct event *readable;
	struct event *writable;
	struct event *exited; /* its pidfd; waited for after the end of its output */
	struct event *silence;
	unsigned int silence_ms;
	const struct proberun_handlers *handlers;
	void *owner;
	bool ending;	/* killed: nothing but its exit is waited for */
	bool done;	/* it said so */
	struct err why; /* it ends */
	bool busy;	/* inside a callback of libevent */
	bool doomed;	/* freed by its owner meanwhile */
};

static void
set_silence(struct proberun *r, unsigned int ms)
{
	struct timeval tv = clock_timeval_ms(ms);

	(void)event_add(r->silence, &tv);
}

static void
release(struct proberun *r)
{
	event_free(r->readable);
	event_free(r->writable);
	event_free(r->exited);
	event_free(r->silence);
	evbuffer_free(r->out);
	wire_fini(&r->wire);
	free(r);
}

static void
be_deaf(struct proberun *r)
{
	(void)event_del(r->readable);
	(void)event_del(r->writable);
	(void)event_del(r->silence);
}

void
proberun_free(struct proberun *r)
{
	if (r == NULL)
		return;
	be_deaf(r);
	(void)event_del(r->exited);
	child_stop(&r->child);
	if (r->busy)
		r->doomed = true;
	else
		release(r);
}

static void
enter(struct proberun *r)
{
	r->busy = true;
}

static void
leave(struct proberun *r)
{
	r->busy = false;
	if (r->doomed)
		release(r);
}

/* Where the kernel cannot tell when it is gone, that is waited for at once: it is
 * killed or at its end. */
static void
await_exit(struct proberun *r)
{
	if (event_add(r->exited, NULL) < 0)
		event_active(r->exited, EV_READ, 0);
}

/* @why NULL: it is done. */
static void
end(struct proberun *r, const struct err *why)
{
	if (r->ending)
		return;
	r->ending = true;
	r->done = why == NULL;
	if (why != NULL)
		r->why = *why;
	be_deaf(r);
	child_kill(&r->child);
	await_exit(r);
}

void
proberun_end(struct proberun *r, const struct err *why)
{
	end(r, why);
}

/* ---- what it is told ---- */

static void
on_child_writable(evutil_socket_t fd, short what, void *arg)
{
	struct proberun *r = arg;
	int n = evbuffer_write(r->out, fd);

	(void)what;
	/* one that reads no more has ended, or will now: its output tells */
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		(void)close(take_fd(&r->child.in));
	else if (evbuffer_get_length(r->out) > 0)
		(void)event_add(r->writable, NULL);
}

static void
tell(struct proberun *r, enum wire_kind kind, const char *text, size_t len)
{
	struct wire_message message = {.kind = kind, .text = text, .len = len};
	struct strbuf bytes = {0};

	if (r->child.in < 0)
		return;
	wire_put(&bytes, &message);
	if (evbuffer_add(r->out, bytes.s, bytes.len) < 0)
		abort(); /* no memory, as in xcalloc */
	strbuf_fini(&bytes);
	(void)event_add(r->writable, NULL);
}

static void
tell_avoid(struct proberun *r, const struct cpuset *cpus)
{
	auto_free char *text = xcalloc(CPUSET_TEXT_MAX, 1);

	r->avoid = *cpus;
	cpuset_format(cpus, text, CPUSET_TEXT_MAX);
	tell(r, WIRE_AVOID, text, strlen(text));
}

void
proberun_avoid(struct proberun *r, const struct cpuset *cpus)
{
	if (!r->ending && !cpuset_equal(cpus, &r->avoid) &&
		evbuffer_get_length(r->out) < BACKLOG_BYTES)
		tell_avoid(r, cpus);
}

/* ---- what it says ---- */

static void
handle(struct proberun *r, const struct wire_message *m)
{
	struct err why = ERR_NONE;
	char text[256];

	switch (m->kind) {
	case WIRE_PROGRESS:
		r->handlers->on_progress(r->owner, m);
		break;
	case WIRE_NOTE:
		r->handlers->on_note(
			r->owner, str_escape(m->text, m->len, text, sizeof(text)));
		break;
	case WIRE_RESULT:
		r->handlers->on_result(r->owner, m->text, m->len);
		break;
	case WIRE_DONE:
		end(r, NULL);
		break;
	case WIRE_FAILED:
		(void)err_set(&why, 0, NULL, 0, "%s", m->text);
		end(r, &why);
		break;
	default:
		(void)err_set(&why, 0, NULL, 0, "it speaks out of turn");
		end(r, &why);
	}
}

static bool
is_over(const struct proberun *r)
{
	return r->doomed || r->ending;
}

/* All whole messages that have arrived. */
static void
take_messages(struct proberun *r)
{
	struct err why = ERR_NONE;
	struct wire_message m;
	int n = 0;

	while (!is_over(r) && (n = wire_next(&r->wire, &m, &why)) > 0) {
		set_silence(r, r->silence_ms);
		handle(r, &m);
	}
	if (!is_over(r) && n < 0)
		end(r, &why);
}

/* Returns false when nothing more is there now. */
static bool
take_chunk(struct proberun *r)
{
	struct err why = ERR_NONE;
	auto_free char *chunk = xcalloc(1, CHUNK_BYTES);
	ssize_t n = read(r->child.out, chunk, CHUNK_BYTES);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) { /* why is told by how it ends */
		(void)event_del(r->readable);
		set_silence(r, EXIT_MS);
		await_exit(r);
		return false;
	}
	if (wire_feed(&r->wire, chunk, (size_t)n) < 0) {
		(void)err_set(&why, 0, NULL, 0, "it says more than it may");
		end(r, &why);
		return false;
	}
	take_messages(r);
	return !is_over(r);
}

static void
on_child_readable(evutil_socket_t fd, short what, void *arg)
{
	struct proberun *r = arg;

	(void)fd;
	(void)what;
	enter(r);
	for (int i = 0; i < TURN_CHUNKS && take_chunk(r); i++)
		;
	leave(r);
}

/* ---- its end ---- */

/* It has ended by itself, too early. */
static void
explain(struct proberun *r)
{
	struct err *e = &r->why;
	siginfo_t info = {0};

	if (child_failure(&r->child, e) < 0)
		return;
	if (waitid((idtype_t)P_PIDFD, (id_t)r->child.pidfd, &info,
		    WEXITED | WNOHANG | WNOWAIT) < 0)
		(void)err_set(e, 0, NULL, 0, "it has ended");
	else if (info.si_code == CLD_EXITED)
		(void)err_set(e, 0, NULL, 0,
			"it ended with status %d before it was done", info.si_status);
	else
		(void)err_set(
			e, 0, NULL, 0, "it was killed by signal %d", info.si_status);
}

static void
on_child_exited(evutil_socket_t fd, short what, void *arg)
{
	struct proberun *r = arg;

	(void)fd;
	(void)what;
	if (!r->ending)
		explain(r);
	be_deaf(r);
	child_stop(&r->child);
	r->ending = true;
	enter(r);
	r->handlers->on_end(r->owner, r->done ? NULL : &r->why);
	leave(r);
}

/* Said something just now: it was we who did not listen. */
static bool
has_spoken(const struct proberun *r)
{
	struct pollfd p = {.fd = r->child.out, .events = POLLIN};

	return event_pending(r->readable, EV_READ, NULL) != 0 && poll(&p, 1, 0) > 0;
}

static void
on_child_silence(evutil_socket_t fd, short what, void *arg)
{
	struct proberun *r = arg;
	struct err why = ERR_NONE;

	(void)fd;
	(void)what;
	if (has_spoken(r)) {
		set_silence(r, r->silence_ms);
		return;
	}
	(void)err_set(&why, 0, NULL, 0, "it says nothing any more");
	end(r, &why);
}

/* ---- its beginning ---- */

static struct proberun *
make(const struct proberun_options *o)
{
	struct proberun *r = xcalloc(1, sizeof(*r));

	r->silence_ms = o->silence_ms > 0 ? o->silence_ms : PROBERUN_SILENCE_MS;
	r->out = evbuffer_new();
	if (r->out == NULL)
		abort(); /* no memory, as in xcalloc */
	wire_init(&r->wire);
	return r;
}

static void
listen_to(struct proberun *r, struct event_base *base)
{
	const struct child *c = &r->child;
	struct err why = ERR_NONE;

	(void)evutil_make_socket_nonblocking(c->in);
	r->readable =
		event_new(base, c->out, EV_READ | EV_PERSIST, on_child_readable, r);
	r->writable = event_new(base, c->in, EV_WRITE, on_child_writable, r);
	r->exited = event_new(base, c->pidfd, EV_READ, on_child_exited, r);
	r->silence = evtimer_new(base, on_child_silence, r);
	if (event_add(r->readable, NULL) < 0) {
		(void)err_set(&why, 0, NULL, 0, "no room to listen to it");
		end(r, &why);
		return;
	}
	set_silence(r, r->silence_ms);
}

int
proberun_new(const struct proberun_options *o, const struct proberun_handlers *handlers,
	void *owner, struct proberun **out, struct err *e)
{
	struct proberun *r = make(o);
	int ret = child_launch(&o->child, &r->child, e);

	if (ret < 0) {
		wire_fini(&r->wire);
		evbuffer_free(r->out);
		free(r);
		return ret;
	}
	r->handlers = handlers;
	r->owner = owner;
	listen_to(r, o->base);
	if (o->known != NULL)
		tell(r, WIRE_KNOWN, o->known, o->known_len);
	tell_avoid(r, o->avoid);
	tell(r, WIRE_GO, NULL, 0);
	*out = r;
	return 0;
}

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
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/childio.h"

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
	struct childio io;
	struct wire wire;
	struct cpuset avoid; /* as it was told */
	const struct proberun_handlers *handlers;
	void *owner;
	bool ending;	/* killed: nothing but its exit is waited for */
	bool done;	/* it said so */
	struct err why; /* it ends */
	bool busy;	/* inside a callback of libevent */
	bool doomed;	/* freed by its owner meanwhile */
};

static void
release(struct proberun *r)
{
	childio_fini(&r->io);
	wire_fini(&r->wire);
	free(r);
}

void
proberun_free(struct proberun *r)
{
	if (r == NULL)
		return;
	childio_stop(&r->io);
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
	childio_end(&r->io);
}

void
proberun_end(struct proberun *r, const struct err *why)
{
	end(r, why);
}

/* ---- what it is told ---- */

static void
tell(struct proberun *r, enum wire_kind kind, const char *text, size_t len)
{
	struct wire_message message = {.kind = kind, .text = text, .len = len};
	struct strbuf bytes = {0};

	wire_put(&bytes, &message);
	childio_tell(&r->io, strbuf_text(&bytes), bytes.len);
	strbuf_fini(&bytes);
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
		childio_backlog(&r->io) < BACKLOG_BYTES)
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
		childio_heard(&r->io);
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
	ssize_t n = childio_read(&r->io, chunk, CHUNK_BYTES);

	if (n < 0) /* why is told by how it ends */
		childio_finish(&r->io, EXIT_MS);
	if (n <= 0)
		return false;
	if (wire_feed(&r->wire, chunk, (size_t)n) < 0) {
		(void)err_set(&why, 0, NULL, 0, "it says more than it may");
		end(r, &why);
		return false;
	}
	take_messages(r);
	return !is_over(r);
}

static void
on_io_readable(void *owner)
{
	struct proberun *r = owner;

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

	if (child_failure(&r->io.child, e) < 0)
		return;
	if (waitid((idtype_t)P_PIDFD, (id_t)r->io.child.pidfd, &info,
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
on_io_exited(void *owner)
{
	struct proberun *r = owner;

	if (!r->ending)
		explain(r);
	childio_stop(&r->io);
	r->ending = true;
	enter(r);
	r->handlers->on_end(r->owner, r->done ? NULL : &r->why);
	leave(r);
}

static void
on_io_silence(void *owner)
{
	struct proberun *r = owner;
	struct err why = ERR_NONE;

	(void)err_set(&why, 0, NULL, 0, "it says nothing any more");
	end(r, &why);
}

/* ---- its beginning ---- */

static void
listen_to(
	struct proberun *r, const struct proberun_options *o, const struct child *child)
{
	static const struct childio_handlers io_handlers = {
		on_io_readable, on_io_silence, on_io_exited};
	struct err why = ERR_NONE;

	if (!childio_init(&r->io, o->base, child, &io_handlers, r)) {
		(void)err_set(&why, 0, NULL, 0, "no room to listen to it");
		end(r, &why);
		return;
	}
	childio_expect(&r->io, o->silence_ms > 0 ? o->silence_ms : PROBERUN_SILENCE_MS);
}

int
proberun_new(const struct proberun_options *o, const struct proberun_handlers *handlers,
	void *owner, struct proberun **out, struct err *e)
{
	struct proberun *r;
	struct child child;
	int ret = child_launch(&o->child, &child, e);

	if (ret < 0)
		return ret;
	r = xcalloc(1, sizeof(*r));
	wire_init(&r->wire);
	r->handlers = handlers;
	r->owner = owner;
	listen_to(r, o, &child);
	if (o->known != NULL)
		tell(r, WIRE_KNOWN, o->known, o->known_len);
	tell_avoid(r, o->avoid);
	tell(r, WIRE_GO, NULL, 0);
	*out = r;
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * What the child is told and what it tells. Invariant: the process is waited for only
 * when its pidfd has told that it is gone. A run is never freed below its own callback.
 */
#include "config.h"

#include "daemon/pverun.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "daemon/childio.h"

/* What a pipe holds: others wait while it is taken in. */
#define CHUNK_BYTES 65536u

struct pverun {
	struct childio io;
	struct pvefeed in;
	const struct pverun_handlers *handlers;
	void *owner;
	char *program;
	bool ending; /* killed */
	bool gone;   /* and dead */
	bool busy;   /* inside a callback of libevent */
	bool doomed; /* freed by its owner meanwhile */
};

static void
release(struct pverun *r)
{
	childio_fini(&r->io);
	pvefeed_fini(&r->in);
	free(r->program);
	free(r);
}

void
pverun_free(struct pverun *r)
{
	if (r == NULL)
		return;
	/* one that sleeps until it is told something dies at once */
	if (r->gone || (!r->ending && r->io.silence_ms == 0))
		childio_stop(&r->io);
	else
		childio_leave(&r->io);
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

void
pverun_end(struct pverun *r)
{
	if (r->ending)
		return;
	r->ending = true;
	childio_end(&r->io);
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

void
pverun_tell(struct pverun *r, enum pvefeed_kind kind, unsigned int subject)
{
	struct pvefeed_message m = {.kind = kind, .subject = subject};
	struct strbuf bytes = {0};

	if (r->ending)
		return;
	pvefeed_put(&bytes, &m);
	childio_tell(&r->io, strbuf_text(&bytes), bytes.len);
	strbuf_fini(&bytes);
}

void
pverun_expect(struct pverun *r, unsigned int deadline_ms)
{
	if (!r->ending)
		childio_expect(&r->io, deadline_ms);
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

/* Why it ended by itself. */
static void
explain_end(struct pverun *r)
{
	char text[512];
	int error = child_exec_error(&r->io.child);

	(void)snprintf(text, sizeof(text), "%s: %s", r->program,
		error < 0 ? strerror(-error) : "it has ended");
	end(r, text);
}

static void
on_io_readable(void *owner)
{
	struct pverun *r = owner;
	auto_free char *chunk = xcalloc(1, CHUNK_BYTES);
	ssize_t n = childio_read(&r->io, chunk, CHUNK_BYTES);

	if (n == 0)
		return;
	r->busy = true;
	if (n < 0)
		explain_end(r);
	else if (pvefeed_take(&r->in, chunk, (size_t)n) < 0)
		end(r, "it says more than it may");
	else if (take_messages(r))
		childio_heard(&r->io);
	leave(r);
}

static void
on_io_silence(void *owner)
{
	struct pverun *r = owner;

	r->busy = true;
	end(r, NULL);
	leave(r);
}

static void
on_io_exited(void *owner)
{
	struct pverun *r = owner;

	r->busy = true;
	r->gone = true;
	r->handlers->on_gone(r->owner);
	leave(r);
}

int
pverun_new(const struct pverun_options *o, const struct pverun_handlers *handlers,
	void *owner, struct pverun **out, struct err *e)
{
	static const struct childio_handlers io_handlers = {
		on_io_readable, on_io_silence, on_io_exited};
	const char *const words[] = {"qmpin-pve", o->dir, NULL};
	struct pverun *r;
	struct child child;
	int ret = child_launch_program(o->program, words, &child, e);

	if (ret < 0)
		return ret;
	r = xcalloc(1, sizeof(*r));
	r->program = xstrdup(o->program);
	r->handlers = handlers;
	r->owner = owner;
	/* without room to listen it is taken for one that does not answer */
	(void)childio_init(&r->io, o->base, &child, &io_handlers, r);
	*out = r;
	return 0;
}

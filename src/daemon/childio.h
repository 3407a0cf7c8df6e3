// SPDX-License-Identifier: MIT
/*
 * A child process in the event loop: its pipes, its end, and for how long it has been
 * silent. Nothing here waits. What it says, and what follows from that, is the owner's,
 * who may stop and free it in any callback.
 */
#ifndef QMPIN_DAEMON_CHILDIO_H
#define QMPIN_DAEMON_CHILDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "probe/child.h"

struct evbuffer;
struct event;
struct event_base;

struct childio_handlers {
	void (*on_readable)(void *owner); /* childio_read has something to tell */
	void (*on_silence)(void *owner);
	void (*on_exited)(void *owner); /* the process has gone; told once */
};

struct childio {
	struct child child;
	struct evbuffer *out; /* what waits until it reads */
	struct event *readable;
	struct event *writable;
	struct event *exited; /* its pidfd; waited for when that is asked for */
	struct event *again;  /* a look at that, where it cannot be waited for */
	struct event *silence;
	unsigned int silence_ms; /* 0: it may be silent */
	const struct childio_handlers *handlers;
	void *owner;
};

/** Listen to @child, which is taken over; @handlers is borrowed. Returns false when
 * there is no room to listen: then it is silent for ever, and can be ended. */
bool childio_init(struct childio *io, struct event_base *base,
	const struct child *child, const struct childio_handlers *handlers,
	void *owner);

/** Bytes that are there, 0 (none are now), or -ENODATA: no more will come. */
MUST_CHECK ssize_t childio_read(struct childio *io, char *buf, size_t cap);

/** Say something to it when it reads; no word of it is waited for. */
void childio_tell(struct childio *io, const char *bytes, size_t len);
/** Bytes that it has not read. */
size_t childio_backlog(const struct childio *io);

/** on_silence is to come when there is nothing to read for @ms; 0: never. */
void childio_expect(struct childio *io, unsigned int ms);
/** It has said something: the time begins anew. */
void childio_heard(struct childio *io);

/** No handler is called any more but on_exited. */
void childio_hush(struct childio *io);
/** Its output is at its end: on_exited is to come, or on_silence after @ms. */
void childio_finish(struct childio *io, unsigned int ms);
/** Kill it: nothing is called any more but on_exited. */
void childio_end(struct childio *io);

/** Nothing is called any more: as child_stop, which waits a second at most and not
 * after on_exited, or as child_leave. Then childio_fini it. */
void childio_stop(struct childio *io);
void childio_leave(struct childio *io);
void childio_fini(struct childio *io);

#endif

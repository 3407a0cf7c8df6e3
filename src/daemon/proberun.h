// SPDX-License-Identifier: MIT
/*
 * A running qmpin-probe in the event loop: what it says becomes calls, what it is told
 * waits until it reads. Nothing blocks; one that says nothing for long, or nonsense, is
 * ended.
 */
#ifndef QMPIN_DAEMON_PROBERUN_H
#define QMPIN_DAEMON_PROBERUN_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "probe/child.h"
#include "probe/wire.h"
#include "topo/cpuset.h"

/* It reports its progress every second or so. */
#define PROBERUN_SILENCE_MS 60000u

struct event_base;
struct proberun;

/* Any of them may free the run. */
struct proberun_handlers {
	void (*on_progress)(void *owner, const struct wire_message *progress);
	void (*on_note)(void *owner, const char *text); /* safe to print */
	void (*on_result)(void *owner, const char *text, size_t len);
	/* The last call: nothing runs any more. @why NULL: it was done. */
	void (*on_end)(void *owner, const struct err *why);
};

struct proberun_options {
	struct event_base *base;
	struct child_options child;
	const char *known; /* text of probe/cache.h; NULL: none */
	size_t known_len;
	const struct cpuset *avoid;
	unsigned int silence_ms; /* 0: PROBERUN_SILENCE_MS */
};

/** Start one. @handlers is borrowed while it lives. Returns 0 or a negative errno with
 * @e; @out is written only on success. */
MUST_CHECK int proberun_new(const struct proberun_options *o,
	const struct proberun_handlers *handlers, void *owner, struct proberun **out,
	struct err *e);

/** End it, without waiting: on_end is called from the loop, with @why, when it has
 * gone, and nothing else before. Again: nothing happens. */
void proberun_end(struct proberun *r, const struct err *why);

/** CPUs to be left for later, from now on; to be called again, and again with the same,
 * as one that does not read is not told. */
void proberun_avoid(struct proberun *r, const struct cpuset *cpus);

/** End it if it runs, and wait for that, a second at most; after on_end there is
 * nothing to wait for. No handler is called. NULL is allowed. */
void proberun_free(struct proberun *r);

#endif

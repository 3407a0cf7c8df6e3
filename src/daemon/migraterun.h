// SPDX-License-Identifier: MIT
/*
 * A running qmpin-migrate in the event loop: lines become calls, nothing blocks. The
 * program itself sees to it that it ends with the VM, or with us.
 */
#ifndef QMPIN_DAEMON_MIGRATERUN_H
#define QMPIN_DAEMON_MIGRATERUN_H

#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "topo/cpuset.h"

/* Names the program to run instead of the installed one. */
#define MIGRATERUN_PROGRAM_ENV "QMPIN_MIGRATE"

struct event_base;
struct migraterun;

struct migraterun_progress {
	uint64_t moved_mib;
	uint64_t stuck_mib;
	uint64_t seen_mib;
	uint64_t total_mib;
};

/* on_end is the last call, after which it is to be ended; either may do that. */
struct migraterun_handlers {
	void (*on_progress)(void *owner, const struct migraterun_progress *p);
	/* @why NULL: it was done; else safe to print. */
	void (*on_end)(
		void *owner, const struct migraterun_progress *last, const char *why);
};

struct migraterun_options {
	struct event_base *base;
	pid_t pid;
	uint64_t start_ticks;
	struct cpuset nodes; /* kernel ids */
	unsigned int mib_per_s;
};

/** Start one; @handlers is borrowed. Returns 0 or a negative errno with @e; @out is
 * written only on success. */
MUST_CHECK int migraterun_new(const struct migraterun_options *o,
	const struct migraterun_handlers *handlers, void *owner,
	struct migraterun **out, struct err *e);

/** End it if it runs, without waiting for that: it frees itself from the loop. No
 * handler is called. NULL is allowed. */
void migraterun_end(struct migraterun *r);

/** The same at the end of the loop: waits a second at most, and frees it. */
void migraterun_free(struct migraterun *r);

#endif

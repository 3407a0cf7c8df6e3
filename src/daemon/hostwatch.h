// SPDX-License-Identifier: MIT
/*
 * Which CPUs and NUMA nodes of the host are online, and which CPUs are in isolated
 * partitions of cgroups. The kernel's files are the truth, looked at again and again;
 * its events only make it quick, and tell of what has gone and come back between two
 * looks.
 */
#ifndef QMPIN_DAEMON_HOSTWATCH_H
#define QMPIN_DAEMON_HOSTWATCH_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

/* Events come in storms: hundreds, when SMT is switched off. All is told when none has
 * come for so long, and at the latest so long after the first. */
#define HOSTWATCH_SETTLE_MS 100u
#define HOSTWATCH_LATEST_MS 1000u

struct event_base;
struct hostwatch;

/** CPUs or nodes have come or gone, or events were lost: read the topology, also where
 * all that went is back. */
typedef void hostwatch_handler(void *owner);

/** Take a first look at @root ("": this machine). Never NULL. */
struct hostwatch *hostwatch_new(const char *root);

/**
 * Hear the kernel's events from now on.
 *
 * @on_event  called once for all events of a storm; must not free the hostwatch
 *
 * Returns 0 or a negative errno with @e: then only looking shows what has changed.
 */
MUST_CHECK int hostwatch_listen(struct hostwatch *w, struct event_base *base,
	hostwatch_handler *on_event, void *owner, struct err *e);

/** An event was heard. */
void hostwatch_heard(struct hostwatch *w);

/** Events were heard that have not been told yet: how things are is not settled. */
bool hostwatch_is_pending(const struct hostwatch *w);

/**
 * Look again. A CPU is listed as online before its caches and its node are known, and
 * still when they are not any more: a topology read at once would lack them. So where
 * events are heard a change counts as one of them; else it is told now and, in case
 * that was too early, at the next look.
 *
 * Returns true when the topology should be read. A file that cannot be read counts as
 * unchanged.
 */
bool hostwatch_changed(struct hostwatch *w);

/** What was told could not be read: it is told again, as if it had changed once more.
 */
void hostwatch_again(struct hostwatch *w);

/** NULL is allowed. */
void hostwatch_free(struct hostwatch *w);

#endif

// SPDX-License-Identifier: MIT
/*
 * Where the clients of a VM's monitor queue: seen through a duplicate of its listening
 * socket (qmp/listener.h) or, where that is not permitted, by asking the kernel
 * (qmp/backlog.h). The guard gets a copy, so that it sees them too.
 */
#ifndef QMPIN_QMP_DOOR_H
#define QMPIN_QMP_DOOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

/* A polled door renews the lease of the session so long before it would end: the guard
 * cannot see that queue. */
#define DOOR_LEASE_MS 1000

struct door;
struct event_base;
struct monitor_commons;

/* Called from the event loop. The door may be freed inside. */
struct door_handlers {
	/* Somebody waits. Once for each door_watch(). */
	void (*on_waiter)(void *owner);
	/* The process has ended; the door is shut already. */
	void (*on_gone)(void *owner);
};

/** A shut door. @key names it to the guard. Never NULL. */
struct door *door_new(struct event_base *base, struct monitor_commons *commons,
	uint64_t key, const struct door_handlers *handlers, void *owner);

/**
 * Find the queue of the process that listens at @path.
 *
 * @pidfd  of the process; copied
 *
 * Returns 0 or a negative errno: its queue cannot be watched, @e says why. The process
 * is known to the door also then.
 */
MUST_CHECK int door_open(
	struct door *d, pid_t pid, int pidfd, const char *path, struct err *e);

/** The process that is known has ended, though on_gone may not have been called yet. */
bool door_is_gone(const struct door *d);

/** The duplicate, to accept from; -1 when there is none. Borrowed. */
int door_listener(const struct door *d);

/** Tell the guard again: a new one runs. */
void door_introduce(struct door *d);

/** Tell the owner when somebody waits, or do not. */
void door_watch(struct door *d, bool on);

/** Somebody waits now. */
bool door_has_waiter(struct door *d);

/** The client that QEMU serves, 0 for none or unknown; the same number later is the
 * same client. */
uint64_t door_served(struct door *d);

/** The process has ended, or another one is there: drop all copies, here and at the
 * guard. */
void door_shut(struct door *d);

/** NULL is allowed. Allowed inside its own callback. */
void door_free(struct door *d);

#endif

// SPDX-License-Identifier: MIT
/*
 * The guard: a small child that has copies of what this process holds, and gives it up
 * when this process does not. However long the daemon hangs or is stopped, nobody waits
 * for a monitor longer than the terms allow; when the daemon dies, all is given up at
 * once, or as soon as the answers to what it asked have come: QEMU would give them to
 * the next client.
 *
 * A session is given up by shutdown(), which ends it for every copy. So sessions are
 * ended with shutdown() here too, never by close() alone; the guard sees that and drops
 * its copy. Descriptors passed in are copied, the caller keeps its own.
 */
#ifndef QMPIN_QMP_GUARD_H
#define QMPIN_QMP_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct event_base;
struct guard;

/* A guard has died, or a new one runs. Called from the event loop. While none runs,
 * nothing may be held; what was told to the old one is forgotten. */
typedef void guard_handler(void *owner, bool alive);

/** Fork a guard; another one when it dies (at once, then with back-off up to 30 s).
 * Never NULL: see guard_is_alive(). */
struct guard *guard_new(struct event_base *base, guard_handler *on_change, void *owner);

bool guard_is_alive(const struct guard *g);

/** Its process, 0 when none runs. For tests and logs. */
int guard_pid(const struct guard *g);

/**
 * The listening socket of a VM: with it, waiting clients are seen, and they are
 * dismissed (see listener_dismiss) as soon as the process has ended.
 *
 * @key  names the VM between the caller and the guard; not 0
 *
 * Returns 0 or -ESRCH (no guard).
 */
MUST_CHECK int guard_watch(struct guard *g, uint64_t key, int listener, int pidfd);

/* When a session is given up, besides the end of its process or of ours. 0: never. */
struct guard_terms {
	unsigned int wait_ms;  /* a client has waited so long (needs the listener) */
	unsigned int lease_ms; /* so long after guard_hold(), in any case */
	unsigned int drain_ms; /* its bytes have not been read for so long */
	bool asked;	       /* answers are awaited */
};

/**
 * A session that is (about to be) held. To be called before connect(), since the
 * process may be stopped right after it.
 *
 * Returns 0 or -ESRCH (no guard: do not connect, or leave at once).
 */
MUST_CHECK int guard_hold(
	struct guard *g, uint64_t key, int session, const struct guard_terms *terms);

/** Change the terms of the last session of @key; a new lease begins. */
MUST_CHECK int guard_renew(
	struct guard *g, uint64_t key, const struct guard_terms *terms);

/** Drop the copies for @key; sessions are not ended by this. */
void guard_forget(struct guard *g, uint64_t key);

/** End the guard. NULL is allowed. */
void guard_free(struct guard *g);

#endif

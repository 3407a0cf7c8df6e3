// SPDX-License-Identifier: MIT
/*
 * The last decisions about a VM, for those who ask why it is where it is.
 */
#ifndef QMPIN_DAEMON_HISTORY_H
#define QMPIN_DAEMON_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/cause.h"

#define HISTORY_MAX 8u
/* Of them at most so many repairs, which may come all the time. */
#define HISTORY_REPAIRS_MAX 2u

struct decision {
	uint64_t time_us; /* real time */
	enum cause cause;
	char *text;  /* owned */
	bool repair; /* nothing was decided */
};

/* Zeroed it is empty. */
struct history {
	unsigned int n;
	unsigned int first; /* the oldest */
	struct decision items[HISTORY_MAX];
};

/** Keep one more; the oldest is forgotten when there is no room. @text is copied. */
void history_add(
	struct history *h, uint64_t time_us, enum cause cause, const char *text);

/** Keep a repair. The same one comes in place of the last; of others few are kept. */
void history_add_repair(
	struct history *h, uint64_t time_us, enum cause cause, const char *text);

/** The i-th of h->n, the oldest first. */
const struct decision *history_at(const struct history *h, unsigned int i);

/** Forget all. */
void history_clear(struct history *h);

#endif

// SPDX-License-Identifier: MIT
/*
 * How long a VM's masks are repaired against somebody who keeps changing them. A budget
 * of repairs that fills up slowly: a quick opponent has used it up in a minute, one
 * that comes once a minute in half an hour, and one that comes a few times an hour
 * never. Then the VM is left alone for a time, longer each time. Pure: time comes in.
 */
#ifndef QMPIN_DAEMON_PATIENCE_H
#define QMPIN_DAEMON_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/* So many repairs at once, and so many an hour for ever. */
#define PATIENCE_BURST 30u
#define PATIENCE_PER_HOUR 6u
/* Left alone the first time, and at most. */
#define PATIENCE_PEACE_US (UINT64_C(10) * 60 * 1000000)
#define PATIENCE_PEACE_MAX_US (UINT64_C(8) * 3600 * 1000000)

/* Zeroed, nobody has tried it yet. */
struct patience {
	double used;	    /* of PATIENCE_BURST */
	uint64_t used_us;   /* as of then */
	unsigned int spent; /* repairs since began_us */
	uint64_t began_us;  /* when nothing was used up */
	uint64_t peace_us;  /* how long it was left alone last; 0: never of late */
};

/** One repair at @now_us. Returns 0, or how long to leave the VM alone. */
uint64_t patience_spend(struct patience *p, uint64_t now_us);

/** The VM is looked after again: what is left of the budget is enough to put it right
 * once and to see whether it stays so. */
void patience_try(struct patience *p, uint64_t now_us);

#endif

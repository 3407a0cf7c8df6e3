// SPDX-License-Identifier: MIT
/*
 * Two threads meet, and one cache line goes to and fro between them. Whoever waits does
 * so for the other thread only, spinning, and never beyond an instant given.
 */
#ifndef QMPIN_PROBE_RALLY_H
#define QMPIN_PROBE_RALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* Round trips of a batch: 1.2 us at the least known latency, of which the clock's 20 ns
 * are little, and 25 us at the greatest. */
#define RALLY_ROUNDS 24u
/* Timed batches of a rally. */
#define RALLY_BATCHES 16u
/* Each batch has another line. Of x86's pairs of lines and of the longest there are. */
#define RALLY_LINE_BYTES 256u
#define RALLY_LINES 16u

/* A page of lines, and which of them is the first. */
struct rally_court {
	unsigned char *lines;
	unsigned int first;
};

/** Nanoseconds of CLOCK_MONOTONIC. */
uint64_t rally_now_ns(void);

/**
 * Wait for the other thread; both call it.
 *
 * @meeting   0 at first; of this one meeting only
 * @until_ns  give up then
 *
 * Returns true to both or to none.
 */
bool rally_meet(_Atomic uint32_t *meeting, uint64_t until_ns);

/** Make the lines ready, before the meeting; by the thread that serves. */
void rally_clear(const struct rally_court *c);

/**
 * Keep the lines moving, and take the time: one batch to warm up, then RALLY_BATCHES.
 * The other thread calls rally_return.
 *
 * @enough_ns  begin no further batch then; one is timed in any case
 * @until_ns   give up then
 * @batch_ns   RALLY_BATCHES; what is timed
 *
 * Returns how many were timed, 0 when it was given up.
 */
unsigned int rally_serve(const struct rally_court *c, uint64_t enough_ns,
	uint64_t until_ns, uint32_t *batch_ns);

/** The other side. Returns false when it was given up. */
bool rally_return(const struct rally_court *c, uint64_t until_ns);

#endif

// SPDX-License-Identifier: MIT
/*
 * How long the event loop is busy without a pause: a turn is all that was due when the
 * loop woke up. While one lasts nobody else is answered, so the longest ones say what
 * others may have to wait for. CPU time: what the machine does meanwhile is not ours.
 */
#ifndef QMPIN_DAEMON_TURNS_H
#define QMPIN_DAEMON_TURNS_H

#include <stdint.h>

struct event_base;

/* Upper bounds in microseconds; turns beyond the last are counted behind it. */
#define TURNS_BOUNDS_US 1000u, 2000u, 5000u, 10000u, 20000u, 50000u, 100000u
#define TURNS_CLASSES 8u

/* Zeroed it is empty. */
struct turns {
	uint64_t number; /* of the present one */
	uint64_t longest_us;
	uint64_t total_us;
	uint64_t counts[TURNS_CLASSES]; /* turns of each length */
};

/** Note one turn. */
void turns_add(struct turns *t, uint64_t us);

/** The upper bound of a class in microseconds, 0 for the last one. */
uint64_t turns_bound_us(unsigned int class);

/** Run the loop until somebody breaks it off or nothing is left to wait for. */
void turns_run(struct turns *t, struct event_base *base);

#endif

// SPDX-License-Identifier: MIT
/*
 * Waiting of threads from samples of their counters: what each ran and waited in the
 * last two windows between samples, and whether that is too much. Pure: samples and
 * times come from the caller.
 */
#ifndef QMPIN_DAEMON_RUNDELAY_H
#define QMPIN_DAEMON_RUNDELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vm/schedstat.h"

#define RUNDELAY_WINDOWS 2u

/* A single vCPU may wait so many times as much of its time as all of them together: the
 * others may have CPUs of their own and never wait, but a guest is as slow as who holds
 * its locks. */
#define RUNDELAY_ONE 4.0
/* Waiting below this part of a CPU is what any wake-up costs. */
#define RUNDELAY_MIN_CPUS 0.02

struct rundelay_window {
	uint64_t run_us;
	uint64_t wait_us;
	uint64_t span_us;
};

/* A thread. */
struct rundelay {
	pid_t tid;
	uint64_t start_ticks; /* of the thread */
	bool known;	      /* last holds */
	struct schedstat last;
	uint64_t at_us;
	unsigned int n;					  /* windows that hold */
	struct rundelay_window windows[RUNDELAY_WINDOWS]; /* the last one first */
};

/** What was before says nothing any more. */
void rundelay_restart(struct rundelay *r);

/** A sample. One too soon after the last is left out; counters that jump begin anew. */
void rundelay_add(struct rundelay *r, const struct schedstat *s, uint64_t now_us);

/** Share of the runnable time of @n threads, in the windows there are, that they
 * waited; 0 when they did not run, negative: unknown. */
double rundelay_share(const struct rundelay *r, size_t n);

/** They waited for more than @max of their runnable time (ran and waited) in each of
 * the two windows. */
bool rundelay_is_above(const struct rundelay *r, size_t n, double max);

/** CPUs in use by a thread in the last window; 0 also when unknown. */
double rundelay_busy(const struct rundelay *r);

#endif

// SPDX-License-Identifier: MIT
/*
 * Measures one pair of CPUs: two threads, each on its CPU, hand one cache line to and
 * fro in short bursts. Blocks for some milliseconds; nothing spins without a bound.
 */
#ifndef QMPIN_PROBE_METER_H
#define QMPIN_PROBE_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct meter;

/* What a visit takes from a thread that wants the same CPU, beyond cpu_us: it is put
 * aside and put back five times, and what hands out visits runs somewhere too. 0.1 ms
 * were seen in a virtual machine. Who keeps account of what visits take adds this. */
#define METER_SWITCHING_US 200u

enum meter_outcome {
	METER_OK,
	METER_DISTURBED, /* no burst was left alone: no result */
	METER_GONE,	 /* a CPU is offline or not ours: see gone_cpu */
};

/* One visit to a pair. */
struct meter_visit {
	enum meter_outcome outcome;
	float ns;	       /* one way; only with METER_OK */
	unsigned int bursts;   /* begun */
	unsigned int dropped;  /* of them, because of preemption or a missed start */
	unsigned int gone_cpu; /* with METER_GONE */
	uint64_t cpu_us[2];    /* CPU time it took on each of the two */
	uint64_t wall_us;
};

/** Two threads that wait for work. Returns 0 or a negative errno with @e. */
MUST_CHECK int meter_new(struct meter **out, struct err *e);

/** Visit a pair of different CPUs. Never fails; @out says what came of it. */
void meter_visit(struct meter *m, unsigned int cpu_a, unsigned int cpu_b,
	struct meter_visit *out);

/** Real-time priority was asked for and refused: bursts are disturbed more often. */
bool meter_lacks_realtime(const struct meter *m);

/** End the threads. NULL is allowed. */
void meter_free(struct meter *m);

#endif

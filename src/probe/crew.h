// SPDX-License-Identifier: MIT
/* Some meters at work at a time, each with a thread that waits for it. */
#ifndef QMPIN_PROBE_CREW_H
#define QMPIN_PROBE_CREW_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "probe/meter.h"
#include "topo/cpuset.h"

/* Pairs at a time, whatever is asked for. */
#define CREW_PAIRS_MAX 64u

struct crew;

/* A visit that is over. */
struct crew_report {
	unsigned int cpu_a;
	unsigned int cpu_b;
	struct meter_visit visit;
};

/** @pairs  at a time, 1 to CREW_PAIRS_MAX. Returns 0 or a negative errno with @e. */
MUST_CHECK int crew_new(unsigned int pairs, struct crew **out, struct err *e);

/** Readable when there may be a report. */
int crew_fd(const struct crew *c);

/** Have a pair visited. Returns false when all are at work. */
MUST_CHECK bool crew_start(struct crew *c, unsigned int cpu_a, unsigned int cpu_b);

/** The next report, in any order. Returns false when there is none now. */
MUST_CHECK bool crew_take(struct crew *c, struct crew_report *out);

/** Pairs that were started and have not been taken, and their CPUs. */
unsigned int crew_at_work(const struct crew *c);
struct cpuset crew_cpus(const struct crew *c);
bool crew_is_full(const struct crew *c);

/** Real-time priority was refused. */
bool crew_lacks_realtime(const struct crew *c);

/** Wait for the visits and end. NULL is allowed. */
void crew_free(struct crew *c);

#endif

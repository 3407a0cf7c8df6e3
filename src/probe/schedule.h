// SPDX-License-Identifier: MIT
/*
 * Which pair is to be visited next, and what the visits say about all pairs. Starts
 * with one pair for each pair of sharing groups, verifies with others, goes into detail
 * where a group's pairs differ, and comes back to each pair at least four times, passes
 * apart. Pure and deterministic.
 */
#ifndef QMPIN_PROBE_SCHEDULE_H
#define QMPIN_PROBE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "topo/cpuset.h"
#include "topo/matrix.h"
#include "topo/model.h"

/* Visits of a pair that are wanted before it is believed. */
#define SCHEDULE_VISITS 4u

struct schedule;

struct schedule_options {
	const struct topo *topo;    /* borrowed while the schedule lives */
	struct cpuset cpus;	    /* to be measured: online ones */
	const struct matrix *known; /* earlier results, taken as they are; may be NULL;
				     * borrowed for the call */
	bool exhaustive;	    /* every pair of CPUs, nothing inferred */
};

enum schedule_phase {
	SCHEDULE_REPRESENTATIVES, /* one pair of each block */
	SCHEDULE_VERIFY,	  /* others of each block */
	SCHEDULE_REFINE,	  /* blocks that are not of one piece */
	SCHEDULE_DONE,
};

struct schedule_progress {
	enum schedule_phase phase;
	unsigned int visits;	   /* made, with or without a result */
	unsigned int visits_total; /* as far as can be told now */
	unsigned int pairs;	   /* that have a measured result */
	unsigned int pairs_total;  /* of all the CPUs */
};

/** Never NULL; free with schedule_free. */
struct schedule *schedule_new(const struct schedule_options *o);
void schedule_free(struct schedule *s);

/**
 * The next pair. May be called again before the result of the one before is there: the
 * pairs that are out are given to nobody else.
 *
 * @not_now  CPUs that are in use or have to rest
 * @avoid    CPUs to be left for later as long as there is something else to do
 *
 * Returns false when there is none that is possible now.
 */
bool schedule_next(struct schedule *s, const struct cpuset *not_now,
	const struct cpuset *avoid, unsigned int *cpu_a, unsigned int *cpu_b);

/** The result of a visit: @ns, or 0 for none. A pair that never yields one is given up
 * after some visits. */
void schedule_result(
	struct schedule *s, unsigned int cpu_a, unsigned int cpu_b, float ns);

/** A CPU has gone: no more visits to it. What is out with it has no result. */
void schedule_drop_cpu(struct schedule *s, unsigned int cpu);

/** Rounds begun: no pair is in one twice. Who lets some time pass when this has grown
 * gets visits that do not share one moment's disturbance. */
unsigned int schedule_rounds(const struct schedule *s);

/** Nothing more to do, ever. */
bool schedule_done(const struct schedule *s);

void schedule_progress(const struct schedule *s, struct schedule_progress *out);

/** What is known now: measured pairs, and inferred ones with less confidence. A new
 * object, free with matrix_free. */
struct matrix *schedule_matrix(const struct schedule *s);

#endif

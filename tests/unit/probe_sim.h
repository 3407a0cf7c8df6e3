// SPDX-License-Identifier: MIT
/*
 * A host to be measured that exists in numbers only: its topology, its true latencies,
 * visits with noise, and virtual time. For tests and benchmarks of probe/schedule.h.
 */
#ifndef QMPIN_TESTS_PROBE_SIM_H
#define QMPIN_TESTS_PROBE_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "layouts.h"
#include "topo/matrix.h"

struct sim_noise {
	double moment_sd; /* relative, common to all visits of one tenth of a second */
	double visit_sd;  /* relative, of each visit */
	double lost;	  /* share of visits without a result */
	double high;	  /* share that are 1.5 to 3 times too high */
};

extern const struct sim_noise sim_noise_usual;

struct sim_host {
	const char *name;
	struct topo *topo;    /* owned */
	struct matrix *truth; /* owned */
};

void sim_host_fini(struct sim_host *h);

/** The same numbers for the same seed. */
double sim_uniform(uint64_t *seed);
double sim_normal(uint64_t *seed);

/** A regular host whose latencies are made up: each level of sharing has its own, each
 * pair of groups an offset of its own (sd @tilt), each pair (sd @jitter). */
struct sim_host sim_chiplet(const char *name, const struct layout *layout, double tilt,
	double jitter, uint64_t seed);

struct sim_options {
	double visit_us;   /* wall time, and CPU time of both */
	double until_s;	   /* virtual; 0: until the schedule is done */
	unsigned int jobs; /* visits at a time */
	double cold_s;	   /* of pace; negative: no pace */
	bool all_pairs;	   /* instead of the schedule: every pair once, in order */
	uint64_t seed;
	struct sim_noise noise;
	const double *looks; /* seconds at which to look, ascending */
	unsigned int n_looks;
};

struct sim_look {
	double loss[3]; /* for 4, 8 and 16 neighbours; 1 = 100 %. Negative: unknown */
	double pairs;	/* measured, of all: 0..1 */
};

#define SIM_LOOKS 8u

struct sim_result {
	struct sim_look looks[SIM_LOOKS];
	struct sim_look last;
	double total_s; /* until done, virtual */
	unsigned int visits;
	double next_ns;	    /* real CPU time of a schedule_next and its result */
	double next_max_us; /* the longest one */
	double cpu_share;   /* the largest share any CPU gave */
};

void sim_run(
	const struct sim_host *h, const struct sim_options *o, struct sim_result *out);

/** How much worse the @k nearest by @estimate are than the truly nearest: mean over all
 * CPUs, in true latency. Ties and unknown ones are ordered by chance. */
double sim_loss(const struct matrix *truth, const struct matrix *estimate,
	unsigned int k, uint64_t seed);

#endif

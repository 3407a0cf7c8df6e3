// SPDX-License-Identifier: MIT
/*
 * The judge of placements. It knows CPUs, masks, latencies and where memory is; it
 * shares no code with the planner. All vCPUs are taken as busy but for waiting; those
 * allowed on several CPUs are spread over them as the kernel would balance, narrow
 * masks first.
 */
#ifndef QMPIN_BENCH_JUDGE_H
#define QMPIN_BENCH_JUDGE_H

#include "site.h"
#include "waits.h"

#define JUDGE_DRAWS_EACH 16u
#define JUDGE_DRAWS (WAITS_N_CHANCES * JUDGE_DRAWS_EACH)

enum measure {
	MEASURE_J,
	MEASURE_WAIT,	/* mean over the draws: share of the busy demand that waits */
	MEASURE_WAIT95, /* its 95th percentile */
	MEASURE_LAT,	/* ns, mean over the pairs of vCPUs of a VM, by vCPUs */
	MEASURE_REMOTE, /* share of accesses to memory of another node */
	MEASURE_LOST,	/* share of demand beyond what CPUs have to be short of */
	MEASURE_SMT,	/* share of vCPUs whose core another one shares */
	MEASURE_SMT_X,	/* one of another VM */
	MEASURE_SPLIT,	/* share of VMs on more nodes than their size needs */
	MEASURE_IMB,	/* largest load of a core / max(1, vCPUs / cores) */
	MEASURE_EMU,	/* share of the emulators' CPUs that carry vCPUs too */
	MEASURE_WIDTH,	/* share of the online CPUs that a vCPU may use */
	N_MEASURES
};

struct verdict {
	double of[N_MEASURES];
	float wait[JUDGE_DRAWS]; /* ascending */
};

/** Judge a site (not empty). VMs whose memory is nowhere yet touch it now. @seed: as of
 * waits_draw. */
struct verdict judge_site(struct site *s, uint64_t seed);

/** All but waiting. */
struct verdict judge_busy(struct site *s);

/** VMs whose memory is nowhere yet touch it, and no more. */
void judge_touch(struct site *s);

const char *judge_measure_name(enum measure m);

#endif

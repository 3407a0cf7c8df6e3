// SPDX-License-Identifier: MIT
/*
 * CPU use of groups of processes over time, from their counters: smoothed, and laid on
 * the CPUs that each group may use. What the machine has used and no part of it
 * explains is the kernel's own (threads of file systems, interrupts). Pure: samples and
 * times come from the caller, in rounds of begin, adds and end.
 */
#ifndef QMPIN_DAEMON_LOADS_H
#define QMPIN_DAEMON_LOADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "topo/cpuset.h"

/* So long until a new level of use counts for the half of it. */
#define LOADS_HALF_US UINT64_C(60000000)

enum loads_flag {
	LOADS_MACHINE = 1u << 0, /* of all; what its parts do not explain counts */
	LOADS_PART = 1u << 1,	 /* of the machine */
	LOADS_COUNTS = 1u << 2,	 /* is laid on CPUs */
};

struct loads_sample {
	const char *path;
	const struct cpuset *cpus;
	uint64_t used_us;   /* a counter */
	unsigned int flags; /* enum loads_flag */
};

struct loads_group {
	char *path;
	struct cpuset cpus;
	unsigned int flags;
	uint64_t used_us;
	uint64_t read_us;
	uint64_t span_us; /* since the last sample; 0: it is the first */
	double now_cpus;  /* in use during that */
	double busy_cpus; /* smoothed */
	bool known;	  /* busy_cpus holds */
	bool seen;	  /* in this round */
};

struct loads {
	unsigned int rounds; /* that ended */
	size_t n;
	size_t cap;
	struct loads_group *groups; /* ascending path */
};

void loads_begin(struct loads *l);
void loads_add(struct loads *l, uint64_t now_us, const struct loads_sample *s);
/** Groups without a sample in this round are forgotten. */
void loads_end(struct loads *l);
void loads_fini(struct loads *l);

/** CPUs that a group uses; negative: not known. */
double loads_of(const struct loads *l, const char *path);

/**
 * The use of all groups that count, evenly on the CPUs of each.
 *
 * @may   CPUs where the kernel balances; a group that has none of these is laid on all
 *        that it has
 * @cpus  CPUSET_CAP entries, 0..1 each; written
 */
void loads_lay(const struct loads *l, const struct cpuset *may, double *cpus);

/** The same of those groups only that may not run everywhere in @may: the others go to
 * where it is idle, and are in nobody's way before all of it is busy. */
void loads_lay_bound(const struct loads *l, const struct cpuset *may, double *cpus);

/** @now (CPUSET_CAP entries) says something else than @shown, and not only a little. */
bool loads_is_news(const double *shown, const double *now);

double loads_sum(const double *cpus);

#endif

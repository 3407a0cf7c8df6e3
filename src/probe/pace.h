// SPDX-License-Identifier: MIT
/*
 * How much of the CPUs' time measuring may take: of no CPU more than a small share, so
 * that neither a VM nor the host can feel it. Pure; time comes in.
 */
#ifndef QMPIN_PROBE_PACE_H
#define QMPIN_PROBE_PACE_H

#include <stdint.h>

#include "topo/cpuset.h"

/* Share of a CPU's time while a cold start lasts, and afterwards. */
#define PACE_COLD_SHARE 0.01
#define PACE_LATER_SHARE 0.001
/* What a CPU may have saved up: the time of one visit or two. */
#define PACE_SAVED_US 4000.0

struct pace;

/** @cold_s  so long the larger share is allowed, from @now_us on. Never NULL. */
struct pace *pace_new(const struct cpuset *cpus, double cold_s, uint64_t now_us);
void pace_free(struct pace *p);

/** CPUs that have to rest at @now_us. */
struct cpuset pace_resting(struct pace *p, uint64_t now_us);

/** From when on one of the resting ones may work again; UINT64_MAX: none rests. */
uint64_t pace_next_us(struct pace *p, uint64_t now_us);

/** A CPU has worked for @cpu_us. It rests until that is no more than its share. */
void pace_spend(struct pace *p, unsigned int cpu, uint64_t cpu_us, uint64_t now_us);

#endif

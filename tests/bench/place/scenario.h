// SPDX-License-Identifier: MIT
/*
 * Made-up days of a Proxmox host: VMs of 1 to 32 vCPUs start, plug vCPUs and stop, CPUs
 * go offline and come back. The same for a seed everywhere.
 */
#ifndef QMPIN_BENCH_SCENARIO_H
#define QMPIN_BENCH_SCENARIO_H

#include <stdio.h>

#include "place/replay.h"
#include "topo/model.h"

struct scenario_band {
	unsigned int low_pct; /* vCPUs in percent of the host's CPUs */
	unsigned int high_pct;
};

struct scenario {
	unsigned int n;
	unsigned int n_fill; /* so many of them, all starts, only fill the host */
	struct replay_event *events;
};

/** @n_events  after the host has been filled into the band; scenario_fini it */
struct scenario scenario_make(const struct topo *t, const struct scenario_band *band,
	uint64_t seed, unsigned int n_events);
void scenario_fini(struct scenario *s);

/** As JSON Lines, as "qmpin plan" reads them. */
void scenario_print(const struct scenario *s, FILE *out);

#endif

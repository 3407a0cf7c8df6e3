// SPDX-License-Identifier: MIT
/* How far the vCPUs of each VM are from each other and from their memory. */
#ifndef QMPIN_BENCH_DISTANCE_H
#define QMPIN_BENCH_DISTANCE_H

#include "filled.h"

struct distance {
	double lat_ns; /* means over all VMs, by vCPUs */
	double remote;
};

struct distance distance_judge(const struct filled *f);

#endif

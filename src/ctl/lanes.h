// SPDX-License-Identifier: MIT
/*
 * VMs beside the axis of a picture: each in a lane, several in one lane where they
 * share no CPU. Pure.
 */
#ifndef QMPIN_CTL_LANES_H
#define QMPIN_CTL_LANES_H

#include <stddef.h>

#include "ctl/axis.h"
#include "ctl/heatmap.h"

/* More would take more room than the matrix. */
#define LANES_MAX 48u

struct lanes {
	unsigned int n;
	int *of; /* VM -> lane; -1: it is on no CPU of the axis, or none is left */
	size_t n_left; /* VMs for which no lane is left */
};

void lanes_init(struct lanes *lanes, const struct heatmap *h, const struct axis *a);
void lanes_fini(struct lanes *lanes);

#endif

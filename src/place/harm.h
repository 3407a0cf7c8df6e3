// SPDX-License-Identifier: MIT
/*
 * What the VMs that are on the host lose when cores are taken from them: which cores
 * carry how much, and how many vCPUs get other masks. Pure.
 */
#ifndef QMPIN_PLACE_HARM_H
#define QMPIN_PLACE_HARM_H

#include "place/entry.h"

/* vCPUs that share one mask of several CPUs. */
struct harm_mask {
	struct cpuset cpus;
	struct cpuset cores; /* indices into topo->cores */
	unsigned int n_vcpus;
	double demand;
};

struct harm {
	unsigned int n_masks;
	size_t cap_masks;
	struct harm_mask *masks;
	double *load;	   /* of each core: demand on it */
	unsigned int *has; /* of each core: vCPUs with a part of it in their masks */
};

/** Of all VMs that have no cores of their own, where they are now. harm_fini it. */
struct harm harm_of(const struct plan_input *in, const struct entries *e);
void harm_fini(struct harm *h);

#endif

// SPDX-License-Identifier: MIT
/* First fit, in the order in which the VMs are given. */
#include "config.h"

#include "ctl/lanes.h"

#include <stdlib.h>

#include "base/xalloc.h"

/* The first lane in which nobody has one of @cpus; LANES_MAX: none. */
static unsigned int
first_free(
	const struct lanes *lanes, const struct cpuset *used, const struct cpuset *cpus)
{
	unsigned int lane = 0;

	while (lane < lanes->n && cpuset_overlap(&used[lane], cpus))
		lane++;
	return lane;
}

void
lanes_init(struct lanes *lanes, const struct heatmap *h, const struct axis *a)
{
	struct cpuset shown = axis_cpus(a, 0, a->n);
	struct cpuset used[LANES_MAX] = {0};

	*lanes = (struct lanes){.of = xcalloc(h->n_vms, sizeof(*lanes->of))};
	for (size_t i = 0; i < h->n_vms; i++) {
		struct cpuset cpus = cpuset_and(&h->vms[i].cpus, &shown);
		unsigned int lane;

		lanes->of[i] = -1;
		if (cpuset_empty(&cpus))
			continue;
		lane = first_free(lanes, used, &cpus);
		if (lane == LANES_MAX) {
			lanes->n_left++;
			continue;
		}
		if (lane == lanes->n)
			lanes->n++;
		used[lane] = cpuset_or(&used[lane], &cpus);
		lanes->of[i] = (int)lane;
	}
}

void
lanes_fini(struct lanes *lanes)
{
	free(lanes->of);
	*lanes = (struct lanes){0};
}

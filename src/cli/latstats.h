// SPDX-License-Identifier: MIT
/* What the pairs of CPUs that are new at each tier have in common. Pure. */
#ifndef QMPIN_CLI_LATSTATS_H
#define QMPIN_CLI_LATSTATS_H

#include <stddef.h>

#include "ctl/latency.h"
#include "topo/model.h"

struct latstats {
	unsigned int min_cpus; /* of a domain */
	unsigned int max_cpus;
	size_t pairs;	 /* that are in one domain of this tier, and of none before */
	size_t known;	 /* of them, with a latency */
	float min_ns;	 /* 0: none is known */
	float median_ns; /* of an even number the lower middle */
	float max_ns;
};

/** Into @out, one for each of l->n_tiers. */
void latstats_compute(const struct ctl_latency *l, struct latstats *out);

/**
 * What the firmware calls the domains of a tier: "core", "l2", "l3", "node", "package",
 * "host" for the last one; "cluster": it does not know them. Static.
 *
 * @t  the host; NULL: "-" but for the last one
 */
const char *latstats_tier_name(
	const struct ctl_latency *l, unsigned int tier, const struct topo *t);

#endif

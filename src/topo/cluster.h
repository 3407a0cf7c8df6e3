// SPDX-License-Identifier: MIT
/*
 * Clusters in measured latencies, without any knowledge of the host: who is nearer to
 * each other than to anybody else, by a step and not by a slope. Pure.
 */
#ifndef QMPIN_TOPO_CLUSTER_H
#define QMPIN_TOPO_CLUSTER_H

#include "base/attr.h"
#include "topo/lat.h"
#include "topo/partition.h"

#define CLUSTER_TIERS_MAX 8u

/* Pairs that are in one block of a tier lie below its step, all others above. */
struct cluster_tier {
	struct partition blocks;
	float step_ns;
};

struct cluster {
	float known;	      /* share of the pairs that are known, 0..1 */
	unsigned int n_tiers; /* 0: no step is clear */
	struct cluster_tier tiers[CLUSTER_TIERS_MAX]; /* near to far; they nest */
};

/**
 * Find the tiers, without that of single members and that of all.
 *
 * @lat  0 stands for "not known", also off the diagonal
 *
 * Free with cluster_fini. Takes time n * n * (steps tried, at most 16) * n / 64.
 */
struct cluster cluster_find(const struct lat_view *lat);

/** The same between the blocks of @p, of which few pairs may be known. Partitions are
 * of the members. */
struct cluster cluster_find_between(
	const struct lat_view *lat, const struct partition *p);

void cluster_fini(struct cluster *c);

#endif

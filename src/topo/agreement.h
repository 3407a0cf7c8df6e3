// SPDX-License-Identifier: MIT
/*
 * Whether measured latencies agree with the levels of the host's own tree: level by
 * level, group by group. Pure.
 */
#ifndef QMPIN_TOPO_AGREEMENT_H
#define QMPIN_TOPO_AGREEMENT_H

#include "base/attr.h"
#include "topo/cluster.h"
#include "topo/lat.h"
#include "topo/levels.h"
#include "topo/ranking.h"

/**
 * What is measured about @tree->at[@k] (not the first nor the last).
 *
 * @measured  0 stands for "not known"
 * @tree      from single PUs to the host, as of levels_nest
 * @c         clusters of the same PUs, which tell whether a group is split or cut
 * across
 */
struct ranking_level agreement_check(const struct lat_view *measured,
	const struct levels *tree, unsigned int k, const struct cluster *c);

#endif

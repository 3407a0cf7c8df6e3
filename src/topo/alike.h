// SPDX-License-Identifier: MIT
/*
 * CPUs that are alike without being near: two kinds of cores, whose rows of the matrix
 * differ as a whole. Pure.
 */
#ifndef QMPIN_TOPO_ALIKE_H
#define QMPIN_TOPO_ALIKE_H

#include <stdbool.h>

#include "base/attr.h"
#include "topo/lat.h"
#include "topo/partition.h"

struct alike {
	struct partition blocks; /* two; partition_fini it */
	float confidence;	 /* 0..1, of the separation alone */
};

/**
 * Find the two kinds on a host whose clusters are all small.
 *
 * @lat    0 stands for "not known", also off the diagonal
 * @units  who stays together (siblings); pairs inside prove nothing here
 * @kinds  two blocks: the kinds as the host tells them, the only ones looked at; NULL:
 *         it does not, and each kind is one run of units in the order of their numbers
 * @out    written only when there are two kinds
 *
 * Looks at hosts of up to 128 CPUs in at least 6 units of at most 8: others have their
 * tiers or would have no use for this one. Returns whether the kinds are clear.
 */
MUST_CHECK bool alike_find(const struct lat_view *lat, const struct partition *units,
	const struct partition *kinds, struct alike *out);

#endif

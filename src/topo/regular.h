// SPDX-License-Identifier: MIT
/*
 * Mending a partition of a host's CPUs by the rule that most of its blocks follow.
 * Pure.
 */
#ifndef QMPIN_TOPO_REGULAR_H
#define QMPIN_TOPO_REGULAR_H

#include "topo/lat.h"
#include "topo/partition.h"

/**
 * Members that no block of the usual look has, and that would make another one, are
 * joined.
 *
 * @p       between @finer and @around, and so afterwards
 * @lat     0 stands for "not known"
 */
void regular_mend(struct partition *p, const struct partition *finer,
	const struct partition *around, const struct lat_view *lat);

/** What is left over in a block of @around while others grew is one block too, when it
 * is about as large as theirs. */
void regular_join_left(struct partition *p, const struct partition *finer,
	const struct partition *around);

#endif

// SPDX-License-Identifier: MIT
/*
 * Where the memory of a group is, or will be once it is touched, and how much is left
 * free for who comes next. Pure.
 */
#ifndef QMPIN_PLACE_FOOTPRINT_H
#define QMPIN_PLACE_FOOTPRINT_H

#include "place/world.h"

/** The world's part: free memory, costs. */
void footprint_set_up(struct world *w);

/** What is known of a group's memory: bound, in place, or yet to be touched. */
void footprint_of(const struct world *w, struct world_group *g);

/** Shares of the group's memory on each node if it were on tree node @node, into @out:
 * where it is, or where it would be touched. */
void footprint_shares(const struct world *w, const struct world_group *g,
	unsigned int node, double *out);

/** Who comes next finds less memory free, or (@node -1) more again. */
void footprint_put(struct world *w, struct world_group *g, int node);

#endif

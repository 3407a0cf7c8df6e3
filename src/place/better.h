// SPDX-License-Identifier: MIT
/* What would have to be free for something better. Pure. */
#ifndef QMPIN_PLACE_BETTER_H
#define QMPIN_PLACE_BETTER_H

#include "place/explain.h"
#include "place/world.h"

/**
 * The node that would cost the group least if nobody else was there, and how many of
 * its CPUs have to be free so that it would be the choice.
 *
 * @g    has its place; all vCPUs of its VM
 * @out  out->chosen is written; better and has_better are written here, but for
 *       what is common to all options
 *
 * Returns the node, -1: there is nothing better. The world is as before.
 */
int better_find(struct world *w, const struct world_group *g, struct explain *out);

#endif

// SPDX-License-Identifier: MIT
/*
 * Better places for groups that are new in this run: they run nowhere yet, so moving
 * them costs nothing. Others are only widened. Pure.
 */
#ifndef QMPIN_PLACE_SEARCH_H
#define QMPIN_PLACE_SEARCH_H

#include "place/world.h"

/**
 * Settle the groups of a plan in which something happened: repair waiting, and re-place
 * the new ones while the total falls.
 *
 * @new  float groups placed in this run, each on its node
 */
void search_settle(struct world *w, struct world_group **new, unsigned int n);

#endif

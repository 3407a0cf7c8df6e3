// SPDX-License-Identifier: MIT
/*
 * Better places for pinned groups that are new in this run: they run nowhere yet, so
 * moving them costs nothing. Nobody else moves. Pure.
 */
#ifndef QMPIN_PLACE_PINSEARCH_H
#define QMPIN_PLACE_PINSEARCH_H

#include "place/world.h"

/**
 * Choose again for each, and for two at a time, while what all pay falls.
 *
 * @new  groups placed in this run, each of them whole or in part; those in part stay
 */
void pinsearch_settle(struct world *w, struct world_group **new, unsigned int n);

#endif

// SPDX-License-Identifier: MIT
/*
 * Who gets a wider domain when a placement would make VMs wait, and who gets its own
 * back when it was not needed after all. Pure.
 */
#ifndef QMPIN_PLACE_REPAIR_H
#define QMPIN_PLACE_REPAIR_H

#include "place/world.h"

/**
 * Widen domains until the waiting condition holds or nothing helps any more: always the
 * one that helps most for the distance it costs.
 */
void repair_waiting(struct world *w);

/**
 * Take back what groups were widened in this run (from their first node) where that
 * makes nobody wait: the dearest first.
 */
void repair_undo(struct world *w);

#endif

// SPDX-License-Identifier: MIT
/* How much VMs wait in draws that the plan has not seen. Pure. */
#ifndef QMPIN_PLACE_UNSEEN_H
#define QMPIN_PLACE_UNSEEN_H

#include "place/world.h"

/** What waits in draws that nothing was fitted to (settled). */
struct wait_cost unseen_check(struct world *w);

#endif

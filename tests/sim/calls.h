// SPDX-License-Identifier: MIT
/* In the place of ctl/call.c: calls of the administrator, without a connection. */
#ifndef QMPIN_TESTS_SIM_CALLS_H
#define QMPIN_TESTS_SIM_CALLS_H

#include "model.h"

struct engine;

/** qmpin mode ID MODE, restore ID, apply ID. */
void calls_mode(struct engine *e, const struct guest *g, enum place_mode mode);
void calls_restore(struct engine *e, const struct guest *g);
void calls_apply(struct engine *e, const struct guest *g);

#endif

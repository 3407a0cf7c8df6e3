// SPDX-License-Identifier: MIT
/*
 * A VM that an earlier daemon has touched and whose record does not say that it was
 * placed: that daemon was killed before it could. Which vCPUs have their place already
 * their masks say.
 */
#ifndef QMPIN_DAEMON_TAKEOVER_H
#define QMPIN_DAEMON_TAKEOVER_H

#include <stdbool.h>

struct engine;
struct vm;

/**
 * What vCPUs have is wanted of those whose mask is another one than they had before us,
 * and within that. The rest are to the planner as if they were plugged now.
 *
 * @vm  surveyed, with its record
 *
 * Returns whether there are any: then it is placed.
 */
bool takeover_masks(const struct engine *e, struct vm *vm);

#endif

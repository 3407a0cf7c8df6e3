// SPDX-License-Identifier: MIT
/*
 * The pairs that have been or are to be visited: a belief for each, found by its two
 * rows. Of the many others only an empty place of four bytes is kept. Pure.
 */
#ifndef QMPIN_PROBE_PAIRS_H
#define QMPIN_PROBE_PAIRS_H

#include <stddef.h>
#include <stdint.h>

#include "probe/belief.h"

struct pairs {
	uint32_t *place; /* row by row, lower triangle: index into items + 1, 0 none */
	struct belief *items;
	size_t n;
	size_t cap;
};

void pairs_init(struct pairs *p, unsigned int rows);
void pairs_fini(struct pairs *p);

/** The belief of two different rows, in any order, or NULL. Valid until pairs_add. */
struct belief *pairs_find(const struct pairs *p, unsigned int a, unsigned int b);

/** The same, made when there is none. Returns its index. */
uint32_t pairs_add(struct pairs *p, unsigned int a, unsigned int b);

#endif

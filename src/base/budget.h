// SPDX-License-Identifier: MIT
/*
 * A budget that fills up with the time: so many at once, then as many as the rate
 * gives. Pure.
 */
#ifndef QMPIN_BASE_BUDGET_H
#define QMPIN_BASE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: full when something is first taken. */
struct budget {
	double left;
	uint64_t taken_us; /* when something was last asked for; 0: never */
};

/** Take one. @most: what there can be, at least 1. False: there was less than one. */
bool budget_take(struct budget *b, uint64_t now_us, double most, double per_s);

/** What was taken last was the last one, or there was none. */
bool budget_is_spent(const struct budget *b);

/** When there is one again, 0 if there is one. @per_s: above 0. */
uint64_t budget_next_us(const struct budget *b, double per_s);

#endif

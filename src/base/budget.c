// SPDX-License-Identifier: MIT
/* Budgets that fill up with the time. Pure. */
#include "config.h"

#include "base/budget.h"

bool
budget_take(struct budget *b, uint64_t now_us, double most, double per_s)
{
	if (b->taken_us == 0)
		b->left = most;
	else
		b->left += (double)(now_us - b->taken_us) * per_s / 1e6;
	if (b->left > most)
		b->left = most;
	b->taken_us = now_us;
	if (budget_is_spent(b))
		return false;
	b->left -= 1.0;
	return true;
}

bool
budget_is_spent(const struct budget *b)
{
	return b->left < 1.0;
}

uint64_t
budget_next_us(const struct budget *b, double per_s)
{
	if (b->taken_us == 0 || !budget_is_spent(b))
		return 0;
	return b->taken_us + (uint64_t)((1.0 - b->left) / per_s * 1e6);
}

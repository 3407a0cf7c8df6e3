// SPDX-License-Identifier: MIT
/* A triangle of places that point into a growing array. Pure. */
#include "config.h"

#include "probe/pairs.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "topo/matrix.h"

void
pairs_init(struct pairs *p, unsigned int rows)
{
	*p = (struct pairs){.place = xcalloc(matrix_pairs(rows), sizeof(*p->place))};
}

void
pairs_fini(struct pairs *p)
{
	free(p->place);
	free(p->items);
	*p = (struct pairs){0};
}

static uint32_t *
place_of(const struct pairs *p, unsigned int a, unsigned int b)
{
	unsigned int row = a > b ? a : b;
	unsigned int column = a > b ? b : a;

	return &p->place[(size_t)row * (row - 1) / 2 + column];
}

struct belief *
pairs_find(const struct pairs *p, unsigned int a, unsigned int b)
{
	uint32_t place = *place_of(p, a, b);

	return place == 0 ? NULL : &p->items[place - 1];
}

uint32_t
pairs_add(struct pairs *p, unsigned int a, unsigned int b)
{
	uint32_t *place = place_of(p, a, b);

	if (*place != 0)
		return *place - 1;
	p->items = xgrow(p->items, p->n, &p->cap, sizeof(*p->items));
	p->items[p->n] = (struct belief){
		.next = BELIEF_NONE,
		.a = (uint16_t)(a > b ? a : b),
		.b = (uint16_t)(a > b ? b : a),
	};
	*place = (uint32_t)++p->n;
	return *place - 1;
}

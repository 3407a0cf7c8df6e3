// SPDX-License-Identifier: MIT
/*
 * First come, first served. Nothing is armed here: who waits is readable still, and
 * comes again by itself. Pure but for the clock that is handed in.
 */
#include "config.h"

#include "qmp/rota.h"

#include <stddef.h>

static void
note_turn(struct rota *r, const struct clock *clock)
{
	if (r->waiting.tqh_last == NULL)
		TAILQ_INIT(&r->waiting);
	else if (r->last_turn == *r->turn)
		return;
	r->last_turn = *r->turn;
	r->began_us = clock_now_us(clock);
}

void
rota_come(struct rota *r, struct rota_place *p, const struct clock *clock)
{
	struct rota_place *first;

	if (r == NULL || r->turn == NULL) {
		p->on_turn(p->owner);
		return;
	}
	note_turn(r, clock);
	if (!p->waits)
		TAILQ_INSERT_TAIL(&r->waiting, p, next);
	p->waits = true;
	while (clock_now_us(clock) - r->began_us < ROTA_TURN_US &&
		(first = TAILQ_FIRST(&r->waiting)) != NULL) {
		rota_leave(r, first);
		first->on_turn(first->owner);
	}
}

void
rota_leave(struct rota *r, struct rota_place *p)
{
	if (r == NULL || !p->waits)
		return;
	TAILQ_REMOVE(&r->waiting, p, next);
	p->waits = false;
}

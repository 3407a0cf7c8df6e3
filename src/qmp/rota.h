// SPDX-License-Identifier: MIT
/*
 * Who reads next, when many have something to read at once: in one turn of the loop so
 * long, and whoever does not get to it is the first in the next one. So a hundred
 * monitors that send without end delay a request by one turn, and each other fairly.
 */
#ifndef QMPIN_QMP_ROTA_H
#define QMPIN_QMP_ROTA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/clock.h"

/* Reading of a turn; the last read of it may go on beyond that. */
#define ROTA_TURN_US 2000u

/* One reader. */
struct rota_place {
	TAILQ_ENTRY(rota_place) next;
	bool waits;
	void (*on_turn)(void *owner); /* read some; may free any reader */
	void *owner;
};

/* Zeroed it is empty, and puts off nobody. */
struct rota {
	const uint64_t *turn; /* number of the loop's turn; NULL: it has none */
	TAILQ_HEAD(rota_places, rota_place) waiting;
	uint64_t last_turn; /* with reading */
	uint64_t began_us;  /* the reading of that one */
};

/**
 * To be called when there is something to read, and again in the next turn if there
 * still is, as for a descriptor that is readable. Those who wait have their turn, then
 * @p, as far as time goes.
 *
 * @r  NULL: @p has its turn at once
 */
void rota_come(struct rota *r, struct rota_place *p, const struct clock *clock);

/** @p reads no more. @r may be NULL; again: nothing happens. */
void rota_leave(struct rota *r, struct rota_place *p);

#endif

// SPDX-License-Identifier: MIT
/*
 * What the visits to one pair of CPUs have told, and how far that deserves trust. Pure.
 */
#ifndef QMPIN_PROBE_BELIEF_H
#define QMPIN_PROBE_BELIEF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* Visits wanted, and how many there may be where the first ones do not agree. */
#define BELIEF_VISITS 4u
#define BELIEF_VISITS_MAX 6u
/* A pair without any result after so many visits is given up. */
#define BELIEF_FAILURES_MAX 4u

#define BELIEF_NONE UINT32_MAX

struct belief {
	float ns[BELIEF_VISITS_MAX]; /* results, ascending */
	uint32_t next;		     /* of the same block, see pairs.h; BELIEF_NONE */
	uint16_t a;		     /* rows; a > b */
	uint16_t b;
	uint8_t results;
	uint8_t failures;
	bool queued; /* is to be visited, or is being visited */
	bool out;    /* is being visited */
};

/** A visit came back: @ns, or 0 for no result. */
void belief_add(struct belief *b, float ns);

/** The estimate: the lower median of the visits, as whatever disturbs one adds to it. 0
 * without a result. */
float belief_ns(const struct belief *b);

/** How far the visits are apart, of those up to the estimate and the next one above it,
 * relative to it. 0 for less than two. */
float belief_spread(const struct belief *b);

/** 0..100, from number and agreement of the visits. */
uint8_t belief_confidence_pct(const struct belief *b);

/** Should it be visited once more, some time? */
bool belief_wants(const struct belief *b);

/** No result, and no more visits. */
bool belief_hopeless(const struct belief *b);

#endif

// SPDX-License-Identifier: MIT
/*
 * What is to be visited in the next round of a schedule: a list in which each pair is
 * at most once, so that the visits of a pair are rounds apart. Pure.
 */
#ifndef QMPIN_PROBE_ROUND_H
#define QMPIN_PROBE_ROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/blocks.h"
#include "probe/pairs.h"
#include "topo/cpuset.h"

struct round {
	struct blocks *blocks; /* borrowed */
	struct pairs *pairs;   /* borrowed */
	unsigned int number;   /* rounds begun */
	bool refining;	       /* the last one went into detail */
	unsigned int *order;   /* of blocks: the classes take turns */
	unsigned int n_order;
	uint32_t *load; /* of each row: visits it was asked for */
	uint32_t
		*list; /* beliefs to be visited, in this order; of earlier rounds too */
	size_t n;
	size_t cap;
};

void round_init(struct round *r, struct blocks *blocks, struct pairs *pairs);
void round_fini(struct round *r);

/**
 * Add the next round to the list; with it the pairs are queued.
 *
 * @avoid  CPUs to be left alone where others will do
 *
 * Returns false when nothing is to be added, as matters stand.
 */
bool round_add(struct round *r, const struct cpuset *avoid);

/** Pairs that will have been visited in the end, as far as can be told now. */
size_t round_pairs_total(const struct round *r);

#endif

// SPDX-License-Identifier: MIT
/*
 * From the pairs that were visited to all pairs: what a block's pairs say about the
 * block, and what that says about those that nobody visited. Pure.
 */
#ifndef QMPIN_PROBE_INFER_H
#define QMPIN_PROBE_INFER_H

#include "probe/blocks.h"
#include "probe/pairs.h"
#include "topo/matrix.h"

/** Relative standard deviation of one visit, from pairs that were visited more than
 * once; 0 when there are none. */
float infer_noise(const struct pairs *p);

/** Compute what is known of a block from its beliefs. */
void infer_judge(struct block *block, const struct pairs *p, float noise);

/** The belief for any two threads of these cores that has the most results, or NULL. */
struct belief *infer_find(const struct pairs *p, const struct blocks_pair *pair);

/** The belief of two rows: their own, else that of their cores' other threads; NULL. */
struct belief *infer_stand_in(const struct blocks *blocks, const struct pairs *p,
	unsigned int row_a, unsigned int row_b);

/**
 * All pairs. One that was not visited has the value of its cores' other threads, else
 * the median of its block (and where the block's pairs disagree, nearer or farther as
 * the other pairs of its cores are), else of its class, with a confidence that falls
 * with each.
 *
 * @known  results that are taken as they are where they are of more visits; may be NULL
 *
 * Returns a new object, free with matrix_free.
 */
struct matrix *infer_matrix(
	const struct blocks *blocks, const struct pairs *p, const struct matrix *known);

#endif

// SPDX-License-Identifier: MIT
/*
 * Partitions of the numbers below n: who is in one block with whom. Each block is named
 * by its lowest member. Pure.
 */
#ifndef QMPIN_TOPO_PARTITION_H
#define QMPIN_TOPO_PARTITION_H

#include <stdbool.h>

#include "base/attr.h"

struct partition {
	const char *name; /* for people; static, may be NULL */
	unsigned int tag; /* the maker's: which one it was */
	unsigned int n;
	unsigned int n_blocks;
	unsigned int *head; /* of each member: the lowest one of its block */
};

/** Blocks of one. */
struct partition partition_singles(unsigned int n);

/** One block. */
struct partition partition_whole(unsigned int n);

struct partition partition_copy(const struct partition *p);

/** It is empty afterwards. */
void partition_fini(struct partition *p);

/** The head of a member, also between joins. */
unsigned int partition_head(struct partition *p, unsigned int i);

/** The blocks of two members become one. Heads and the count can be read again after
 * partition_settle. */
void partition_join(struct partition *p, unsigned int a, unsigned int b);
void partition_settle(struct partition *p);

/** Make @p coarser: whoever is together in @q is together in it. */
void partition_join_all(struct partition *p, const struct partition *q);

/** Part the blocks of @p where @q does. */
void partition_part(struct partition *p, const struct partition *q);

/** Members of each block, at its head; @out has room for n. */
void partition_sizes(const struct partition *p, unsigned int *out);

/** Set @same of each member whose block is the same in both; others stay as they are.
 */
void partition_mark_same(
	const struct partition *p, const struct partition *q, bool *same);

/** Every block of @p lies in one block of @q. */
bool partition_within(const struct partition *p, const struct partition *q);

#endif

// SPDX-License-Identifier: MIT
/*
 * The groups of a host's own tree as partitions of its PUs, and partitions put into one
 * another so that they nest. Pure.
 */
#ifndef QMPIN_TOPO_LEVELS_H
#define QMPIN_TOPO_LEVELS_H

#include <stdbool.h>

#include "base/attr.h"
#include "topo/model.h"
#include "topo/partition.h"

/* core, l2, l3, node, package */
#define LEVELS_OWN 5u
/* Room for those, for measured ones, single PUs and the host. */
#define LEVELS_MAX 16u

struct levels {
	unsigned int n;
	struct partition at[LEVELS_MAX];
};

/** The levels this host has, smaller groups first. PUs without a group are blocks of
 * their own. levels_fini it. */
struct levels levels_of_topo(const struct topo *t);

/** Performance and efficiency cores as two blocks; partition_fini it. Returns false,
 * and leaves @out alone, where the host has one kind or does not tell of each PU. */
MUST_CHECK bool levels_kinds(const struct topo *t, struct partition *out);

/**
 * From single PUs to the whole host ("host"), each made by joining blocks of the one
 * before with those of @l->at[] in turn. What adds nothing is left out. levels_fini it.
 */
struct levels levels_nest(const struct levels *l, unsigned int n_pus);

void levels_fini(struct levels *l);

/** Add @p, given away, before the first one with larger blocks. */
void levels_insert(struct levels *l, struct partition p);

/** Remove the one at @k. */
void levels_remove(struct levels *l, unsigned int k);

#endif

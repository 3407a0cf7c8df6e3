// SPDX-License-Identifier: MIT
/*
 * Unions of neighbours that VMs have: the domain tree is built so that they are nodes
 * of it again, also when latencies that were measured since would join others. Pure.
 */
#ifndef QMPIN_PLACE_UNIONS_H
#define QMPIN_PLACE_UNIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "topo/cpuset.h"

/* Any two are disjoint or one is part of the other; the first that come are kept. */
struct unions {
	unsigned int n;
	size_t cap;
	struct cpuset *sets;
};

/** Add a set of CPUs that is not empty, unless it is there or overlaps another one. */
void unions_add(struct unions *u, const struct cpuset *set);

/** Make @set larger by what overlaps it otherwise than as a part or a whole. */
void unions_close(const struct unions *u, struct cpuset *set);

/**
 * Those that lie in a domain and consist of some of its parts, not of all.
 *
 * @parts  disjoint; @n of them
 * @out    room for u->n
 *
 * Returns how many.
 */
unsigned int unions_of_parts(const struct unions *u, const struct cpuset *const *parts,
	unsigned int n, const struct cpuset **out);

/** The smallest of @n sets that has more than @part, all of which it has; or NULL. */
const struct cpuset *unions_around(
	const struct cpuset *const *sets, unsigned int n, const struct cpuset *part);

void unions_fini(struct unions *u);

#endif

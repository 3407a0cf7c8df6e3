// SPDX-License-Identifier: MIT
/*
 * CPUs one by one, a character each, siblings of a core in brackets: how many vCPUs
 * there are for each, and which CPUs are not for everybody. Pure.
 */
#ifndef QMPIN_CLI_COREMAP_H
#define QMPIN_CLI_COREMAP_H

#include <stdbool.h>

#include "base/str.h"
#include "topo/model.h"

/* Borrowed. */
struct coremap {
	const struct topo *topo;
	struct cpuset reserved;
	const double *load; /* vCPUs for each CPU; CPUSET_CAP entries */
	unsigned int columns;
	unsigned int indent;
	bool colours;
};

/** Lines of the cores that have some of @cpus. */
void coremap_add(const struct coremap *m, const struct cpuset *cpus, struct strbuf *b);

/** What the characters mean, as far as there are such CPUs. */
void coremap_add_legend(const struct coremap *m, struct strbuf *b);

#endif

// SPDX-License-Identifier: MIT
/*
 * Choosing cores: near each other, near the VM's memory and devices, and such that
 * others lose least. Pure.
 */
#ifndef QMPIN_PLACE_PICK_H
#define QMPIN_PLACE_PICK_H

#include "place/cores.h"

struct pick_want {
	struct cpuset pool; /* CPUs it may have */
	bool alone;	    /* nobody else on the cores: the rules of cores.h hold */
	bool first_ones;    /* the first cores that suffice, whoever is on them */
	/* vCPUs that must not share a core with those of other units. A unit may fill
	 * several cores. */
	unsigned int n_units;
	const unsigned int *units;
	unsigned int most;   /* vCPUs of a unit on one core, beside its CPUs */
	struct cpuset near;  /* CPUs the group has already */
	double demand;	     /* CPUs wanted by these vCPUs when busy */
	double memory_gib;   /* 0: unknown */
	const double *share; /* of its memory on each node, NULL: unknown */
	const struct cpuset *pci_nodes; /* kernel ids */
};

struct pick {
	unsigned int core;
	unsigned int n_cpus; /* of it in the pool and free */
};

/**
 * Choose cores for all units, one after the other: each core takes vCPUs of the first
 * unit that is not yet complete.
 *
 * @out  room for all cores of the host; most CPUs first, then the lower core
 *
 * Returns how many, 0: there are not enough.
 */
unsigned int pick_cores(
	struct cores *c, const struct pick_want *want, struct pick *out);

/** CPUs of a core that could be chosen. */
struct cpuset pick_free(
	const struct cores *c, const struct pick_want *want, unsigned int core);

/** How many cores each node could give, all at once, into @out (c->n_nodes). Returns
 * their CPUs. */
unsigned int pick_count(
	struct cores *c, const struct pick_want *want, unsigned int *out);

#endif

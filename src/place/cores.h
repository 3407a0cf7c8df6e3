// SPDX-License-Identifier: MIT
/*
 * Who has which cores alone, and the rules for more: never CPU 0's core, never more
 * than a share of a node's cores, never all that another VM may use. And isolated CPUs,
 * which are given out one by one. Pure.
 */
#ifndef QMPIN_PLACE_CORES_H
#define QMPIN_PLACE_CORES_H

#include <stdbool.h>

#include "place/entry.h"
#include "place/harm.h"
#include "place/tree.h"

/* CPUs of which a VM needs at least one that is nobody's alone. */
struct cores_keep {
	struct cpuset cpus;
	unsigned int left; /* cores with such a CPU */
};

struct cores {
	const struct plan_input *in;
	const struct entries *entries;
	struct cpuset ordinary; /* CPUs that VMs in general may use */
	struct tree *tree;	/* of these and of usable isolated ones */
	unsigned int n_nodes;	/* those of topo and one for CPUs without a node */
	int *owner; /* of each core: number of the group that has it alone, -1 */
	struct cpuset alone;  /* CPUs of those cores */
	struct cpuset single; /* isolated CPUs that are a vCPU's, one by one */
	unsigned int *left;   /* of each node: cores that may still become somebody's */
	/* Of those that are to be chosen from only; see cores_survey. */
	bool surveyed;
	struct harm harm;
	unsigned int n_keeps;
	size_t cap_keeps;
	struct cores_keep *keeps;
};

/**
 * Nobody has anything yet.
 *
 * @ordinary  may be empty, then some isolated CPU is usable
 */
struct cores *cores_new(const struct plan_input *in, const struct entries *e,
	const struct cpuset *ordinary);
void cores_free(struct cores *c);

/** Node of a core as an index into left. */
unsigned int cores_node(const struct cores *c, unsigned int core);

/** The core is nobody's, and nothing but what other VMs need speaks against taking it.
 */
bool cores_may_take(const struct cores *c, unsigned int core);

/** It becomes the group's with that number alone; is nobody's again. */
void cores_take(struct cores *c, unsigned int core, unsigned int owner);
void cores_give_back(struct cores *c, unsigned int core);

/** Look at the other VMs, once, before a choice: what they have and what they need. */
void cores_survey(struct cores *c);

#endif

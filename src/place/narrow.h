// SPDX-License-Identifier: MIT
/*
 * Float groups of mode auto that rebalance has given whole cores: each guest core a
 * host core with as many threads, all on the group's node, where nobody else may run.
 * So each of its threads has a CPU, and others lose nothing that they had: nobody waits
 * more, in whichever draw. Everywhere else the group counts as if it still floated over
 * its node: who comes is placed as if it did, and it floats again. Pure.
 */
#ifndef QMPIN_PLACE_NARROW_H
#define QMPIN_PLACE_NARROW_H

#include "place/objective.h"
#include "place/world.h"

/**
 * Whether its vCPUs have cores, as this planner gives them or did before CPUs went or
 * vCPUs came.
 *
 * @cpus  written only when they have: what they may still use of them
 */
bool narrow_reads(
	const struct world *w, const struct world_group *g, struct cpuset *cpus);

/** A group that is nowhere yet keeps the cores it had for when it is put on @node.
 * Returns false when they do not suit it any more. */
bool narrow_adopt(struct world *w, struct world_group *g, unsigned int node);

/** Let those float again who are not alone any more or whose node has changed. */
void narrow_review(struct world *w);

/** It floats over its node again, if it did not. */
void narrow_release(struct world_group *g);

/** So few VMs want so little that they may have whole cores. */
bool narrow_has_spare(const struct world *w);

/**
 * Cores for a group that floats.
 *
 * Returns one mask for each of its vCPUs, to be freed, or NULL: there are none, or it
 * may not have them.
 */
struct cpuset *narrow_find(struct world *w, const struct world_group *g);

/** What each vCPU pays with these cores, as candidates_terms says it of floating. */
void narrow_terms(const struct world *w, const struct world_group *g,
	const struct cpuset *cores, struct terms *out);

/** What the group pays less with them than floating over its node, ns x vCPUs. */
double narrow_gain(
	const struct world *w, const struct world_group *g, const struct cpuset *cores);

/** Share of its vCPUs whose core runs another one too when all are busy. */
double narrow_sharing(
	const struct world *w, const struct world_group *g, const struct cpuset *cores);

/** All CPUs of the group: its cores, or of its node what it may use. */
struct cpuset narrow_cpus(const struct world *w, const struct world_group *g);

#endif

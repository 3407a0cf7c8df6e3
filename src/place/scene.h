// SPDX-License-Identifier: MIT
/*
 * The imagined host of a replay at one moment: which CPUs are online, its model and
 * latencies, the load by others and the free memory. A change makes a new scene beside
 * the old one; they share what did not change, and scene_drop ends one of the two.
 * Pure.
 */
#ifndef QMPIN_PLACE_SCENE_H
#define QMPIN_PLACE_SCENE_H

#include "place/replay.h"

struct scene {
	struct cpuset all; /* CPUs of the whole host */
	struct cpuset offline;
	/* As replay_host_fn made them. */
	struct topo *topo;
	struct ranking *ranking;
	float *ns;
	double *load_of_cpu; /* by CPU number, CPUSET_CAP of them */
	double *load;	     /* the same in the order of topo's PUs */
	double *free_gib;    /* of each node, negative: unknown */
	bool loaded;	     /* there is load */
	bool free_known;     /* of a node */
};

/** The whole host. Returns 0 or the error of @host; @out is written only on success. */
MUST_CHECK int scene_init(
	struct scene *out, replay_host_fn *host, void *owner, struct err *e);
void scene_fini(struct scene *s);

/** Free what @gone has that @kept has not. */
void scene_drop(struct scene *gone, const struct scene *kept);

/** @old with new numbers for the CPUs and nodes that a host event names. Returns 0 or
 * -EINVAL (not there; out of range). */
MUST_CHECK int scene_with_amounts(const struct scene *old,
	const struct replay_event *event, struct scene *out, struct err *e);

/** @old with the one CPU online or offline. Returns 0, -EINVAL (not there, already so,
 * the last one, other nodes than before) or the error of @host. */
MUST_CHECK int scene_with_cpu(const struct scene *old, const struct replay_event *event,
	replay_host_fn *host, void *owner, struct scene *out, struct err *e);

/** @old with memory given back: GiB of each node. */
void scene_with_memory(const struct scene *old, const double *gib, struct scene *out);

/** Take up to @gib of each node; @gib becomes what was there to take (all of it where
 * that is unknown). */
void scene_take(struct scene *s, double *gib);

#endif

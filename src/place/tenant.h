// SPDX-License-Identifier: MIT
/*
 * One VM of a replay: what its start event said, checked and in the planner's terms,
 * and where its memory has come to lie. Pure.
 */
#ifndef QMPIN_PLACE_TENANT_H
#define QMPIN_PLACE_TENANT_H

#include "place/replay.h"
#include "place/scene.h"

struct tenant {
	char id[REPLAY_ID_MAX];
	/* All but its masks; pointers are into this object. */
	struct plan_vm vm;
	unsigned int max_vcpus;
	char bad[PLAN_WHY_MAX]; /* why it cannot be planned, empty: it can */
	struct cpuset affinity;
	struct plan_guest_node *nodes;
	uint16_t *node_of;  /* of each vCPU it can have */
	double *share;	    /* rows of the topo's nodes: its guest nodes', its own */
	double *memory_gib; /* on each node; NULL: not touched yet */
	bool placed;	    /* its masks are in row @row of the last plan */
	unsigned int row;
};

/** Order of ids: numbers by their value, then all others as strcmp. */
int tenant_compare_ids(const char *a, const char *b);

/** A VM that starts; never fails, see bad. Free with tenant_free. */
struct tenant *tenant_new(const struct replay_event *event,
	const struct replay_settings *defaults, const struct scene *scene);
void tenant_free(struct tenant *g);

/** Where it may run when it has no place. */
struct cpuset tenant_anywhere(const struct tenant *g, const struct topo *topo);

/** Its first run: memory that is nowhere yet comes to lie where the vCPUs are
 * (@masks[k], for the ones beyond @n_masks anywhere), and is taken from the scene. */
void tenant_touch(struct tenant *g, struct scene *scene, const struct cpuset *masks,
	unsigned int n_masks);

#endif

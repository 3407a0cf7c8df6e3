// SPDX-License-Identifier: MIT
/*
 * The whole placement as one number: what all float groups pay together, in nanoseconds
 * x vCPUs, with what each does to the others, and what waiting is worth. A move is a
 * gain when this sum falls; that it falls each time is why every search ends. Pure.
 */
#ifndef QMPIN_PLACE_TOTAL_H
#define QMPIN_PLACE_TOTAL_H

#include "place/world.h"

/* Groups on a node, as far as they pay for each other's load. */
struct total_node {
	int groups;
	double demand;
	double squares;	 /* of their demands: nobody crowds himself */
	double sharing;	 /* demand, as candidates_sharing_demand */
	double per_core; /* 1 / cores */
	double part;	 /* of its parent's CPUs */
	double alone;	 /* crowding of a CPU of demand with nobody else */
	double outer;	 /* its part of the load around it */
	double crowding; /* load per core here and around */
};

/* A world in which every float group that counts has entered and the waiting model is
 * settled. While one lives, groups change their node through it only. */
struct total {
	struct world *w;
	bool newcomers;	       /* only they feel load: see total.c */
	struct total_node *at; /* of each node of the tree */
	double *own;	       /* as the world's, for trials */
	double *below;
	double crowded_ns;
	struct wait_cost wait;
	double penalty;
};

void total_init(struct total *t, struct world *w);

/** The same to place groups that are new in this run: others pay for distances only. */
void total_init_newcomers(struct total *t, struct world *w);

void total_fini(struct total *t);

/** Groups have changed their nodes by other ways: add up anew. */
void total_read(struct total *t);

/** Put a group on @node for good. */
void total_put(struct total *t, struct world_group *g, unsigned int node);

/** The sum without waiting. */
double total_cost(const struct total *t);

/** Cost and waiting. */
double total_sum(const struct total *t);

/** By how much the cost would fall with a group, which is somewhere, on @node. */
double total_gain(const struct total *t, struct world_group *g, unsigned int node);

#endif

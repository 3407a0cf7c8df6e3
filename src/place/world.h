// SPDX-License-Identifier: MIT
/*
 * The host with its VMs while a plan is being made: who is where, what load lies on
 * each domain and each PU, and what that makes VMs wait. Every change of a VM's place
 * goes through this file. VMs are in the order of their ids, not of the input. Pure.
 */
#ifndef QMPIN_PLACE_WORLD_H
#define QMPIN_PLACE_WORLD_H

#include <stdbool.h>

#include "place/planner.h"
#include "place/tree.h"
#include "place/wait.h"

enum world_role {
	WORLD_LEAVE,   /* off or impossible: its masks are load and nothing else */
	WORLD_OBSERVE, /* load as it is; planned at the end, for the report only */
	WORLD_FLOAT,
	WORLD_PIN,     /* pin, core, dedicated */
	WORLD_SETTLED, /* has CPUs outside this world: cores of its own, isolated ones;
			* its result is written, it has no groups */
};

/* How a float or pin group came to its place. */
enum world_cause {
	WORLD_KEPT,	  /* had it */
	WORLD_NEW,	  /* placed in this run */
	WORLD_CUT,	  /* had it, CPUs of it went away */
	WORLD_GROWN,	  /* had part of it, CPUs came back */
	WORLD_PLUGGED,	  /* had it, with fewer vCPUs */
	WORLD_REBALANCED, /* moved or narrowed for a gain */
	WORLD_WIDENED,	  /* had it, and waited there */
};

/* A set of CPUs that VMs may use, and how it cuts the tree's nodes. VMs with the same
 * set share one. */
struct world_class {
	struct cpuset allowed;
	unsigned int n_cpus;
	unsigned int top;    /* the smallest node that holds them all */
	unsigned int *count; /* of each node: allowed CPUs in it */
	float *share; /* n_nodes of topo for each node: share of its allowed CPUs */
	/* of each node: share of its allowed CPUs that are of efficiency cores, NULL:
	 * the host is not of two kinds */
	float *small;
	int *slot; /* of each node: wait slot, -1: not made yet */
};

/* The vCPUs of a VM that are placed together: those of one guest node, or all. */
struct world_group {
	const struct plan_vm *in;
	enum world_role role; /* the VM's */
	enum world_cause cause;
	unsigned int vm;	 /* index into vms */
	unsigned int guest_node; /* 0 also when the guest has none */
	unsigned int n_vcpus;
	const unsigned int *vcpus; /* of the VM, ascending */
	unsigned int n_current;	   /* so many of them have a mask */
	struct cpuset allowed;	   /* by all rules */
	struct cpuset isolated;	   /* isolated CPUs it may have; only pin, dedicated */
	unsigned int cls;	   /* the class of that */
	unsigned int n_allowed;
	int node;   /* float: where it is; -1: nowhere yet */
	bool apart; /* float: its CPUs were a node of an earlier tree; it stays on them
		     */
	int first;  /* float: where it was put first in this run, -1: nowhere */
	int *pins;  /* pin: index into topo->pus of each of its vCPUs, -1: none yet.
		     * May be isolated ones, of which this world knows nothing */
	const struct plan_waited *waited; /* NULL: nothing is done about it */
	bool whole_cores; /* pin: a vCPU has its PU's whole core (mode core) */
	/* Share of its memory on each node, NULL: unknown, or not touched yet. */
	const double *memory_share;
	double *bound_share; /* owned: memory_share of one that is bound, not measured
			      */
	double new_gib;	     /* memory that it will take from what is free; 0: none, or
				unknown */
	double *taken_gib;   /* owned, NULL with 0: what it takes of each node */
	bool entered;	     /* counts in the waiting model */
	double demand;	     /* CPUs wanted when busy */
	double load_before;  /* on its domain, when it came */
	/* Rebalanced: gained for each vCPU, less the price of moving it, and what
	 * gained most. */
	double gain_ns;
	enum term gain_term;
	double heat; /* float: demand that cannot run where it is (repair) */
	/* Float: the core of each of its vCPUs, all on its node, NULL: they share the
	 * node. Owned. It counts as if they did: see narrow.h. */
	struct cpuset *cores;
	bool narrowed; /* it had such cores when the plan began */
	struct wait_need need;
};

/* Load that stays where it is, for this run. */
struct world_load_on {
	struct cpuset cpus; /* empty: none */
	double demand;
	struct wait_need need;
};

/* A VM with its groups; of a VM that is left alone there is none. */
struct world_vm {
	const struct plan_vm *in;
	struct plan_result *out;
	enum world_role role;
	bool exclusive;	       /* no other managed VM on its cores */
	bool widens;	       /* its waiting counts (plan_vm.waited) */
	struct cpuset allowed; /* by all rules; for roles other than WORLD_LEAVE */
	/* Isolated CPUs it may have; empty for modes other than pin and dedicated. */
	struct cpuset isolated;
	double demand; /* CPUs wanted when busy */
	unsigned int first_group;
	unsigned int n_groups;
	unsigned int *vcpus;	    /* the groups' lists */
	struct world_load_on fixed; /* of a VM that is left alone or observed */
};

struct world {
	const struct plan_input *in;
	struct cpuset usable; /* online, not reserved, isolated or a VM's alone */
	struct cpuset alone;  /* cores that are a VM's alone, the planner's to say */
	struct tree *tree;
	struct wait *wait;
	struct wait_need *others; /* of groups, then of vms: for unseen_check */
	double strict; /* part of the policy's bounds on waiting that may be used, 0..1
			*/
	unsigned int n_classes;
	size_t cap_classes;
	struct world_class *classes; /* [0]: everything usable */
	unsigned int n_vms;
	struct world_vm *vms; /* ascending id */
	unsigned int n_groups;
	struct world_group *groups; /* in the order of vms, then of guest nodes */
	double *own;	     /* of each node: demand of the VMs on the whole of it */
	double *below;	     /* of each node: demand of all VMs within it */
	double *cut;	     /* of each PU: of VMs whose limit cuts their node */
	double *fixed;	     /* of each PU: demand of what cannot move from it */
	unsigned int *taken; /* of each PU: vCPUs that have it as their only one */
	float *remote;	     /* costs of residency.h */
	double *free_gib;    /* of each node, for who comes next; NULL: unknown */
	double *touched;     /* of each node: room for a caller's shares of memory */
	char **names;	     /* of each node of the tree, in words; NULL: not asked yet;
			      * why.c's */
};

/**
 * The world of @in with nobody placed yet. @in is valid, at least one CPU is usable.
 *
 * @vms     in->n_vms of them in the order of their ids; given away
 * @groups  theirs, with vms' first_group and n_groups; given away
 *
 * Free with world_free.
 */
struct world *world_new(const struct plan_input *in, const struct cpuset *usable,
	struct world_vm *vms, struct world_group *groups, unsigned int n_groups);
void world_free(struct world *w);

/** The class of @allowed (some usable CPUs, not empty). */
unsigned int world_class_of(struct world *w, const struct cpuset *allowed);

/** What the group gets on @node: the node's usable CPUs inside its limit. */
struct cpuset world_mask(
	const struct world *w, const struct world_group *g, unsigned int node);

/** A wider node gives this group CPUs that @node does not have: the next such node, or
 * -1.
 */
int world_wider(const struct world *w, const struct world_group *g, unsigned int node);

/** CPUs of @node that the group may use. */
unsigned int world_room(
	const struct world *w, const struct world_group *g, unsigned int node);

/** Load that is expected on @node: what lies in it and its part of what lies
 * around it. */
double world_load(const struct world *w, unsigned int node);

/** CPU use by others on a PU, as this world counts it. */
double world_background(const struct world *w, unsigned int pu);

/** Demand a CPU of @node's leaves gets from VMs that float over it. */
double world_float_load(const struct world *w, unsigned int pu);

/** Of it what @g puts there, if it has a place. */
double world_own_load(
	const struct world *w, const struct world_group *g, unsigned int node);

/** The rest of it. */
double world_load_of_others(
	const struct world *w, const struct world_group *g, unsigned int node);

/** A float group begins to count in the waiting model; it is nowhere yet. Once is
 * enough. */
void world_enter(struct world *w, struct world_group *g);

/** Load that stays on load->cpus (usable) begins to count, and is there. */
void world_enter_fixed(struct world *w, const struct world_load_on *load);

/** The same of somebody who could be anywhere in @limit, so that what waits is not
 * forced. */
void world_enter_within(
	struct world *w, const struct cpuset *limit, const struct world_load_on *load);

/** Put a float group on @node (-1: nowhere). */
void world_put(struct world *w, struct world_group *g, int node);

/** Waiting if a float group that has entered were on @node. */
struct wait_cost world_try(
	struct world *w, const struct world_group *g, unsigned int node);

/** Demand above the CPUs of @node, summed over the draws of the waiting model. */
int64_t world_excess(struct world *w, unsigned int node);

/** The same of the VMs that may use a part of @node only; of those that share @g's
 * part (0 when it has all of its node). */
int64_t world_parts_excess(struct world *w, unsigned int node);
int64_t world_own_excess(struct world *w, const struct world_group *g);

/** Give the @i-th vCPU of a pin group a PU (usable); -1: none. */
void world_pin(struct world *w, struct world_group *g, unsigned int i, int pu);

/** Take fixed load away (@sign -1) for the time of a trial, and put it back (1). */
void world_fix(struct world *w, const struct world_load_on *load, int sign);

/** The wait slot, or part of one, of what class @cls may use of @node. */
unsigned int world_slot(struct world *w, unsigned int cls, unsigned int node);

/** Put the load by others into w->wait. */
void world_lay_background(struct world *w);

/** The waiting condition of the policy holds. */
bool world_waits_ok(const struct world *w, const struct wait_cost *c);

/** How far it is from holding: 0 when it holds, about 4 when a bound is passed twice.
 */
double world_wait_penalty(const struct world *w, const struct wait_cost *c);

#endif

// SPDX-License-Identifier: MIT
/*
 * What the administrator decides for all VMs: which CPUs are whose, how much waiting is
 * acceptable, what the objective's terms count, how gently running VMs are moved. Pure.
 */
#ifndef QMPIN_PLACE_POLICY_H
#define QMPIN_PLACE_POLICY_H

#include <stdbool.h>

#include "topo/cpuset.h"

/* "Never" for times. */
#define PLAN_NEVER_S (-1e18)

/* What the objective adds up, in the order of importance; see objective.h. */
enum term {
	TERM_WAITING,	    /* demand that cannot run though CPUs idle */
	TERM_MEMORY,	    /* accesses to memory of another node */
	TERM_COMMUNICATION, /* mean latency between two vCPUs of the VM */
	TERM_SMT,	    /* cores shared with another vCPU */
	TERM_PCI,	    /* distance to passed-through devices */
	TERM_FRAGMENTATION, /* load of the domain and around it: keep large holes */
	TERM_MOVING,	    /* of threads, caches and memory */
	N_TERMS
};

struct plan_policy {
	struct cpuset reserved; /* housekeeping CPUs, never used */
	/* Of the isolated CPUs: those that pin and dedicated VMs may have. */
	struct cpuset isolated_usable;
	unsigned int dedicated_max_pct; /* of a node's cores, for exclusive use */
	/* Expected waiting that a placement may cause when only some VMs are busy
	 * (burst model, wait.h), beyond what the VMs' limits force. Both are shares,
	 * 0..1: the mean over the draws of the share of the busy VMs' demand that
	 * cannot run though CPUs idle (0.008), and the share of the draws in which that
	 * is above 5 % (0.035). */
	double wait_mean_max;
	double wait_tail_max;
	double weights[N_TERMS]; /* factors, 1: as documented in objective.h */
	/* Rebalance: running VMs may be moved or narrowed for a gain. */
	bool rebalance;
	double rebalance_gain_pct; /* of the objective of what would be moved */
	double rebalance_dwell_s;  /* a VM rests so long after a change of its place */
	/* What may be moved in this plan; the caller's account, see allowance.h. */
	unsigned int rebalance_vms;
	unsigned int rebalance_vcpus;
	double now_s; /* any clock, the same as changed_s */
};

/** The documented defaults; rebalance is off. */
struct plan_policy plan_policy_default(void);

#endif

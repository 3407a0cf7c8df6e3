// SPDX-License-Identifier: MIT
/*
 * The objective: what a placement costs, in expected nanoseconds for each vCPU, term by
 * term. All constants of the planner that weigh one thing against another are here.
 * What a term's share of accesses, of demand or of vCPUs is worth is a part of the
 * worst latency between two cores of the host (at least TREE_WORST_MIN_NS), so that the
 * terms keep their order on every host. Pure.
 */
#ifndef QMPIN_PLACE_OBJECTIVE_H
#define QMPIN_PLACE_OBJECTIVE_H

#include "place/planner.h"

/*
 * What a vCPU pays, in worst latencies; policy.weights[] multiplies each term.
 *
 * COMMUNICATION has no factor: it is a latency. A vCPU that is spread over the host
 * pays about 0.7, in an L3 group about 0.2.
 */

/* WAITING, for demand that cannot run though CPUs idle when all are busy. Twice a
 * memory access that is always remote: whoever waits does not run at all. */
#define COST_LOST 2.0

/* WAITING, for each unit of the penalty below (when some are busy), when a domain is
 * chosen: for the VM, not for each vCPU. More, and newcomers go wide at once; less, and
 * repair has to widen them (and others) afterwards. */
#define COST_WAIT 2.0

/* The penalty: for each time that a bound of the policy is passed once more, by the
 * mean and by the share of bad draws; the last for the mean of what is above
 * WAIT_BAD_SHARE, it shows progress while a draw is still a bad one. */
#define PENALTY_MEAN 4.0
#define PENALTY_TAIL 4.0
#define PENALTY_OVER 40.0

/* Repair: a nanosecond more for a VM that was placed earlier counts as so many of one
 * that is new. With equal gain the newcomer makes the way. */
#define COST_OTHERS 1.5

/* MEMORY, for accesses that all go to the nearest other node. */
#define COST_REMOTE 1.0

/* Of that: for any other node, and for its distance relative to the nearest one. Most
 * of what a remote access costs is leaving the node at all. */
#define COST_REMOTE_ANY 0.75
#define COST_REMOTE_FAR 0.25

/* Relative distances end here: firmware says 255 for "cannot be reached". */
#define REMOTE_FAR_MAX 4.0

/* Share of a guest node's accesses that go to its own memory, as guests with NUMA nodes
 * place it; the rest goes to the other guest nodes' in proportion to their vCPUs. */
#define OWN_MEMORY_SHARE 0.8

/* SMT, for a vCPU whose core always runs another one too: two threads run about 1.2
 * times as much as one, so each loses 0.4 of its speed; waiting loses all. */
#define COST_SMT 0.4

/* SMT: so many times as much for a VM with smt = avoid. More than a remote memory
 * access: it goes to another node for cores of its own. */
#define COST_SMT_AVOID 4.0

/* SMT, for a vCPU on an efficiency core of a host that has performance cores as well.
 * It is worth about 0.6 of one, as is a shared one; but it disturbs nobody else, so it
 * comes a little before. */
#define COST_SMALL_CORE 0.3

/* PCI, for a vCPU on the node nearest to the devices': less than memory, of which it
 * has more accesses. */
#define COST_PCI 0.3

/* MOVING, when cores become a VM's alone: for each vCPU of others that gets another
 * mask, and for each CPU's worth of load that has to go elsewhere. A vCPU that only
 * loses a part of its mask moves at most to a neighbour, once; load that goes costs
 * what it costs where it goes, which is seldom waiting. */
#define COST_TOUCHED 0.25
#define COST_EVICTED 1.0

/* FRAGMENTATION, for each vCPU of other VMs that a core of the domain (and, with half
 * the weight each time, around it) has already: fills domains evenly. Two vCPUs for
 * each thread are needed before it is worth a remote access. */
#define COST_SPREAD 0.2

/* MOVING, for a vCPU that rebalance moves: its caches are cold for some 10 ms, and what
 * it gains may last for some minutes only. What becomes of its memory is in the terms
 * already. */
#define COST_MOVING 0.02

/* Mode auto, whole cores: so much of the host's cores no VM wants when all are busy.
 * With less, each newcomer would find somebody who has to float again, for nothing. */
#define NARROW_SPARE 0.25

/* The same: CPU use by others, for each CPU of the domain, up to which VMs get whole
 * cores there, and beyond which they lose them. A host always does a little itself;
 * what it slows down could run elsewhere in the domain if it floated. */
#define NARROW_BUSY_COME 0.05
#define NARROW_BUSY_LEAVE 0.1

/* EXPLAIN, a place that would be better were it free is told when it costs each vCPU
 * less by a tenth of a remote access, and by this part of what the VM pays now: as much
 * as rebalance asks for, where nothing else is set. For less nobody makes room. */
#define COST_BETTER 0.1
#define BETTER_SHARE 0.1

/* Costs whose difference is rounding, not preference; ns x vCPUs. */
#define COST_SAME_NS 1e-6

/* Each for each vCPU, weighted; the sum is the cost. */
struct terms {
	double ns[N_TERMS];
};

double terms_sum(const struct terms *t);

/** Share of the vCPUs that share their core when @load vCPUs run on @n_cpus CPUs of
 * @n_cores cores: cores fill up first, then every vCPU more makes another one share. */
static inline double
objective_sharing(unsigned int n_cpus, unsigned int n_cores, double load)
{
	double threads = (double)n_cpus / n_cores;
	double shared;

	if (load <= n_cores || threads <= 1)
		return 0;
	shared = (load - n_cores) * threads / (threads - 1);
	return shared < load ? shared / load : 1;
}

/** "waiting", "memory", ...: as in [weights], explain and metrics. Static. */
const char *term_name(enum term t);

#endif

// SPDX-License-Identifier: MIT
/*
 * The planner: (topology, latencies, VMs with their current masks, policy) -> plan with
 * reasons. Pure and deterministic: same input, same plan; the order in which VMs are
 * listed changes nothing; planning the result again changes nothing.
 *
 * A VM that is placed and still right stays where it is. A new or wrong one is placed
 * into the others' world. What cannot be placed keeps what it has, with a reason.
 */
#ifndef QMPIN_PLACE_PLANNER_H
#define QMPIN_PLACE_PLANNER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "place/mode.h"
#include "topo/cpuset.h"
#include "topo/model.h"
#include "topo/ranking.h"

#define PLAN_VCPUS_MAX 4096u
/* With PLAN_VCPUS_MAX it bounds the sums of the waiting model (see wait.c). */
#define PLAN_VMS_MAX 16384u
#define PLAN_WHY_MAX 256u

/* One VM as the planner sees it. All pointers borrowed for the call. */
struct plan_vm {
	const char *id; /* unique; its order breaks ties */
	enum place_mode mode;
	enum place_smt smt;
	enum place_emulator emulator;
	unsigned int n_vcpus;	       /* plugged now, 1..PLAN_VCPUS_MAX */
	unsigned int threads_per_core; /* of the guest; 0 or 1: none */
	struct cpuset limit; /* outer limit: recorded mask, affinity, cpuset */
	double demand_vcpus; /* expected busy vCPUs, 0: n_vcpus */
	/* Share of its memory on each node (topo->nodes order, sums to 1), NULL:
	 * unknown. */
	const double *memory_share;
	/* Masks its vCPUs have now: n_current of them, 0..n_vcpus (the last ones are
	 * newly plugged). */
	unsigned int n_current;
	const struct cpuset *current;
	bool placed; /* current came from a plan (this run's or an earlier
		      * one's); false: never placed, current is where it
		      * may run */
};

struct plan_policy {
	struct cpuset reserved; /* housekeeping CPUs, never used */
	/* Expected waiting that a placement may cause when only some VMs are busy
	 * (burst model, wait.h), beyond what the VMs' limits force. Both are shares,
	 * 0..1: the mean over the draws of the share of the busy VMs' demand that
	 * cannot run though CPUs idle (0.006), and the share of the draws in which that
	 * is above 5 % (0.016). */
	double wait_mean_max;
	double wait_tail_max;
};

/** The documented defaults. */
struct plan_policy plan_policy_default(void);

struct plan_input {
	const struct topo *topo;
	const struct ranking *ranking;
	struct lat_view latency; /* of topo's PUs */
	const struct plan_policy *policy;
	unsigned int n_vms;
	const struct plan_vm *vms;
};

enum plan_verdict {
	PLAN_LEAVE, /* not managed or impossible: masks are not to be touched */
	PLAN_KEEP,  /* placed and still right */
	PLAN_PLACE, /* new masks */
};

struct plan_result {
	enum plan_verdict verdict;
	bool apply;		/* false for observe: report only */
	unsigned int n_vcpus;	/* as in the input; 0 with PLAN_LEAVE */
	struct cpuset *vcpus;	/* mask of the k-th plugged vCPU; owned by the plan */
	struct cpuset emulator; /* also for workers, vhost and iothreads */
	struct cpuset domain;	/* union the VM was given */
	int tier;		/* ranking tier of the domain, TOPO_NONE: a union of
				 * neighbours; the mask may be a part of it (limit) */
	/* For people: "L3 group 2 of node 0: 8 CPUs for 4 vCPUs, load 0 -> 4". */
	char why[PLAN_WHY_MAX];
};

struct plan {
	unsigned int n; /* one result for each input VM, in input order */
	struct plan_result *results;
};

/**
 * Compute the plan.
 *
 * @out  new object, free with plan_free; written only on success
 *
 * Returns 0 or -EINVAL (input that contradicts itself: no PU, latencies of another
 * host, two VMs with one id, over PLAN_VMS_MAX VMs; @e says what). What is wrong with
 * one VM (no vCPU, empty limit, too many vCPUs) makes that VM's result PLAN_LEAVE with
 * the reason and nothing else.
 */
MUST_CHECK int planner_run(
	const struct plan_input *in, struct plan **out, struct err *e);

void plan_free(struct plan *p);

#endif

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
#include "place/planvm.h"
#include "place/policy.h"
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
	/* PLACE_OFF by the administrator's configuration: not touched at all. By the VM
	 * itself (false): only kept off other VMs' dedicated cores. */
	bool off_by_admin;
	unsigned int n_vcpus;	       /* plugged now, 1..PLAN_VCPUS_MAX */
	unsigned int threads_per_core; /* of the guest; 0 or 1: none */
	/* NUMA nodes of the guest; 0 or 1: none, or one. */
	unsigned int n_guest_nodes;
	const struct plan_guest_node *guest_nodes; /* NULL with 0 */
	/* Guest node of the k-th plugged vCPU (below n_guest_nodes), NULL: all in 0. */
	const uint16_t *guest_node_of;
	/* The place of the k-th plugged vCPU in the guest: vCPUs with the same number
	 * are threads of one guest core, NULL: threads_per_core vCPUs each in turn. */
	const uint32_t *guest_core_of;
	struct cpuset limit; /* outer limit: the mask recorded at first touch */
	const struct cpuset *affinity; /* affinity: of its configuration, NULL: none */
	const struct cpuset *cgroup;   /* cpuset of its cgroup, NULL: none */
	double demand_vcpus;	       /* "weight": expected busy vCPUs, 0: n_vcpus */
	double cpulimit;	       /* CPU quota in CPUs, 0: none */
	double memory_gib;	       /* size of its memory, 0: unknown */
	/* Share of its memory on each node (topo->nodes order, sums to 1), NULL:
	 * unknown, or not touched yet. */
	const double *memory_share;
	struct cpuset pci_nodes; /* kernel ids: nodes of passed-through devices */
	/* Masks its vCPUs have now: n_current of them, 0..n_vcpus (the last ones are
	 * newly plugged). */
	unsigned int n_current;
	const struct cpuset *current;
	bool placed;	     /* current came from a plan (this run's or an earlier
			      * one's); false: never placed, current is where it
			      * may run */
	struct cpuset could; /* what its limits left it at the plan before, empty:
			      * unknown. CPUs it could not use then are back, not
			      * left out on purpose */
	bool own;	     /* current are its alone: plan_result.own of the plan
			      * they came from. Else they are only where it had to
			      * go, whatever they look like */
	/* plan_result.home of the plan that current came from, n_current of them, NULL:
	 * none */
	const struct cpuset *home;
	/* Only within a plan: current are where it was before it lost these CPUs, which
	 * are back. NULL: they are what it has */
	const struct cpuset *back;
	double changed_s; /* when its place last changed, PLAN_NEVER_S; later than now
			   * it rests for longer, -PLAN_NEVER_S: as long as that is so.
			   * Only for rebalance's dwell */
	/* It is given the smallest domain around what it has in which some of these
	 * CPUs are, and keeps at least that; pin and core float there as long. Not for
	 * VMs that have, or may have, CPUs of their own: dedicated, smt=isolate,
	 * isolated CPUs. NULL: it did not wait. */
	const struct plan_waited *waited;
};

/* Reasons beside the texts: in what plan_input.explain says. */
enum plan_explain_of {
	PLAN_EXPLAIN_NONE,
	PLAN_EXPLAIN_NEW, /* of VMs with the verdict PLAN_PLACE */
	PLAN_EXPLAIN_ALL,
};

struct plan_input {
	const struct topo *topo;
	const struct ranking *ranking;
	struct lat_view latency; /* of topo's PUs */
	const struct plan_policy *policy;
	/* CPU use by others (no VM of this list) of each PU, 0..1, NULL: none. */
	const double *background;
	/* Free memory of each node (topo->nodes order), negative: unknown; NULL: all
	 * unknown. Memory of VMs that run is not in it. */
	const double *node_free_gib;
	enum plan_explain_of explain;
	const char *explain_id; /* of this VM only, NULL: of all that explain says */
	unsigned int n_vms;
	const struct plan_vm *vms;
};

enum plan_verdict {
	PLAN_LEAVE, /* not managed or impossible: masks are not to be touched */
	PLAN_KEEP,  /* placed and still right */
	PLAN_PLACE, /* new masks */
};

struct explain; /* explain.h */

struct plan_result {
	enum plan_verdict verdict;
	bool apply;	      /* false for observe: report only */
	bool own;	      /* of a VM that is to have cores of its own: what it
			       * has are such; also with PLAN_LEAVE */
	bool rebalanced;      /* moved or narrowed for a gain, not for need */
	bool widened;	      /* has some of the CPUs that plan_vm.waited names */
	unsigned int n_vcpus; /* as in the input; 0 with PLAN_LEAVE */
	struct cpuset *vcpus; /* mask of the k-th plugged vCPU; owned by the plan */
	/* Of pinned vCPUs that had to go elsewhere since the CPUs they had went
	 * offline: what they had, to which they return; empty for others. As vcpus;
	 * NULL: none.
	 */
	struct cpuset *home;
	struct cpuset emulator; /* also for workers, vhost and iothreads */
	struct cpuset domain;	/* union the VM was given */
	int tier;		/* ranking tier of the domain, TOPO_NONE: a union of
				 * neighbours; the mask may be a part of it (limit) */
	/* For people: "L3 group 2 of node 0: 8 CPUs for 4 vCPUs, load 0 -> 4". */
	char why[PLAN_WHY_MAX];
	struct explain *explain; /* owned by the plan; NULL: not asked for */
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
 * one VM (no vCPU, empty limit, too many vCPUs, rules that contradict each other) makes
 * that VM's result PLAN_LEAVE with the reason and nothing else.
 */
MUST_CHECK int planner_run(
	const struct plan_input *in, struct plan **out, struct err *e);

void plan_free(struct plan *p);

#endif

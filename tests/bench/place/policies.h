// SPDX-License-Identifier: MIT
/* The policies that are compared. */
#ifndef QMPIN_BENCH_POLICIES_H
#define QMPIN_BENCH_POLICIES_H

#include "run.h"

extern const struct policy policy_unpinned;
extern const struct policy policy_random;   /* one to one */
extern const struct policy policy_nearest;  /* proxmox-cpu-affinity */
extern const struct policy policy_rfc_numa; /* Proxmox RFC "pinning" */
extern const struct policy policy_rfc_one;
extern const struct policy policy_numad;
extern const struct policy policy_kubelet;
extern const struct policy policy_sketch;	/* a simple search under the bound */
extern const struct policy policy_sketch_moves; /* the same, one vCPU an event */
extern const struct policy policy_planner;	/* rebalance as tuned: off */
extern const struct policy policy_float;	/* the same in mode float */
extern const struct policy policy_rebalance;	/* as by default */
extern const struct policy policy_anneal;	/* the reference */

#endif

// SPDX-License-Identifier: MIT
/*
 * From the planner's input to its world: each VM is checked, the rules that bound it
 * are brought together, its vCPUs are grouped by guest node. What is wrong with a VM is
 * that VM's reason and nobody else's trouble. Pure.
 */
#ifndef QMPIN_PLACE_ENTRY_H
#define QMPIN_PLACE_ENTRY_H

#include "place/world.h"

struct entries {
	struct world_vm *vms; /* in->n_vms of them, ascending id */
	struct world_group *groups;
	unsigned int n_groups;
};

/** Returns 0 or -EINVAL (input that contradicts itself, as of planner_run). */
MUST_CHECK int entry_check(const struct plan_input *in, struct err *e);

/** Online CPUs that are neither reserved nor isolated. */
struct cpuset entry_usable(const struct plan_input *in);

/**
 * @usable   CPUs that may be used by VMs in general
 * @results  in->n_vms of them, in input order; those of VMs that cannot be planned get
 *           their reason
 * @out      both arrays are the caller's (world_new takes them); written only on
 * success
 *
 * Returns 0 or -EINVAL (two VMs with one id).
 */
MUST_CHECK int entry_list(const struct plan_input *in, const struct cpuset *usable,
	struct plan_result *results, struct entries *out, struct err *e);

/** For those that no world takes. */
void entry_free(struct entries *e, unsigned int n_vms);

/** What was planned is what the VM has. */
bool entry_has_masks(const struct plan_vm *in, const struct plan_result *out);

/** CPUs a VM may use by its own rules: online, limit, affinity, cgroup. */
struct cpuset entry_limit(const struct plan_input *in, const struct plan_vm *vm);

#endif

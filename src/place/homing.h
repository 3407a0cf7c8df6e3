// SPDX-License-Identifier: MIT
/*
 * Pinned vCPUs whose CPUs went go elsewhere at once, and return when these are back and
 * still free: for a gain, as all that rebalance moves, and never where they have not
 * been before. Where that was is kept by the caller (plan_vm.home). Pure.
 *
 * Who returns is found in the plan without it. It is planned once more, as if they had
 * never left; where that would cost others anything, they stay.
 */
#ifndef QMPIN_PLACE_HOMING_H
#define QMPIN_PLACE_HOMING_H

#include <stdbool.h>

#include "place/world.h"

/* Zeroed nobody returns. */
struct homing {
	unsigned int n;	      /* VMs that return */
	struct plan_input in; /* with them back; only with n > 0 */
	struct plan_policy policy;
	struct plan_vm *vms;
	struct cpuset **masks; /* of each VM, NULL: it does not return */
	struct cpuset *back;   /* of each VM: CPUs to which it returns */
	struct wait_cost wait; /* without it */
};

/**
 * Who may return: into @h, which homing_fini frees.
 *
 * @w    where all are by @p; NULL: there is none
 * @vms  in->n_vms of them, ascending id
 */
void homing_find(struct homing *h, const struct plan_input *in, struct world *w,
	const struct world_vm *vms, const struct plan *p);
void homing_fini(struct homing *h);

/** Nobody waits more in the world with them back, or all wait little enough. */
bool homing_waits_ok(const struct homing *h, const struct world *w);

/** The plan with them back has them there, and all others that are pinned where they
 * are by @without. */
bool homing_is_done(
	const struct homing *h, const struct plan *without, const struct plan *with);

/** Results of @p: where vCPUs were before CPUs went (plan_result.home). */
void homing_note(const struct plan_input *in, struct plan *p);

/** ", returned as CPU 5 is back", if it does, to the end of @why (PLAN_WHY_MAX).
 * Returns whether that is so. */
bool homing_say(const struct plan_vm *vm, char *why);

#endif

// SPDX-License-Identifier: MIT
/*
 * Where pinned vCPUs of a VM were before host CPUs went: kept from plan to plan, for as
 * long as the daemon and the vCPU's thread live. What it means is the planner's.
 */
#ifndef QMPIN_DAEMON_HOMES_H
#define QMPIN_DAEMON_HOMES_H

#include <stddef.h>

#include "place/planner.h"

struct home;
struct seat;
struct vm_task;

/* Zeroed nobody is away. */
struct homes {
	size_t n;
	struct home *list;
};

/** What the plan says, instead of what was. */
void homes_take(
	struct homes *h, const struct seat *seat, const struct plan_result *result);

/** What that vCPU had; empty: it is not away. */
struct cpuset homes_of(const struct homes *h, const struct vm_task *vcpu);

void homes_forget(struct homes *h);

#endif

// SPDX-License-Identifier: MIT
/*
 * The planner's input, made of what the daemon knows. vCPUs are handed over in a fixed
 * order, placed ones first, so that "the last ones are new" holds also when QEMU fills
 * a gap in the cpu-index. Changes nothing.
 */
#ifndef QMPIN_DAEMON_SEATING_H
#define QMPIN_DAEMON_SEATING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "place/planner.h"

struct engine;
struct vm;
struct vm_task;

/* A VM's part of the input; what is pointed at is the planner's for the call. */
struct seat {
	struct vm *vm;
	struct vm_task **vcpus; /* in the planner's order */
	unsigned int n;
	struct cpuset *current;
	struct cpuset *home; /* NULL: no vCPU is away */
	struct plan_guest_node *guest_nodes;
	double *memory_share;
	uint16_t *guest_node_of;
	uint32_t *guest_core_of;
};

struct seating {
	struct plan_policy policy;
	struct plan_input in;
	double *node_free_gib;
	double *background;
	struct plan_vm *vms;
	struct seat *seats; /* of the same VM, in.n_vms of them */
	bool late;	    /* who is placed gets no more, see latecomer.h */
};

/** All surveyed VMs, nobody to be moved for a gain. The engine's VMs, settings and host
 * must stay as they are until seating_fini. */
void seating_init(struct seating *s, const struct engine *e);
void seating_fini(struct seating *s);

/** The seat of a VM, or -1: it was not surveyed. */
int seating_find(const struct seating *s, const struct vm *vm);

/** CPUs of cores that are other VMs' alone. */
struct cpuset seating_taken(const struct seating *s, unsigned int seat);

/** Seconds of the engine's clock, as in the policy and in changed_s. */
double seating_now_s(const struct engine *e);

#endif

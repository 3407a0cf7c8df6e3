// SPDX-License-Identifier: MIT
/*
 * What VMs pay whose vCPUs have CPUs of their own (pin, core, dedicated, smt isolate):
 * the terms of the objective, read from their masks. Pure.
 */
#ifndef QMPIN_PLACE_PINNED_H
#define QMPIN_PLACE_PINNED_H

#include "place/explain.h"
#include "place/world.h"

/* The host, for those who have no world: all its CPUs are isolated or somebody's. */
struct pinned_host {
	const struct plan_input *in;
	struct world *w; /* NULL: there is none */
	float *remote;	 /* costs of residency.h; owned */
	double worst_ns;
};

/** @w may be NULL. pinned_fini it. */
struct pinned_host pinned_host_of(const struct plan_input *in, struct world *w);
void pinned_fini(struct pinned_host *h);

/** The option that these masks of the VM's vCPUs are: its CPUs and terms. The world has
 * the VM where it is. */
void pinned_option(const struct pinned_host *h, const struct world_vm *vm,
	const struct cpuset *masks, struct explain_option *out);

#endif

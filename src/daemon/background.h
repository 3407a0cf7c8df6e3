// SPDX-License-Identifier: MIT
/*
 * CPU use by others than the VMs that are planned: containers, host services, the
 * kernel's own threads, VMs that are left alone. From the counters of cgroups, every
 * ten seconds; nothing is moved because of it, but plans know.
 */
#ifndef QMPIN_DAEMON_BACKGROUND_H
#define QMPIN_DAEMON_BACKGROUND_H

#include "daemon/loads.h"

struct engine;
struct event;
struct vm;

struct background {
	struct event *timer;
	struct loads loads;
	/* CPUSET_CAP entries; NULL: nothing yet. */
	double *shown; /* of all others */
	double *bound; /* of those that cannot go elsewhere: what plans know */
};

void background_start(struct engine *e);
void background_stop(struct engine *e);

/** Read the counters now. */
void background_look(struct engine *e);

/** Use by others that are bound to some CPUs, of each PU of the host's topology, 0..1.
 * New array, NULL: nothing is known. */
double *background_of_pus(const struct engine *e);

/** CPUs that others use; negative: nothing is known. */
double background_cpus(const struct engine *e);

/** CPUs that a VM uses which is left alone; negative: not known. */
double background_of_vm(const struct engine *e, const struct vm *vm);

#endif

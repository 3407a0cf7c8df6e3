// SPDX-License-Identifier: MIT
/*
 * Which CPUs idle, as far as the run time of threads tells that are known with their
 * masks, and the use by others. /proc/stat would say it, but is hidden from the daemon.
 * Errs on the side of busy. Pure.
 */
#ifndef QMPIN_DAEMON_IDLE_H
#define QMPIN_DAEMON_IDLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "topo/cpuset.h"

/* Part of a CPU, when all load is spread evenly over the masks, up to which it may well
 * idle. */
#define IDLE_BUSY_MAX 0.75
/* CPUs' worth that must be left of them although all that may run there does. */
#define IDLE_LEFT_MIN 0.5

/* Threads with one mask. */
struct idle_use {
	struct cpuset cpus;
	double busy; /* CPUs in use */
};

struct idle {
	double *always;	  /* CPUSET_CAP entries: on each CPU, and nowhere else */
	double *expected; /* CPUSET_CAP entries: all that is expected there */
	size_t n;
	size_t cap;
	struct idle_use *uses; /* by what can be on several CPUs; each mask once */
};

/** Nothing is in use. idle_fini it. */
struct idle idle_new(void);
void idle_fini(struct idle *i);

/** A thread that may run on @cpus (not empty, online) uses @busy of a CPU. */
void idle_add(struct idle *i, const struct cpuset *cpus, double busy);

/** Others use @busy of @cpu. */
void idle_add_background(struct idle *i, unsigned int cpu, double busy);

/** All has been added. */
void idle_settle(struct idle *i);

/**
 * CPUs among @where that idle (settled).
 *
 * Returns false when all are busy or might be; @out written only on success.
 */
MUST_CHECK bool idle_find(
	const struct idle *i, const struct cpuset *where, struct cpuset *out);

#endif

// SPDX-License-Identifier: MIT
/*
 * The world of the sketched reference (peer_sketch.c): L3 groups, nodes, packages and
 * the host as one tree, VMs on nodes of it, who of them waits in 256 draws, and what
 * their places cost by the judge's own measure. It shares no code with the planner.
 */
#ifndef QMPIN_BENCH_SKETCH_H
#define QMPIN_BENCH_SKETCH_H

#include "site.h"

#define SKETCH_PARTS 2u	  /* guest nodes that can be apart */
#define SKETCH_DRAWS 256u /* 64 for each chance */
#define SKETCH_LANES 264u /* one more in which all are busy; then nothing */
#define SKETCH_SAME 1e-9  /* smaller differences are rounding */

struct sketch_domain {
	struct cpuset cpus;  /* offline ones too */
	int parent;	     /* -1: the host, which is the last */
	unsigned int n_cpus; /* online */
	unsigned int n_cores;
	double *share; /* of its CPUs on each node */
};

/* vCPUs of one guest node. */
struct sketch_part {
	unsigned int n; /* 0: none is plugged */
	struct cpuset limit;
	int home;  /* the smallest domain around the limit */
	int at;	   /* -1: nowhere yet */
	int first; /* where it was before others were widened */
};

struct sketch_vm {
	struct site_vm *vm;
	const char *id; /* the site's may be another VM by the next event */
	unsigned int n_parts;
	struct sketch_part parts[SKETCH_PARTS];
	bool busy[SKETCH_LANES];
};

/* Demand of each draw, in vCPUs. */
struct sketch_lanes {
	int of[SKETCH_LANES];
};

struct sketch {
	const struct site *site;
	unsigned int n; /* domains, inner ones first */
	struct sketch_domain *domains;
	double *lat; /* n x n: between a CPU of each, of the worst latency */
	unsigned int n_vms;
	unsigned int cap_vms;
	struct sketch_vm *vms; /* in the site's order */
	struct sketch_lanes *own;
	struct sketch_lanes *runs;
	struct sketch_lanes forced; /* waits whatever is done */
	struct sketch_lanes total;
};

struct sketch *sketch_new(const struct site *s);
void sketch_free(struct sketch *w);

/** Read the site's VMs; those that were known stay where they were. */
void sketch_read(struct sketch *w);

/** Write the masks of all. */
void sketch_write(const struct sketch *w, struct site *s);

/** It may have this domain: within its limit, with CPUs. */
bool sketch_may(const struct sketch *w, const struct sketch_part *p, int domain);

/** @domain: -1: nowhere */
void sketch_put(struct sketch *w, const struct sketch_vm *vm, struct sketch_part *p,
	int domain);

/** The penalty for waiting, 0: the bounds are kept. */
double sketch_penalty(struct sketch *w);
/** The same with the part elsewhere. */
double sketch_penalty_at(struct sketch *w, const struct sketch_vm *vm,
	struct sketch_part *p, int domain);

/** Latency and remote accesses, summed over its vCPUs. */
double sketch_cost(const struct sketch *w, const struct sketch_vm *vm);
/** The same with one part elsewhere. */
double sketch_cost_at(const struct sketch *w, const struct sketch_vm *vm,
	struct sketch_part *p, int domain);
/** That of all, and what nobody runs and cores are shared when all are busy. */
double sketch_sum(struct sketch *w);

#endif

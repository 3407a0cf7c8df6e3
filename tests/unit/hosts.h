// SPDX-License-Identifier: MIT
/*
 * Made-up hosts for tests of the planner: regular machines described by a few numbers,
 * built through the real model and ranking with class latencies.
 */
#ifndef QMPIN_TESTS_HOSTS_H
#define QMPIN_TESTS_HOSTS_H

#include <stdbool.h>

#include "topo/cpuset.h"
#include "topo/model.h"
#include "topo/ranking.h"

struct host_spec {
	const char *name;
	unsigned int sockets;
	unsigned int nodes; /* per socket; 0: no NUMA */
	unsigned int l3; /* per node; 0: one for the socket (SNC); HOST_NO_L3: none */
	unsigned int cores;  /* per L3, or per node where l3 is not per node */
	unsigned int smt;    /* threads of a core */
	unsigned int single; /* the last of the cores have one thread only (hybrid) */
};

#define HOST_NO_L3 1000u

/* CPU numbers: first threads of all cores, then second threads. */
struct host {
	struct topo *topo;
	struct ranking *ranking;
	float *ns;
	struct lat_view lat;
};

extern const struct host_spec host_9354;      /* 4 nodes x 2 L3 x 4 cores x 2 threads */
extern const struct host_spec host_7351p;     /* 4 nodes x 2 L3 x 2 cores x 2 threads */
extern const struct host_spec host_9654_2s;   /* 2 x 4 nodes x 3 L3 x 8 cores x 2 */
extern const struct host_spec host_9654_nps1; /* 2 x 1 node x 12 L3 x 8 cores x 2 */
extern const struct host_spec host_xeon_2s;   /* 2 x one node, one L3, 16 cores x 2 */
extern const struct host_spec
	host_snc; /* 2 sockets with an L3 over 2 nodes x 8 cores */
extern const struct host_spec host_hybrid; /* 8 cores with two threads, 16 with one */
extern const struct host_spec host_flat2;  /* a VM: 2 CPUs, no NUMA, no L3 */
extern const struct host_spec host_1cpu;

/** The host without the CPUs in @offline, with @isolated. Never fails; host_fini it. */
struct host host_make(const struct host_spec *spec, const struct cpuset *offline,
	const struct cpuset *isolated);

/** The whole host. */
struct host host_full(const struct host_spec *spec);

/** The host of these facts, of which no one is wrong. */
struct host host_of(const struct topo_facts *f);

void host_fini(struct host *h);

#endif

// SPDX-License-Identifier: MIT
/*
 * Who sits where on a host: each vCPU in the smallest group that holds its mask, or on
 * each node it may run on. Loads are spread evenly over a mask, as the kernel would.
 * Pure.
 */
#ifndef QMPIN_CLI_HOSTSEATS_H
#define QMPIN_CLI_HOSTSEATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "topo/model.h"

/* In place of a node's id: the CPUs that are in no node. */
#define HOSTSEATS_NO_NODE UINT32_MAX

/* A node or L3 group. */
struct hostseats_unit {
	struct cpuset cpus;
	unsigned int n_cpus; /* without reserved ones, as the load is */
	unsigned int id;     /* node: the kernel's; L3 group: its index in the node */
	int parent;	     /* of an L3 group: index of its node; -1: a node */
	double load;	     /* vCPUs that run there */
	unsigned int here;   /* vCPUs of the VM that was seated last */
	struct cpuset part;  /* where they may run */
	bool wide;	     /* and they may run on other nodes */
	struct strbuf vms;   /* the caller's, freed here */
};

struct hostseats {
	const struct topo *topo; /* borrowed */
	struct cpuset reserved;
	unsigned int n;
	struct hostseats_unit *units; /* each node, then its L3 groups if several */
	double *load;		      /* vCPUs for each CPU; CPUSET_CAP entries */
};

/** An empty host; hostseats_fini it. */
void hostseats_init(
	struct hostseats *s, const struct topo *t, const struct cpuset *reserved);
void hostseats_fini(struct hostseats *s);

/** Seat one more VM, and leave in the units what they have of it. */
void hostseats_add(struct hostseats *s, const struct cpuset *vcpus, unsigned int n);

#endif

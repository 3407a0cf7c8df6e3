// SPDX-License-Identifier: MIT
/*
 * What is judged: a host, the VMs on it and the CPUs that each of their threads may
 * use. Policies write the masks, the judge reads them.
 */
#ifndef QMPIN_BENCH_SITE_H
#define QMPIN_BENCH_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "topo/cpuset.h"
#include "topo/lat.h"
#include "topo/model.h"

struct replay_start;

struct site_vm {
	const char *id;			  /* borrowed */
	const struct replay_start *start; /* borrowed; the judge does not look */
	unsigned int n_vcpus;
	struct cpuset limit;  /* where it may run, offline CPUs too */
	struct cpuset *masks; /* of each vCPU: some CPUs that are online */
	struct cpuset emulator;
	bool pinned; /* a policy gave it masks; false: they are its limit */
	/* NUMA nodes of the guest, at least 1, and their vCPUs; NULL: all are in 0. */
	unsigned int n_nodes;
	const struct cpuset *node_vcpus;
	double memory_gib;
	/* Share of each guest node's memory on each node of the host (indices):
	 * n_nodes x topo->n_nodes. */
	double *memory;
	bool touched; /* memory says something; false: it will be where the vCPUs are */
};

struct site {
	const struct topo *topo; /* of the whole host: offline CPUs too */
	struct lat_view lat;	 /* of its PUs */
	double worst_ns;
	struct cpuset online;
	unsigned int n;
	unsigned int cap;
	struct site_vm *vms;
};

/** Empty, all CPUs online. @topo and @lat are borrowed. */
struct site site_new(const struct topo *topo, struct lat_view lat);
void site_fini(struct site *s);

/** A VM that may run anywhere and has no masks of its own. Pointers to others may move.
 */
struct site_vm *site_add(struct site *s, const char *id, unsigned int n_vcpus);
struct site_vm *site_find(const struct site *s, const char *id);
/** It stops; the others keep their order. */
void site_remove(struct site *s, struct site_vm *vm);

/** Where it may run now: its CPUs that are online, or all that are. */
struct cpuset site_limit(const struct site *s, const struct site_vm *vm);

/** More or fewer vCPUs; new ones have the emulator's mask, as threads inherit it. */
void site_plug(struct site_vm *vm, unsigned int n_vcpus);

/** All threads get the same CPUs: @mask, as far as it may use them. */
void site_give(const struct site *s, struct site_vm *vm, const struct cpuset *mask);

/** As the kernel does it: masks lose the CPU; an empty one becomes all that it may use.
 */
void site_offline(struct site *s, unsigned int cpu);
void site_online(struct site *s, unsigned int cpu);

/** The guest node of a vCPU. */
unsigned int site_guest_node(const struct site_vm *vm, unsigned int vcpu);

unsigned int site_vcpus(const struct site *s);

#endif

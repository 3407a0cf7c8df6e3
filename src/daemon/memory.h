// SPDX-License-Identifier: MIT
/*
 * Memory of VMs and nodes, looked at a little with every audit: where each VM's memory
 * is, what is free on each node, and who else moves memory around. Reads only; what is
 * moved on our behalf is migrating.h's.
 */
#ifndef QMPIN_DAEMON_MEMORY_H
#define QMPIN_DAEMON_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/migrating.h"
#include "daemon/residence.h"
#include "topo/cpuset.h"

struct engine;
struct memory;
struct vm;

/* So often a VM's memory and the nodes' free memory are looked at. */
#define MEMORY_INTERVAL_US UINT64_C(10000000)
#define MEMORY_WARNINGS_MAX 3u

/* A VM's part. Zero-initialise. */
struct vm_memory {
	struct residence residence;
	const char *unknown; /* why nothing is known; static, NULL: it is, or was never
			      * looked at */
	uint64_t next_us;    /* not before; 0: never looked at */
	uint64_t scans;	     /* of the kernel's NUMA balancing, as last read */
	uint64_t scanned_us; /* when that had changed; 0: never */
	struct vm_migration migration;
	unsigned int strays; /* DIMMs without host nodes that were told of */
};

void memory_forget(struct vm_memory *m);

/** @root: "" for this machine. @foreign: the topology is another host's, whose nodes
 * cannot be looked at. Never NULL; who calls makes it @e->memory. */
struct memory *memory_new(struct engine *e, const char *root, bool foreign);
void memory_free(struct memory *m);

/** A round of the audit after @ms: a few VMs, and now and then the host. */
void memory_turn(struct engine *e, unsigned int ms);

/** First sight of a VM, before it is placed. */
void memory_see(struct engine *e, struct vm *vm);

/** For the planner: shares of the host's nodes as a new array, NULL: no input. */
double *memory_share(const struct engine *e, const struct vm *vm);

/** Host nodes (kernel ids) that a guest node's memory is bound to; empty: none. */
struct cpuset memory_host_nodes(
	const struct vm *vm, unsigned int guest_node, unsigned int n_guest_nodes);

/** QEMU names memory of that guest node. */
bool memory_is_told(
	const struct vm *vm, unsigned int guest_node, unsigned int n_guest_nodes);

/** Some of its memory is bound to host nodes. */
bool memory_is_bound(const struct vm *vm);

/** Size of the guest's memory, 0: unknown. */
double memory_gib(const struct vm *vm);

/** Share of its memory on the nodes of its vCPUs' CPUs, negative: unknown. */
double memory_local_pct(const struct engine *e, const struct vm *vm);

/** What should be known of a VM's memory, as a new string; NULL: nothing. */
char *memory_note(const struct vm *vm);

/** New strings into @out, which has room for MEMORY_WARNINGS_MAX. Returns how many. */
size_t memory_warnings(const struct engine *e, char **out);

#endif

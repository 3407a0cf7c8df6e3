// SPDX-License-Identifier: MIT
/*
 * The guest's memory as QMP tells it: back ends with their host nodes and policies, and
 * the memory devices (DIMMs) with the guest's nodes. Which guest node a back end is of
 * QMP does not say (HMP does); by_node() goes by what all tools call them. Pure.
 *
 * Source: QEMU's qapi/machine.json (Memdev, MemoryDeviceInfo), 7.2 to 11.1.
 */
#ifndef QMPIN_QMP_MEMDEVS_H
#define QMPIN_QMP_MEMDEVS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

#define MEMDEVS_MAX 512u	/* 128 nodes and 256 DIMMs is what QEMU has */
#define MEMDEVS_HOST_NODES 128u /* QEMU's MAX_NODES, on the host too */
#define MEMDEVS_NAME_MAX 65u

/* Nodes 0 to MEMDEVS_HOST_NODES - 1, a bit each. */
struct memdevs_nodes {
	uint64_t bits[MEMDEVS_HOST_NODES / 64];
};

struct memdev {
	char id[MEMDEVS_NAME_MAX];
	uint64_t size_bytes;
	/* Its pages come from these nodes and no others (bind, interleave); of no
	 * other policy that is true: none. */
	struct memdevs_nodes host_nodes;
	bool bound;
};

struct memdevs_dimm {
	char memdev[MEMDEVS_NAME_MAX]; /* id of its back end; "": it has none */
	int node;		       /* the guest's; -1: not told */
	bool hotplugged;
};

/* Zero-initialise; known says which reply has come. */
struct memdevs {
	bool known;
	unsigned int n;
	struct memdev *list;
	unsigned int n_dimms;
	struct memdevs_dimm *dimms;
};

/* What is known of a guest node's memory. */
struct memdevs_of_node {
	uint64_t size_bytes;		 /* of the back ends found; 0: none was */
	bool bound;			 /* all of it */
	struct memdevs_nodes host_nodes; /* of all that is bound */
	unsigned int stray_dimms;	 /* not bound though the rest is */
};

/**
 * Decode the "return" value of query-memdev, of query-memory-devices. On failure @m is
 * as before.
 *
 * Return 0, -EINVAL, -ERANGE or -E2BIG as the decoders of facts.h.
 */
MUST_CHECK int memdevs_read(struct memdevs *m, const json_t *ret, struct err *e);
MUST_CHECK int memdevs_read_dimms(struct memdevs *m, const json_t *ret, struct err *e);

/** Free with memdevs_fini. */
struct memdevs memdevs_copy(const struct memdevs *m);
void memdevs_fini(struct memdevs *m);

/** All of the guest's memory, that of DIMMs too; 0: unknown. */
uint64_t memdevs_size(const struct memdevs *m);

/**
 * The memory of one of @n_nodes guest nodes (0: it has none, and @node is 0): its DIMMs
 * and the back ends "ram-node<N>" (Proxmox, libvirt). Of a guest with at most one node
 * it is all there is; of another one whose back ends have other names, what they have
 * in common.
 */
struct memdevs_of_node memdevs_by_node(
	const struct memdevs *m, unsigned int node, unsigned int n_nodes);

bool memdevs_has_node(const struct memdevs_nodes *nodes, unsigned int node);

#endif

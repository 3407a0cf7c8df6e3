// SPDX-License-Identifier: MIT
/*
 * The configuration of a Proxmox VM, as far as placement asks for it. Only the main
 * section counts: snapshots, pending changes and special sections are not what runs.
 * The text is anybody's who may edit the VM: what cannot be understood is left out and
 * named, and the rest counts. Pure.
 *
 * Source: Proxmox VE's qm.conf(5) (PVE 8 and 9).
 */
#ifndef QMPIN_PVE_VMCONF_H
#define QMPIN_PVE_VMCONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "topo/cpuset.h"

/* Proxmox refuses longer ones. */
#define VMCONF_BYTES_MAX (1024u * 1024u)
#define VMCONF_NODES_MAX 8u /* numa0 to numa7 */
#define VMCONF_PCI_MAX 64u  /* functions of hostpci0 to hostpci15 */
#define VMCONF_TAGS_MAX 256u
#define VMCONF_WARNINGS_MAX 16u

enum vmconf_policy {
	VMCONF_POLICY_NONE,
	VMCONF_POLICY_PREFERRED,
	VMCONF_POLICY_BIND,
	VMCONF_POLICY_INTERLEAVE,
};

/* numaN: a node of the guest. */
struct vmconf_node {
	unsigned int id;
	struct cpuset vcpus;	  /* of the guest */
	struct cpuset host_nodes; /* kernel ids, empty: not said */
	uint64_t memory_mib;	  /* 0: not said */
	enum vmconf_policy policy;
};

struct vmconf {
	unsigned int cores, sockets; /* 1 when not said */
	unsigned int vcpus;	     /* plugged at start; 0: all */
	uint64_t memory_mib;	     /* 0: not said */
	bool numa;
	unsigned int n_nodes;
	struct vmconf_node nodes[VMCONF_NODES_MAX]; /* ascending id */
	bool has_affinity;
	struct cpuset affinity; /* not empty with has_affinity */
	double cpulimit;	/* CPUs, 0: none */
	unsigned int cpuunits;	/* 0: not said */
	bool template;
	/* Strings are owned, NULL: not there. */
	char *lock;	   /* "migrate", "backup", ... */
	char *hookscript;  /* the volume: "local:snippets/pin.sh" */
	char *args;	   /* extra arguments of QEMU */
	bool pinning;	   /* it has a property of that name: another tool's */
	char *description; /* decoded, lines end in '\n'; perhaps not UTF-8 */
	size_t n_tags;
	char **tags; /* lower case, in the order of the file */
	/* Passed-through functions by address, "0000:01:00.0"; a whole device
	 * ("0000:01:00") stands for all functions; mappings by name are not here. */
	size_t n_pci;
	char **pci;
	size_t n_warnings; /* "line 12: affinity: ...", safe to print */
	char **warnings;
};

/**
 * Read a configuration.
 *
 * @text  @len bytes, at most VMCONF_BYTES_MAX; need not be terminated
 * @out   written only on success; vmconf_fini it
 *
 * Returns 0 or -E2BIG.
 */
MUST_CHECK int vmconf_parse(const char *text, size_t len, struct vmconf *out);

void vmconf_fini(struct vmconf *c);

#endif

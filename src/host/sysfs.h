// SPDX-License-Identifier: MIT
/*
 * What the kernel's own files say of CPUs and NUMA nodes. They decide where hwloc makes
 * up nodes, gives memory-only nodes the CPUs of others, or, in some versions, knows
 * better which CPUs are SMT siblings.
 */
#ifndef QMPIN_HOST_SYSFS_H
#define QMPIN_HOST_SYSFS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "topo/cpuset.h"
#include "topo/model.h"

struct sysfs_node {
	struct topo_node_facts facts;
	struct cpuset cpus; /* as listed, offline ones too */
};

struct sysfs_facts {
	struct cpuset online;
	struct cpuset offline; /* present ones that are not; empty: or not told */
	/* CPUSET_CAP entries: the lowest online SMT sibling of each online CPU whose
	 * siblings are told, else TOPO_NONE. */
	int *core_of;
	/* isolcpus and nohz_full of the kernel command line, isolated partitions of
	 * cgroups */
	struct cpuset isolated;
	struct cpuset isolcpus;	  /* of these, isolcpus */
	unsigned int n_nodes;	  /* 0: there is no node directory */
	struct sysfs_node *nodes; /* ascending id */
	unsigned int *distances;  /* n_nodes x n_nodes; NULL: unknown */
};

/**
 * Read /sys/devices/system/cpu and /node.
 *
 * @root  the directory that stands for "/"; "" for the running host
 * @out   free with sysfs_fini; written only on success
 *
 * Returns 0, -EINVAL (a file that cannot be understood), -ERANGE (a number over its
 * cap, a file too long), -ENOENT (a file that must be there is not) or another errno;
 * @e names the file.
 *
 * Source: kernel ABI/stable/sysfs-devices-system-cpu and -node.
 */
MUST_CHECK int sysfs_read(const char *root, struct sysfs_facts *out, struct err *e);

/** Which CPUs are online. As sysfs_read. */
MUST_CHECK int sysfs_online(const char *root, struct cpuset *out, struct err *e);

void sysfs_fini(struct sysfs_facts *f);

#endif

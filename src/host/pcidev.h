// SPDX-License-Identifier: MIT
/* NUMA nodes of PCI devices, and of mediated ones that are made of them. */
#ifndef QMPIN_HOST_PCIDEV_H
#define QMPIN_HOST_PCIDEV_H

#include "topo/cpuset.h"

/**
 * Add the node of a device to @nodes, if the kernel knows one.
 *
 * @root  the directory that stands for "/"; "" for the running host
 * @name  "0000:01:00.0"; "0000:01:00" for all functions; the UUID of a mediated device.
 *        Others add nothing.
 *
 * Source: kernel ABI/testing/sysfs-bus-pci (numa_node, -1: none), vfio-mdev.
 */
void pcidev_add_nodes(const char *root, const char *name, struct cpuset *nodes);

#endif

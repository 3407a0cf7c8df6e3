// SPDX-License-Identifier: MIT
/* VMs that want little on a host where they have room, for tests of whole cores. */
#ifndef QMPIN_TESTS_QUIET_H
#define QMPIN_TESTS_QUIET_H

#include "fleet.h"

#define QUIET_PLENTY 100000u
#define QUIET_L3 "0-3,32-35" /* the first L3 group of host_9354: four cores */

struct cpuset quiet_cpus(const char *text);

/** An empty fleet; rebalance may do as it likes. */
struct fleet *quiet_fleet(const struct host *h);

/** A VM that has been on @mask for ever, its memory on node 0, each second vCPU a
 * sibling of the one before. It seldom wants more than half of its vCPUs. */
struct fleet_vm *quiet_add(
	struct fleet *f, const char *id, unsigned int n_vcpus, const char *mask);

/** A fleet whose VM 100 has been narrowed in QUIET_L3. */
struct fleet *quiet_narrowed(const struct host *h, unsigned int n_vcpus);

/** Pairs of vCPUs have a core each, and all of them different ones. */
bool quiet_has_cores(const struct host *h, const struct plan_result *r);

/** All vCPUs have this mask. */
bool quiet_has_mask(const struct plan_result *r, const char *mask);

#endif

// SPDX-License-Identifier: MIT
/* Hosts of which only some CPUs count, or nothing but their CPUs is known. Pure. */
#ifndef QMPIN_CLI_LATHOST_H
#define QMPIN_CLI_LATHOST_H

#include "topo/cpuset.h"
#include "topo/model.h"

/** CPUs of which nothing is known but that they are there, one at least. Never NULL;
 * topo_free it. */
struct topo *lathost_bare(const struct cpuset *cpus);

/** The part of a host that is about @cpus, at least one of which it has. Never NULL;
 * topo_free it. */
struct topo *lathost_part(const struct topo *t, const struct cpuset *cpus);

#endif

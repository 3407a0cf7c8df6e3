// SPDX-License-Identifier: MIT
/* Which CPUs vCPUs are busy on. */
#ifndef QMPIN_DAEMON_BUSY_H
#define QMPIN_DAEMON_BUSY_H

#include "topo/cpuset.h"

struct engine;

/** The one CPU that each vCPU may use, else the one it had last; online ones. */
struct cpuset busy_cpus(const struct engine *e);

#endif

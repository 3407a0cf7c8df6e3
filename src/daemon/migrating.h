// SPDX-License-Identifier: MIT
/*
 * Memory that comes after its vCPUs (memory = migrate): which VM's is moved, when and
 * where to. One VM at a time, only to nodes with room for it, and never while the VM
 * itself is about to move.
 */
#ifndef QMPIN_DAEMON_MIGRATING_H
#define QMPIN_DAEMON_MIGRATING_H

#include <stdint.h>

#include "topo/cpuset.h"

struct engine;
struct migrating;

/* A VM's place must have been the same for so long. */
#define MIGRATING_SETTLE_US UINT64_C(10000000)

/* A VM's part. Zero-initialise. */
struct vm_migration {
	struct cpuset nodes; /* it was tried with these last */
	uint64_t next_us;    /* with the same not before; 0: never tried */
};

/** Never NULL; who calls makes it @e->migrating. Free it before the engine. */
struct migrating *migrating_new(struct engine *e);
void migrating_free(struct migrating *m);

/** A round of the audit: stop what has lost its reason, begin what has one. */
void migrating_turn(struct engine *e);

#endif

// SPDX-License-Identifier: MIT
/*
 * VMs that an earlier daemon placed and whose QEMU does not answer yet. What is theirs
 * looks free: until they are there, or for a while, the others get no more than they
 * have, so that a restart widens nobody onto it.
 */
#ifndef QMPIN_DAEMON_LATECOMER_H
#define QMPIN_DAEMON_LATECOMER_H

#include <stdbool.h>

#include "topo/cpuset.h"

struct engine;
struct vm;

/** Some are expected. */
bool latecomer_is_due(const struct engine *e);

/** What a VM that was placed may have meanwhile: of its limit what its threads have. */
struct cpuset latecomer_bound(const struct vm *vm);

/** None are expected any more: a plan without bounds, if the last one had them. Called
 * now and then. */
void latecomer_look(struct engine *e);

#endif

// SPDX-License-Identifier: MIT
/*
 * Make the masks of a VM's threads what is wanted: only those that differ, each
 * verified, the record of the masks before us written first.
 */
#ifndef QMPIN_DAEMON_APPLY_H
#define QMPIN_DAEMON_APPLY_H

struct engine;
struct vm;

void apply_vm(struct engine *e, struct vm *vm);

#endif

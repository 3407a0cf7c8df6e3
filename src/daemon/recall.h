// SPDX-License-Identifier: MIT
/*
 * What the configuration of a VM said last, over restarts of the daemon: it is in the
 * VM's record, and counts until the configuration is read. One of which nothing is
 * known is left alone for a while, where a Proxmox host does not tell.
 */
#ifndef QMPIN_DAEMON_RECALL_H
#define QMPIN_DAEMON_RECALL_H

#include <stdbool.h>

#include "pve/optin.h"

struct engine;
struct vm;

/** The VM's record was loaded: what it has of wishes counts, if nothing is known. */
void recall_take(struct engine *e, struct vm *vm);

/** What counted of tags and description, as the record has it. */
struct optin recall_optin(const struct vm *vm);

/** Its wishes are others than the record has: they are put there, and on disk if there
 * is anything to know. To be called before anything is done about them. */
void recall_keep(const struct engine *e, struct vm *vm);

#define RECALL_NOTE "waits for its configuration: /etc/pve does not answer"

/** It is left alone, as it may say so, and nobody has asked for it by name. */
bool recall_waits(const struct engine *e, const struct vm *vm);

/** Who has waited long enough comes now. Called every few seconds. */
void recall_look(struct engine *e);

#endif

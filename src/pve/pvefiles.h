// SPDX-License-Identifier: MIT
/*
 * Looks at the files of a Proxmox cluster's file system and tells what has changed. Any
 * call may take for ever: this is for a process that nobody waits for. Between looks
 * nothing is kept open, so that it can be unmounted.
 */
#ifndef QMPIN_PVE_PVEFILES_H
#define QMPIN_PVE_PVEFILES_H

#include <stdbool.h>

#include "pve/pvefeed.h"

struct pvefiles;

/* Told of a look: see pvefeed.h. The message is borrowed for the call. BUSY comes after
 * each file, to be passed on now and then. */
typedef void pvefiles_teller(void *owner, const struct pvefeed_message *m);

/** @dir is /etc/pve. Free with pvefiles_free. */
struct pvefiles *pvefiles_new(const char *dir);
void pvefiles_free(struct pvefiles *f);

/** VMs that are looked at. Again: nothing happens. */
void pvefiles_add(struct pvefiles *f, unsigned int vmid);
void pvefiles_remove(struct pvefiles *f, unsigned int vmid);

/** Look. @all: do not trust counters of changes. What was told before is told again
 * only when it differs. */
void pvefiles_look(struct pvefiles *f, bool all, pvefiles_teller *teller, void *owner);

#endif

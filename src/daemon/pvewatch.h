// SPDX-License-Identifier: MIT
/*
 * Texts of a Proxmox cluster's file system, as they are now or as they last were. It is
 * FUSE and may hang for ever, so a child of its own reads it (qmpin-pve), and one that
 * does not answer in time is left to itself: the last good texts stay. Hosts without
 * /etc/pve have none, which costs nothing.
 */
#ifndef QMPIN_DAEMON_PVEWATCH_H
#define QMPIN_DAEMON_PVEWATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct event_base;
struct pvewatch;

struct pvewatch_callbacks {
	/* A VM's configuration has come, has changed, or (@text NULL) is gone. Borrowed
	 * for the call; at most VMCONF_BYTES_MAX. */
	void (*on_vm)(void *owner, const char *id, const char *text, size_t len);
	/* /etc/pve/qmpin.conf or /etc/pve/datacenter.cfg, as on_vm. */
	void (*on_cluster)(void *owner, const char *name, const char *text, size_t len);
	/* All that was asked for has been answered once, or will not be in time. */
	void (*on_settled)(void *owner);
	/* NULL: it answers again. Else one line for the log: it hangs, it is not there. */
	void (*on_trouble)(void *owner, const char *why);
};

/**
 * Begin to watch. Returns at once; nothing is read before the loop runs.
 *
 * @root     prefix of /etc/pve, "" for this machine
 * @program  path of qmpin-pve
 * @out      free with pvewatch_free
 *
 * Returns 0 or a negative errno with @e.
 */
MUST_CHECK int pvewatch_new(struct event_base *base, const char *root,
	const char *program, const struct pvewatch_callbacks *callbacks, void *owner,
	struct pvewatch **out, struct err *e);

void pvewatch_free(struct pvewatch *w);

/** VMs by id whose configuration is wanted from now on: those that run here. */
void pvewatch_add(struct pvewatch *w, const char *id);
void pvewatch_remove(struct pvewatch *w, const char *id);

/** Look now, not at the next poll (SIGHUP). */
void pvewatch_look(struct pvewatch *w);

#endif

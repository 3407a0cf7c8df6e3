// SPDX-License-Identifier: MIT
/*
 * Texts of a Proxmox cluster's file system, as they are now or as they last were. It is
 * FUSE and may hang for ever, so a child of its own reads it (qmpin-pve), and one that
 * does not answer in time is left to itself: the last good texts stay. Where there is
 * no /etc/pve the child ends at once, and is asked again with longer and longer pauses,
 * in the end every five minutes: also to look whether it is there may hang.
 */
#ifndef QMPIN_DAEMON_PVEWATCH_H
#define QMPIN_DAEMON_PVEWATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct event_base;
struct pvewatch;

/* Names the program to run instead of the installed one. */
#define PVEWATCH_PROGRAM_ENV "QMPIN_PVE"

/* Any of them may add, remove and free. */
struct pvewatch_callbacks {
	/* A VM's configuration has come, has changed, or (@text NULL) is not there.
	 * Borrowed for the call; at most VMCONF_BYTES_MAX. */
	void (*on_vm)(void *owner, const char *id, const char *text, size_t len);
	/* /etc/pve/qmpin.conf or /etc/pve/datacenter.cfg, as on_vm. */
	void (*on_cluster)(void *owner, const char *name, const char *text, size_t len);
	/* All that was asked for has been answered once, or will not be in time. Again
	 * when that is so of what was added later. */
	void (*on_settled)(void *owner);
	/* NULL: it answers again. Else one line for the log: it hangs, it is not there.
	 */
	void (*on_trouble)(void *owner, const char *why);
	/* The file of @name, an id or as on_cluster's, is there and cannot be read (too
	 * long, no regular file): what was known of it stays. @why NULL: it can again.
	 * May be NULL. */
	void (*on_unread)(void *owner, const char *name, const char *why);
};

/* 0: the default. */
struct pvewatch_pace {
	unsigned int poll_ms;	  /* from the end of a look to the next */
	unsigned int deadline_ms; /* without a word, and for what was added */
	unsigned int retry_ms;	  /* after the first failure, then twice as long */
	unsigned int retry_max_ms;
};

/** The installed program, or that of PVEWATCH_PROGRAM_ENV. */
const char *pvewatch_program(void);

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

/** Does not wait for a child that hangs. NULL is allowed. */
void pvewatch_free(struct pvewatch *w);

/** For tests, before the loop runs. */
void pvewatch_set_pace(struct pvewatch *w, const struct pvewatch_pace *pace);

/** VMs by id whose configuration is wanted from now on: those that run here. Ids that
 * are no VMID have none. Again: nothing happens. */
void pvewatch_add(struct pvewatch *w, const char *id);
void pvewatch_remove(struct pvewatch *w, const char *id);

/** This VM's configuration is not known yet, but may be in time: on_settled tells. */
bool pvewatch_awaits(struct pvewatch *w, const char *id);

/** Nothing was ever heard of this VM's configuration, although the file system of a
 * Proxmox host is there, or its place is: it hangs, or is not mounted yet. */
bool pvewatch_is_silent(struct pvewatch *w, const char *id);

/** Look now, not at the next poll, and at everything (SIGHUP). */
void pvewatch_look(struct pvewatch *w);

#endif

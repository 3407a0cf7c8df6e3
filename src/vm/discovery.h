// SPDX-License-Identifier: MIT
/*
 * Monitor sockets as they appear and vanish in a directory: inotify, with a full rescan
 * at start, on overflow and when the directory itself comes or is replaced.
 */
#ifndef QMPIN_VM_DISCOVERY_H
#define QMPIN_VM_DISCOVERY_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "vm/identity.h"

struct event_base;
struct discovery;

/* A socket named VMID.qmp (^[1-9][0-9]{2,8}\.qmp$). Borrowed for the call. */
struct discovered {
	const char *id;           /* "103" */
	int vmid;                 /* 103 */
	const char *socket_path;
	const char *pid_path;
	bool fresh;               /* appeared while watching: QEMU has just started */
};

struct discovery_handlers {
	/* Told once for each new socket (also when the file was replaced: another inode). */
	void (*on_found)(void *owner, const struct discovered *found);
	/* The socket's file is gone. */
	void (*on_lost)(void *owner, const char *id);
	/* The directory cannot be watched (told once until it changes); it is tried again. */
	void (*on_trouble)(void *owner, const struct err *why);
};

/** "103.qmp" -> 103; -1 for names that are no VM's monitor. Pure. */
int discovery_parse_name(const char *name);

/**
 * Watch @dir (need not exist yet).
 *
 * Returns a new object; the first scan runs from discovery_start().
 */
struct discovery *discovery_new(struct event_base *base, const char *dir,
	const struct discovery_handlers *handlers, void *owner);

/** Scan now and watch from here on. */
void discovery_start(struct discovery *d);

/** Compare the directory with what was told, as on an overflow. */
void discovery_rescan(struct discovery *d);

void discovery_free(struct discovery *d);

#endif

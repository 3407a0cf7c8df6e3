// SPDX-License-Identifier: MIT
/*
 * Monitor sockets as they appear and vanish in a directory: inotify, with a full rescan
 * at start, on overflow and when the directory itself comes or is replaced. A socket is
 * told at bind(): for some microseconds more it may still refuse connections.
 */
#ifndef QMPIN_VM_DISCOVERY_H
#define QMPIN_VM_DISCOVERY_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "vm/identity.h"

struct event_base;
struct discovery;

#define DISCOVERY_VMS_MAX 16384u /* sockets beyond are left out, and that is told */

/* A socket named VMID.qmp (^[1-9][0-9]{2,8}\.qmp$). Borrowed for the call. */
struct discovered {
	const char *id; /* "103" */
	int vmid;	/* 103 */
	const char *socket_path;
	const char *pid_path;
	bool fresh; /* appeared since the first look at the directory: QEMU
		     * has just started */
};

struct discovery_handlers {
	/* Told once for each new socket (also when the file was replaced: another
	 * inode). */
	void (*on_found)(void *owner, const struct discovered *found);
	/* The socket's file is gone. */
	void (*on_lost)(void *owner, const char *id);
	/* The directory cannot be watched (told once until the reason changes): not
	 * there yet, not readable, no watches left. It is tried again and compared
	 * every second. Also told when more than DISCOVERY_VMS_MAX sockets are there.
	 */
	void (*on_trouble)(void *owner, const struct err *why);
};

/**
 * Watch @dir (need not exist yet; may go and come again).
 *
 * @dir, @handlers  copied
 *
 * Returns a new object, never NULL; the first scan runs from discovery_start(). The
 * handlers are called from it, from discovery_rescan() and from the event loop, and may
 * free the object.
 */
struct discovery *discovery_new(struct event_base *base, const char *dir,
	const struct discovery_handlers *handlers, void *owner);

/** Scan now and watch from here on. */
void discovery_start(struct discovery *d);

/** Compare the directory with what was told, as on an overflow. */
void discovery_rescan(struct discovery *d);

/** NULL is allowed. */
void discovery_free(struct discovery *d);

#endif

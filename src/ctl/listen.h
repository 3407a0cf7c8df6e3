// SPDX-License-Identifier: MIT
/*
 * Listening sockets in the run directory: who may connect is fixed before the first
 * client can, a dead server's file is replaced, a live server's never.
 */
#ifndef QMPIN_CTL_LISTEN_H
#define QMPIN_CTL_LISTEN_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

/* Where sockets are made. Borrowed. */
struct listen_place {
	int dirfd;
	const char *dir; /* its path */
};

/* A socket of ours. fd -1: none. dev and ino: of the file, to remove no other. */
struct listen_socket {
	int fd;
	char name[32];
	dev_t dev;
	ino_t ino;
};

/**
 * Keep other starting servers out while sockets are replaced: of two that find the same
 * stale file, the second would remove the first one's.
 *
 * Returns a descriptor (closing it ends the lock) or a negative errno with @e,
 * -EADDRINUSE when another server is starting.
 */
MUST_CHECK int listen_lock(const struct listen_place *place, struct err *e);

/**
 * Bind and listen; non-blocking, close-on-exec.
 *
 * @name  of the file, below 32 bytes
 * @mode  of the file
 * @gid   group of the file, (gid_t)-1: ours
 * @out   written only on success
 *
 * Returns 0, -EADDRINUSE (a live server, or not a socket), -EPERM (the group may not be
 * set) or another errno, with @e.
 */
MUST_CHECK int listen_open(const struct listen_place *place, const char *name,
	mode_t mode, gid_t gid, struct listen_socket *out, struct err *e);

/** Close, and remove the file if it is still ours. */
void listen_close(const struct listen_place *place, struct listen_socket *s);

#endif

// SPDX-License-Identifier: MIT
/*
 * How many clients wait at a listening unix socket, asked of the kernel (sock_diag).
 * The fallback where descriptors of QEMU may not be duplicated. It has to be polled and
 * works only in the network namespace of QEMU.
 */
#ifndef QMPIN_QMP_BACKLOG_H
#define QMPIN_QMP_BACKLOG_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

/* More would cost too much: a poll is 2-4 us, and 50 a second are needed for each. */
#define BACKLOG_VMS_MAX 64u

struct backlog;

/** Returns 0 or a negative errno; @out written only on success. */
MUST_CHECK int backlog_open(struct backlog **out, struct err *e);
/** NULL is allowed. */
void backlog_close(struct backlog *b);

/**
 * The listening socket bound to the file @path, by the file's device and inode. (On
 * file systems whose files show another device than their mount, as btrfs and some
 * overlays, it is not found; /run is none.) Looks at all unix sockets: 0.03 ms and
 * 0.04 ms for each thousand.
 *
 * Returns 0, -ENOENT (none: nobody listens there, or in another network namespace) or
 * another errno; @inode (of the socket) written only on success.
 */
MUST_CHECK int backlog_find(
	struct backlog *b, const char *path, uint32_t *inode, struct err *e);

/** Clients in the queue of the listening socket @inode. Returns the number, -ENOENT
 * (it does not listen any more), -EAGAIN (the answer was lost: ask again) or another
 * errno. Never blocks. */
MUST_CHECK int backlog_waiters(struct backlog *b, uint32_t inode);

#endif

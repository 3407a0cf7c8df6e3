// SPDX-License-Identifier: MIT
/* Connect to a monitor's socket and learn who listens there. Never blocks. */
#ifndef QMPIN_QMP_DIAL_H
#define QMPIN_QMP_DIAL_H

#include <sys/socket.h>

#include "base/attr.h"
#include "base/err.h"

/** A socket to connect with: non-blocking, close-on-exec. Returns it, owned by the
 * caller, or a negative errno. */
MUST_CHECK int dial_socket(void);

/**
 * @fd    of dial_socket
 * @path  of a listening unix socket; may be longer than sun_path if its last part and
 *        /proc/self/fd/N fit into that
 * @peer  written only on success: who listens (not who accepts: nobody may have yet)
 *
 * Returns 0, -EAGAIN (the queue of the socket is full: others are waiting),
 * -ECONNREFUSED (nobody listens: a stale socket), -ENOENT or another errno.
 */
MUST_CHECK int dial_connect(
	int fd, const char *path, struct ucred *peer, struct err *e);

#endif

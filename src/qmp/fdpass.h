// SPDX-License-Identifier: MIT
/* Bytes on a unix socket with the descriptors that travel with them. Never blocks. */
#ifndef QMPIN_QMP_FDPASS_H
#define QMPIN_QMP_FDPASS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "qmp/frame.h"

/* In one message; as many as QEMU takes. */
#define FDPASS_MAX 16u

/**
 * @fds    room for FDPASS_MAX; close-on-exec, owned by the caller
 * @n_fds  always written
 *
 * Returns the bytes read, 0 (the peer says nothing more), -EAGAIN, -EMSGSIZE (more
 * descriptors than that, or than this process may have; all are closed, the bytes are
 * lost) or another errno.
 */
MUST_CHECK ssize_t fdpass_recv(
	int fd, char *bytes, size_t size, int *fds, size_t *n_fds);

/** @pass goes with the first byte and stays the caller's; -1: none. Returns the bytes
 * sent or a negative errno. */
MUST_CHECK ssize_t fdpass_send(int fd, struct frame_span bytes, int pass);

#endif

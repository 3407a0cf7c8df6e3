// SPDX-License-Identifier: MIT
/*
 * Has the other side accepted a unix socket that we connected, or is it still in the
 * queue? connect() does not tell, but the kernel's sock_diag does, for sockets of our
 * own network namespace, whatever that of the other side is.
 */
#ifndef QMPIN_QMP_ACCEPTED_H
#define QMPIN_QMP_ACCEPTED_H

#include "base/attr.h"

/** Returns a descriptor to ask with, owned by the caller, or a negative errno (not
 * available here). May load a module of the kernel. */
MUST_CHECK int accepted_open(void);

/**
 * Never blocks.
 *
 * @diag    of accepted_open(), or negative
 * @socket  a stream socket of family unix
 *
 * Returns 1 (yes), 0 (connected and in the queue), -ENOTCONN or another errno (not
 * known).
 */
MUST_CHECK int accepted_ask(int diag, int socket);

#endif

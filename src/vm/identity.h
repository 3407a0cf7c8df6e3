// SPDX-License-Identifier: MIT
/*
 * Which process a monitor socket belongs to, proven: pidfile, pidfd, the peer of the
 * connection and the start time must agree.
 */
#ifndef QMPIN_VM_IDENTITY_H
#define QMPIN_VM_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

#define VM_ID_MAX 65u

/* Zero-initialised or after identity_fini it is empty. */
struct vm_identity {
	pid_t pid;
	uint64_t start_ticks; /* of the process, since boot */
	int pidfd;	      /* owned; readable when the process has ended */
};

/**
 * Text of a pidfile: digits and at most one newline behind them. Pure.
 *
 * Returns 0 or -EINVAL; @out written only on success.
 */
MUST_CHECK int identity_parse_pidfile(const char *text, size_t len, pid_t *out);

/**
 * Prove who is behind a connected monitor socket.
 *
 * @procfd       open directory of /proc
 * @socket_path  of the monitor; its owner must be root or the peer's own uid
 * @pid_path     "VMID.pid" beside it; a missing file is accepted only when
 *               @need_pidfile is false (plain QEMU: peer and start time are the
 * identity)
 * @peer         SO_PEERCRED of the connection
 * @out          written only on success; free with identity_fini
 *
 * Returns 0, -ENOENT (no pidfile), -EINVAL (pidfile holds no pid), -ESTALE (pidfile and
 * peer disagree, or the socket is gone), -EPERM (socket of a stranger), -ESRCH (process
 * ended, or of another pid namespace) or another errno; @e names file and numbers.
 *
 * The kernel keeps @peer's number after the peer has died, and the id may be reused:
 * see identity_check_peer.
 */
MUST_CHECK int identity_prove(int procfd, const char *socket_path, const char *pid_path,
	int need_pidfile, const struct ucred *peer, struct vm_identity *out,
	struct err *e);

/**
 * The process that was noted once, if it still lives.
 *
 * @source  names it in @e
 * @out     written only on success; free with identity_fini
 *
 * Returns 0, -ESRCH (ended; its id may be another's) or another errno with @e.
 */
MUST_CHECK int identity_reopen(int procfd, pid_t pid, uint64_t start_ticks,
	const char *source, struct vm_identity *out, struct err *e);

/**
 * The other end of the connection is still open. Called after identity_prove, this
 * means that the process which listened was alive when its pidfd was opened, so the id
 * had not been reused by then. (An answer to a question that was sent later proves the
 * same.)
 *
 * Returns 0 or -ECONNRESET.
 */
MUST_CHECK int identity_check_peer(int fd, const char *socket_path, struct err *e);

/**
 * The process that has the id @pid now, without a word on what it is: what is read of
 * it in /proc before its pidfd is found alive once more, is true of it.
 *
 * Returns 0, -ESRCH or another errno; @out as in identity_prove.
 */
MUST_CHECK int identity_of_process(int procfd, pid_t pid, struct vm_identity *out);

/** The process has ended. */
bool identity_has_ended(const struct vm_identity *id);

/** Close the pidfd; safe on an empty one and twice. */
void identity_fini(struct vm_identity *id);

#endif

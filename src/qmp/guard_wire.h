// SPDX-License-Identifier: MIT
/*
 * What the daemon and its guard say to each other, over a SOCK_SEQPACKET pair between
 * two processes of one program: packets of fixed size, descriptors beside them.
 */
#ifndef QMPIN_QMP_GUARD_WIRE_H
#define QMPIN_QMP_GUARD_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "qmp/guard.h"

enum guard_wire_kind {
	GUARD_WIRE_PING,
	GUARD_WIRE_WATCH, /* with the listener and the pidfd */
	GUARD_WIRE_HOLD,  /* with the session */
	GUARD_WIRE_RENEW,
	GUARD_WIRE_FORGET,
	GUARD_WIRE_ECHO, /* the one thing that the guard says */
};

#define GUARD_WIRE_FDS_MAX 2u

struct guard_wire_message {
	uint32_t kind;
	uint32_t wants_echo;
	uint64_t key;
	struct guard_terms terms; /* HOLD, RENEW */
	uint32_t n_sessions;	  /* ECHO: so many are held */
};

/** Waits as long as the socket is set to. @fds are copied. Returns 0, -EAGAIN (no room)
 * or another errno. */
MUST_CHECK int guard_wire_send(
	int pipe, const struct guard_wire_message *m, const int *fds, size_t n_fds);

/**
 * Never waits.
 *
 * @fds  filled up with -1; owned by the caller, close-on-exec
 *
 * Returns 1, 0 (the other end has closed), -EAGAIN (nothing there), -EMFILE (its
 * descriptors found no place here), -EBADMSG or another errno; @m and @fds are written
 * only when 1 is returned.
 */
MUST_CHECK int guard_wire_receive(
	int pipe, struct guard_wire_message *m, int fds[GUARD_WIRE_FDS_MAX]);

#endif

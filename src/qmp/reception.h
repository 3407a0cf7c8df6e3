// SPDX-License-Identifier: MIT
/*
 * Where QEMUs dial in: the listening socket for private monitors. Who dials is told by
 * the kernel (SO_PEERCRED); whose it is, the owner says. One that nobody claims yet is
 * kept for a moment, since after a restart QEMU may come before its VM is known.
 */
#ifndef QMPIN_QMP_RECEPTION_H
#define QMPIN_QMP_RECEPTION_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct event_base;
struct reception;

struct reception_handlers {
	/* A process has dialled in. Return true to take the descriptor over. */
	bool (*on_dial_in)(void *owner, int fd, const struct ucred *peer);
	/* Nobody claimed it in time, and it was hung up on. */
	void (*on_stranger)(void *owner, const struct ucred *peer);
};

/**
 * Listen at @dir/monitor.sock (0600). A file left there by a dead daemon is replaced.
 *
 * @dir  absolute
 *
 * Returns 0, -ENAMETOOLONG (QEMU could not dial it) or another errno; @out written only
 * on success.
 */
MUST_CHECK int reception_new(struct event_base *base, const char *dir,
	const struct reception_handlers *handlers, void *owner, struct reception **out,
	struct err *e);

/** The path to be dialled; valid as long as the reception. */
const char *reception_path(const struct reception *r);

/** A connection of @pid that waits: the caller owns it. -ENOENT: there is none. */
MUST_CHECK int reception_claim(struct reception *r, pid_t pid);

/** Stop listening, remove the socket. NULL is allowed. */
void reception_free(struct reception *r);

#endif

// SPDX-License-Identifier: MIT
/*
 * Where QEMUs dial in: the listening socket for private monitors. Who dials is told by
 * the kernel (SO_PEERCRED); whose it is, the owner says. One that nobody claims yet is
 * kept for a moment, since after a restart QEMU may come before its VM is known.
 * Nothing is read here: what QEMU says first is there for whoever claims it.
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

/* How long and how many at most wait to be claimed; one for each process. QEMU dials
 * again, so that one who is sent away too early loses a few seconds. */
#define RECEPTION_WAIT_MS 3000u
#define RECEPTION_WAITING_MAX 128u

/* Called from the event loop only. The reception may be freed inside either. */
struct reception_handlers {
	/* A process has dialled in. Return true to take the descriptor over: connected,
	 * non-blocking, close-on-exec. */
	bool (*on_dial_in)(void *owner, int fd, const struct ucred *peer);
	/* Nobody claimed it in time, too many wait, or its process cannot be named
	 * (pid 0: it is of another pid namespace); it was hung up on. */
	void (*on_stranger)(void *owner, const struct ucred *peer);
};

/**
 * Listen at @dir/monitor.sock (0600). A file left there by a dead daemon is replaced.
 * That no living one uses @dir, the caller has made sure.
 *
 * @dir  absolute
 *
 * Returns 0, -ENAMETOOLONG (QEMU could not dial it), -EILSEQ (it is not UTF-8: QEMU
 * could not be told), -EEXIST (something else than a socket is in the way) or another
 * errno; @out written only on success.
 */
MUST_CHECK int reception_new(struct event_base *base, const char *dir,
	const struct reception_handlers *handlers, void *owner, struct reception **out,
	struct err *e);

/** The path to be dialled; valid as long as the reception. */
const char *reception_path(const struct reception *r);

/** A connection of @pid that waits: the caller owns it. -ENOENT: there is none. */
MUST_CHECK int reception_claim(struct reception *r, pid_t pid);

/** Stop listening, hang up on those who wait, remove the socket. NULL is allowed. */
void reception_free(struct reception *r);

#endif

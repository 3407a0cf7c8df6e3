// SPDX-License-Identifier: MIT
/*
 * One QEMU monitor for many clients: accepts on a duplicate of QEMU's own listening
 * socket while it has the one session, and serves everybody through it. To a client it
 * looks like QEMU, but that it offers no commands out of band, waits 50 ms for a
 * descriptor that follows its command, and does not look into ids (1.50 stays 1.50).
 * What is said and to whom is decided in qmp/mux.h; this is the shell.
 *
 * When it goes, for whatever reason, QEMU itself serves the next client.
 */
#ifndef QMPIN_QMP_PROXY_H
#define QMPIN_QMP_PROXY_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"

struct event_base;
struct proxy;
struct rota;

/* Called from the event loop, never from inside a call of this interface. All must be
 * set. The proxy may be freed inside any of them. */
struct proxy_handlers {
	/* The session is up: clients are accepted from now on. */
	void (*on_up)(void *owner);
	/* QEMU has answered a client's command that may have changed threads or CPUs.
	 */
	void (*on_changed)(void *owner);
	/* A client was dropped, and why. */
	void (*on_client_dropped)(void *owner, const struct err *why);
	/* Whoever comes now waits in the socket's queue, since the proxy is full or
	 * finishes. Told again and again, four times a second, while that is so: who
	 * looks after the queue sees by it that nobody hangs. */
	void (*on_no_room)(void *owner);
	/* The session has ended; nothing follows. @err: 0 after proxy_finish(),
	 * -ECONNRESET (QEMU closed it), -ETIMEDOUT, -EPROTO, ... */
	void (*on_end)(void *owner, int err, const struct err *why);
};

/* Zero stands for the default in parentheses. */
struct proxy_options {
	const struct clock *clock;
	unsigned int session_ms;  /* connect to capabilities (5000) */
	unsigned int clients_max; /* more wait in the socket's queue (64) */
	unsigned int slow_ms;	  /* a client that does not take 128 KiB of a long
				   * reply in this time is dropped: meanwhile QEMU
				   * cannot answer others (1000) */
	struct rota *rota;	  /* as in struct link_options */
};

/**
 * @upstream  connected to the VM's monitor, nothing read yet; owned from now on
 * @listener  duplicate of the VM's listening socket; borrowed. O_NONBLOCK is set on it,
 *            which QEMU shares, once the session is up.
 *
 * Never NULL.
 */
struct proxy *proxy_new(struct event_base *base, int upstream, int listener,
	const struct proxy_options *options, const struct proxy_handlers *handlers,
	void *owner);

/** A client of our own: the other end of a new socket pair, for qmp/link.h. Only after
 * on_up. Returns the descriptor, owned by the caller, or a negative errno. */
MUST_CHECK int proxy_join(struct proxy *p);

/** A command of a client is on its way, or waits for its turn, or its proxy finishes
 * and it has not left: ending now could cut it short. */
bool proxy_is_busy(const struct proxy *p);

/** Accept nobody new; on_end (0) comes once those that are there have left, which may
 * just be about to say their first word; a second after this call at the latest, or
 * when QEMU has answered what it is at then. */
void proxy_finish(struct proxy *p);

/** End at once and free; allowed inside its own callbacks. NULL is allowed. */
void proxy_free(struct proxy *p);

#endif

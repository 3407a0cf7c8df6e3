// SPDX-License-Identifier: MIT
/*
 * A VM's monitor, whatever way it is shared: connect, prove the peer, keep a session,
 * answer "what is the state now", pass events on. This is the seam behind which the
 * ways of sharing live; owners see phases and facts, never sockets or JSON.
 *
 * Only constant, read-only commands are ever sent.
 */
#ifndef QMPIN_QMP_MONITOR_H
#define QMPIN_QMP_MONITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/err.h"
#include "qmp/event.h"
#include "qmp/facts.h"

struct event_base;
struct monitor;

/*
 * IDLE        not started, or not reachable; tried again with back-off
 * CONNECTING  connected, no session yet; with a reason: others are served first
 * WATCHING    session up
 * STALLED     a deadline passed, QEMU does not answer; tried again with back-off
 * REFUSED     the owner refused the peer, or what it says is not QMP; tried again with
 *             back-off
 *
 * A failed phase and its reason stay while it is tried again, until the outcome
 * differs: a VM that hangs for a day is told once.
 */
enum monitor_phase {
	MONITOR_IDLE,
	MONITOR_CONNECTING,
	MONITOR_WATCHING,
	MONITOR_STALLED,
	MONITOR_REFUSED,
};

/* Called from the event loop, never from monitor_start() or monitor_observe(). The
 * monitor may be freed inside any of them. All must be set. */
struct monitor_handlers {
	/* Connected; nothing has been read. Return false to refuse. @fd is borrowed. */
	bool (*on_peer)(void *owner, int fd, const struct ucred *peer);
	/* @why: what went wrong, NULL when all is well. */
	void (*on_phase)(void *owner, enum monitor_phase phase, const struct err *why);
	/* The answer to monitor_observe(), complete. Borrowed for the call. */
	void (*on_facts)(void *owner, const struct qmp_facts *facts);
	/* An observation failed though the session lives: a query was refused. */
	void (*on_no_facts)(void *owner, const struct err *why);
	void (*on_event)(void *owner, const struct qmp_event *event);
};

/* Zero stands for the default in parentheses. */
struct monitor_options {
	const char *path; /* of the socket; copied */
	const struct clock *clock;
	unsigned int first_delay_ms; /* before the first attempt; Proxmox talks first */
	unsigned int session_ms;     /* connect to capabilities (5000) */
	unsigned int query_ms;	     /* one observation (5000) */
	unsigned int backoff_min_ms; /* after a failure, then doubled (250) */
	unsigned int backoff_max_ms; /* (30000) */
};

/** New, idle monitor. Never NULL. */
struct monitor *monitor_new(struct event_base *base,
	const struct monitor_options *options, const struct monitor_handlers *handlers,
	void *owner);

/** Begin to connect, and keep trying until freed. */
void monitor_start(struct monitor *m);

/** Ask for fresh facts. Requests made before the answer's queries were sent are one
 * request; while there is no session it is remembered. */
void monitor_observe(struct monitor *m);

enum monitor_phase monitor_phase(const struct monitor *m);
const char *monitor_phase_name(enum monitor_phase phase);

/** Close the session and free it; allowed inside its own callbacks. NULL is allowed. */
void monitor_free(struct monitor *m);

#endif

// SPDX-License-Identifier: MIT
/*
 * A VM's monitor, whatever way it is shared: connect, prove the peer, have a session or
 * visit now and then, answer "what is the state now", pass events on. This is the seam
 * behind which the ways of sharing live; owners see phases and facts, never sockets or
 * JSON.
 *
 * Only the commands of qmp/message.h are ever sent. Nobody is kept waiting: see
 * qmp/guard.h for what holds even if this process hangs.
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
#include "qmp/rota.h"
#include "qmp/share.h"

struct event_base;
struct backlog;
struct guard;
struct monitor;
struct reception;

/*
 * IDLE        not started, or not reachable; tried again with back-off
 * CONNECTING  connected, no session yet; with a reason: others are served first
 * WATCHING    session up, or visits go well
 * YIELDED     somebody else uses the monitor; we come back when they have gone
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
	MONITOR_YIELDED,
	MONITOR_STALLED,
	MONITOR_REFUSED,
};

/* Called from the event loop, never from monitor_start() or monitor_observe(). The
 * monitor may be freed inside any of them. Only on_peer must be set; for the others
 * NULL says that nobody listens. */
struct monitor_handlers {
	/* Connected; nothing has been read. Return the pidfd of the proven process
	 * (borrowed, copied; its end is watched here too), or a negative errno to
	 * refuse. @fd is borrowed. */
	int (*on_peer)(void *owner, int fd, const struct ucred *peer);
	/* @why: what went wrong, NULL when all is well. */
	void (*on_phase)(void *owner, enum monitor_phase phase, const struct err *why);
	/* The state, complete. After each return to WATCHING it comes unasked, and as
	 * the answer to monitor_observe(). Borrowed for the call. */
	void (*on_facts)(void *owner, const struct qmp_facts *facts);
	/* An observation failed though the session lives: a query was refused. */
	void (*on_no_facts)(void *owner, const struct err *why);
	void (*on_event)(void *owner, const struct qmp_event *event);
	/* Somebody else has changed something through us: what is known may be out of
	 * date. */
	void (*on_used)(void *owner);
	/* A client that is served through us was dropped. */
	void (*on_client_dropped)(void *owner, const struct err *why);
	/* Another way of sharing. @why: NULL when it is the wished-for or best one. */
	void (*on_share)(void *owner, enum share share, const struct err *why);
	/* The end of monitor_release(): 0, or a negative errno and @why. */
	void (*on_released)(void *owner, int err, const struct err *why);
};

/* What all monitors of a process use together. Borrowed; NULL: not to be had. */
struct monitor_commons {
	const struct clock *clock;
	int procfd; /* open directory of /proc */
	struct guard *guard;
	struct reception *reception;
	struct backlog *backlog;
	unsigned int guard_ms;
	unsigned int n_polled; /* monitors that use the backlog; kept by them */
	uint64_t last_key;     /* of a monitor at the guard; kept by them */
	/* How often somebody waited for a monitor that was held, and until it had been
	 * left, all together; kept by them. */
	uint64_t n_yields;
	uint64_t yields_us;
	struct rota rota; /* of all that read */
};

/* Zero stands for the default in parentheses. */
struct monitor_options {
	const char *path; /* of the socket; copied */
	struct monitor_commons *commons;
	enum share share;	     /* the wish */
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
 * request. Without a session, one is begun where that may be done at once; else the
 * next one answers. */
void monitor_observe(struct monitor *m);

/** Another wish. What was set up for the old one is taken down. */
void monitor_set_share(struct monitor *m, enum share wish);

/** How the monitor is shared now; SHARE_NONE until that is known. */
enum share monitor_share(const struct monitor *m);

/** A QEMU has dialled in that is the proven peer of this monitor. False: not wanted
 * now, the caller keeps @fd. */
bool monitor_dial_in(struct monitor *m, int fd);

/** Take away what was added to QEMU, and hold nothing from now on: on_released tells
 * the end, and the VM is visited briefly as long as this monitor lives. */
void monitor_release(struct monitor *m);

/** The guard has died or a new one runs. */
void monitor_guard_changed(struct monitor *m);

/** A command of somebody else is on its way through us. */
bool monitor_is_busy(const struct monitor *m);

/** The daemon will end: begin nothing new, and finish what is under way. */
void monitor_finish(struct monitor *m);

enum monitor_phase monitor_phase(const struct monitor *m);

/** Close the session and free it; allowed inside its own callbacks. NULL is allowed. */
void monitor_free(struct monitor *m);

#endif

// SPDX-License-Identifier: MIT
/*
 * The clients of the control server: bytes in, one request at a time out, replies back
 * in order. Every cap on what a client can cost is kept here.
 */
#ifndef QMPIN_CTL_CONN_H
#define QMPIN_CTL_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "ctl/server.h"
#include "ctl/varlink.h"

struct bufferevent;
struct event;

struct conn {
	TAILQ_ENTRY(conn) link;
	struct conn_set *set;
	struct bufferevent *bev; /* NULL: closed, memory goes with the running turn */
	struct event *again;	 /* timer: take requests that wait */
	struct varlink_framer framer;
	struct ctl_call *call; /* in flight; the next request waits for its answer */
	struct ctl_peer peer;
	bool read_only;
	bool eof;     /* the client sends no more; it may still read */
	bool in_turn; /* requests are being handled further down the stack */
};

/* All clients of a server. */
struct conn_set {
	TAILQ_HEAD(, conn) conns;
	struct event_base *base;
	struct ctl_limits limits;
	unsigned int n;
	unsigned int n_read_only;
	/* Must end in one ctl_reply() or ctl_error(), now or later. */
	void (*on_request)(void *owner, struct ctl_call *call,
		const struct varlink_request *request);
	void *owner;
};

/** Serve @fd, which is taken in any case: where a cap is reached it is closed. */
void conn_accept(struct conn_set *set, int fd, bool read_only);

/** Close; a call in flight lives on until it is answered. */
void conn_close(struct conn *c);

/** Queue bytes. May close the connection, and others, where a cap is passed. */
void conn_send(struct conn *c, const char *bytes, size_t len);

/** More is queued than a client that reads leaves for long. */
bool conn_is_behind(const struct conn *c);

/** The call in flight has had its last answer. */
void conn_answered(struct conn *c);

/** Close all. */
void conn_set_fini(struct conn_set *set);

#endif

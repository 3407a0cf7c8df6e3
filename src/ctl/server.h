// SPDX-License-Identifier: MIT
/*
 * The varlink server on RUN_DIR/io.qmpin (0600) and RUN_DIR/io.qmpin.ro (0660, group):
 * framing, caps, introspection (org.varlink.service) and dispatch. What the methods do
 * is the owner's.
 *
 * Source: varlink.org, wire format: JSON objects, each ended by a NUL byte.
 */
#ifndef QMPIN_CTL_SERVER_H
#define QMPIN_CTL_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct event_base;
struct ctl_server;
struct ctl_call;

#define CTL_SOCKET "io.qmpin"
#define CTL_SOCKET_RO "io.qmpin.ro"
#define CTL_INTERFACE "io.qmpin"

/* A method of the interface, without its "io.qmpin." prefix. */
struct ctl_method {
	const char *name;
	/* For root and the daemon's own user, and not on the read-only socket: others
	 * are answered with NotPermitted. */
	bool changes;
	/* @params: object, borrowed; has the shape that the interface declares (others
	 * are answered with InvalidParameter before). Must end in exactly one
	 * ctl_reply() without `continues` or one ctl_error(); both may come later,
	 * after the handler, even after the client or the server has gone. */
	void (*handle)(void *owner, struct ctl_call *call, const json_t *params);
};

/* Who is at the other end, as it was when the client connected. */
struct ctl_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/* What clients may cost; the defaults are in server.c with their reasons. */
struct ctl_limits {
	unsigned int clients;  /* on both sockets; 1/16 is kept for the first */
	unsigned int idle_ms;  /* without a request and without a call in flight */
	unsigned int half_ms;  /* from the first byte of a request to its last */
	unsigned int stall_ms; /* without making room for what waits for it */
	size_t client_bytes;   /* waiting for one client to read */
	size_t total_bytes;    /* waiting for all of them */
};

struct ctl_server_options {
	int run_dirfd;	     /* open directory, borrowed until ctl_server_free */
	const char *run_dir; /* its path, for messages */
	const char *group;   /* of the read-only socket; NULL or unknown: ours */
	const char *version; /* of the program */
	const struct ctl_method *methods;
	size_t n_methods;
	const struct ctl_limits *limits; /* NULL: the defaults */
};

/**
 * Bind both sockets (a stale file of a dead server is replaced; a live server is not:
 * -EADDRINUSE) and serve.
 *
 * SIGPIPE is ignored from then on: a client may go while it is written to.
 *
 * Returns 0 or a negative errno with @e. With 0, @e may hold a note for the log: that
 * the group is unknown, or that we may not give it the socket.
 */
MUST_CHECK int ctl_server_new(struct event_base *base,
	const struct ctl_server_options *o, void *owner, struct ctl_server **out,
	struct err *e);

/** Close all clients and sockets, remove the socket files. NULL is allowed. */
void ctl_server_free(struct ctl_server *s);

/** The client asked for `more`. */
bool ctl_call_more(const struct ctl_call *call);

/** The client has gone or the server has ended: answers go nowhere. A stream is to be
 * ended (with ctl_reply or ctl_error, as any call) where this is found. */
bool ctl_call_gone(const struct ctl_call *call);

/** Bytes of answers that wait for the client to read. A stream that can wait does so
 * while there are many, rather than have its client dropped for them. */
size_t ctl_call_unread(const struct ctl_call *call);

/** Who asks, for the log; valid until the answer. */
const struct ctl_peer *ctl_call_peer(const struct ctl_call *call);

/** Answer; steals @params (an object). With @continues more replies follow, allowed
 * only when the client asked for more. */
void ctl_reply(struct ctl_call *call, json_t *params, bool continues);

/** As ctl_reply, for large answers that are text already: a JSON object. */
void ctl_reply_text(struct ctl_call *call, const char *params, bool continues);

/** Answer with io.qmpin.@name or a full org.varlink... name; steals @params. */
void ctl_error(struct ctl_call *call, const char *name, json_t *params);

/** org.varlink.service.InvalidParameter. */
void ctl_invalid(struct ctl_call *call, const char *parameter);

/** The errors that several methods have. Texts may be of any bytes. */
void ctl_failed(struct ctl_call *call, const char *why);
void ctl_failed_by(struct ctl_call *call, const struct err *why);
void ctl_invalid_value(struct ctl_call *call, const char *field, const char *why);
void ctl_not_managed(struct ctl_call *call, const char *id, const char *why);
void ctl_vm_not_found(struct ctl_call *call, const char *id);

#endif

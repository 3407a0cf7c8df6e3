// SPDX-License-Identifier: MIT
/*
 * The varlink server on RUN_DIR/io.qmpin (0600) and RUN_DIR/io.qmpin.ro (0660, group):
 * framing, caps, introspection (org.varlink.service) and dispatch. What the methods do is
 * the owner's.
 *
 * Source: varlink.org, wire format: JSON objects, each ended by a NUL byte.
 */
#ifndef QMPIN_CTL_SERVER_H
#define QMPIN_CTL_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

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
	bool changes;  /* refused on the read-only socket with NotPermitted */
	/* @params: object, borrowed. Must end in exactly one ctl_reply() without
	 * `continues` or one ctl_error(); both may come later, after the handler. */
	void (*handle)(void *owner, struct ctl_call *call, const json_t *params);
};

struct ctl_server_options {
	int run_dirfd;           /* open directory */
	const char *run_dir;     /* its path, for messages */
	const char *group;       /* of the read-only socket; NULL or unknown: root's, said */
	const char *version;     /* of the program */
	const struct ctl_method *methods;
	size_t n_methods;
};

/**
 * Bind both sockets (a stale file of a dead server is replaced; a live server is not:
 * -EADDRINUSE) and serve.
 *
 * Returns 0 or a negative errno with @e.
 */
MUST_CHECK int ctl_server_new(struct event_base *base, const struct ctl_server_options *o,
	void *owner, struct ctl_server **out, struct err *e);

/** Close all clients and sockets, remove the socket files. NULL is allowed. */
void ctl_server_free(struct ctl_server *s);

/** The client asked for `more`. */
bool ctl_call_more(const struct ctl_call *call);

/** Answer; steals @params (an object). With @continues more replies follow, allowed only
 * when the client asked for more. */
void ctl_reply(struct ctl_call *call, json_t *params, bool continues);

/** Answer with io.qmpin.@name or a full org.varlink... name; steals @params. */
void ctl_error(struct ctl_call *call, const char *name, json_t *params);

/** org.varlink.service.InvalidParameter. */
void ctl_invalid(struct ctl_call *call, const char *parameter);

#endif

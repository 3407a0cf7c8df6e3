// SPDX-License-Identifier: MIT
/* A call in flight: answers go to its connection as long as there is one. */
#include "config.h"

#include "ctl/call.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/conn.h"
#include "ctl/server.h"
#include "ctl/varlink.h"

struct ctl_call {
	struct conn *conn; /* NULL: gone */
	struct ctl_peer peer;
	bool more;
	bool oneway;
	bool read_only;
};

struct ctl_call *
call_new(struct conn *c, const struct varlink_request *request)
{
	struct ctl_call *call = xcalloc(1, sizeof(*call));

	call->conn = c;
	call->peer = c->peer;
	call->more = request->more;
	call->oneway = request->oneway;
	call->read_only = c->read_only;
	return call;
}

void
call_abandon(struct ctl_call *call)
{
	call->conn = NULL;
}

/* Whatever the mode of the socket's file has become. */
bool
call_may_change(const struct ctl_call *call)
{
	return !call->read_only && (call->peer.uid == 0 || call->peer.uid == geteuid());
}

bool
ctl_call_more(const struct ctl_call *call)
{
	return call->more;
}

bool
ctl_call_gone(const struct ctl_call *call)
{
	return call->conn == NULL;
}

size_t
ctl_call_unread(const struct ctl_call *call)
{
	return call->conn != NULL ? conn_backlog(call->conn) : 0;
}

const struct ctl_peer *
ctl_call_peer(const struct ctl_call *call)
{
	return &call->peer;
}

/* The message is out (or nobody wants it). Sending may have ended the connection, which
 * takes itself out of the call. */
static void
finish(struct ctl_call *call, bool continues)
{
	if (continues)
		return;
	if (call->conn != NULL)
		conn_answered(call->conn);
	free(call);
}

static bool
is_heard(const struct ctl_call *call)
{
	return call->conn != NULL && !call->oneway;
}

/* Steals @params. */
static void
answer(struct ctl_call *call, const char *error, json_t *params, bool continues)
{
	if (is_heard(call)) {
		size_t len;
		auto_free char *text =
			varlink_reply_encode(error, params, continues, &len);

		conn_send(call->conn, text, len);
	} else {
		json_decref(params);
	}
	finish(call, continues);
}

void
ctl_reply(struct ctl_call *call, json_t *params, bool continues)
{
	assert(call->more || !continues);
	answer(call, NULL, params, continues);
}

void
ctl_reply_text(struct ctl_call *call, const char *params, bool continues)
{
	assert(call->more || !continues);
	if (is_heard(call)) {
		auto_free char *text = xasprintf("{\"parameters\":%s%s}", params,
			continues ? ",\"continues\":true" : "");

		conn_send(call->conn, text, strlen(text) + 1);
	}
	finish(call, continues);
}

void
ctl_error(struct ctl_call *call, const char *name, json_t *params)
{
	auto_free char *full = str_has_prefix(name, "org.varlink.")
				       ? xstrdup(name)
				       : xasprintf(CTL_INTERFACE ".%s", name);

	answer(call, full, params, false);
}

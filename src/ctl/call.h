// SPDX-License-Identifier: MIT
/*
 * A call in flight, between the connection it came from and the handler that answers it
 * through ctl/server.h. It belongs to the handler: it outlives its client.
 */
#ifndef QMPIN_CTL_CALL_H
#define QMPIN_CTL_CALL_H

#include <stdbool.h>

struct conn;
struct ctl_call;
struct varlink_request;

/** Never NULL; freed by its last answer. */
struct ctl_call *call_new(struct conn *c, const struct varlink_request *request);

/** The client has gone. */
void call_abandon(struct ctl_call *call);

/** It came in on the socket for that, from somebody who may. */
bool call_may_change(const struct ctl_call *call);

#endif

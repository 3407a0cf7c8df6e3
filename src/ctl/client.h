// SPDX-License-Identifier: MIT
/*
 * A blocking varlink client for the command line.
 */
#ifndef QMPIN_CTL_CLIENT_H
#define QMPIN_CTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct ctl_client;

/**
 * Connect to RUN_DIR/io.qmpin, or to io.qmpin.ro where the first is not permitted.
 *
 * @timeout_ms  for connecting, then for each call; each reply of a stream has its own.
 *              Absolute: a peer that trickles bytes gains nothing.
 *
 * Returns 0, -ECONNREFUSED or -ENOENT (no daemon), -EACCES (no permission) or another
 * errno; @e says what to do.
 */
MUST_CHECK int ctl_client_new(const char *run_dir, unsigned int timeout_ms,
	struct ctl_client **out, struct err *e);

/** Give up waiting, with -ECANCELED, once @fd (borrowed) is readable; -1: no more. */
void ctl_client_stop_on(struct ctl_client *c, int fd);

/** From now on wait for replies as long as it takes; an end of the daemon is an end. */
void ctl_client_be_patient(struct ctl_client *c);

/**
 * Call io.qmpin.@method; steals @params (NULL: none).
 *
 * @more      ask for a stream
 * @on_reply  each reply's parameters, borrowed; return false to stop reading
 *
 * Returns 0, -EREMOTEIO (the daemon answered with an error: @e has its text),
 * -EACCES (io.qmpin.NotPermitted), -ENOENT (io.qmpin.VMNotFound), -EPROTO (not
 * varlink), -ETIMEDOUT, -ECANCELED, -ECONNRESET (the daemon closed the connection) or
 * another errno. After an errno other than the first three, and after @on_reply has
 * returned false, the connection is closed: the next call returns -ENOTCONN.
 */
MUST_CHECK int ctl_client_call(struct ctl_client *c, const char *method, json_t *params,
	bool more, bool (*on_reply)(void *arg, const json_t *reply), void *arg,
	struct err *e);

void ctl_client_free(struct ctl_client *c);

#endif

// SPDX-License-Identifier: MIT
/* One conversation with the daemon, and its failures as exit codes. */
#ifndef QMPIN_CLI_SESSION_H
#define QMPIN_CLI_SESSION_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attr.h"
#include "cli/args.h"
#include "cli/cmd.h"

/** A daemon serves, whatever it may permit. */
bool session_is_there(const struct args *args);

/**
 * Connect, call io.qmpin.@method, hang up. Steals @params (NULL: none). What went wrong
 * has been printed.
 *
 * @on_reply  as in ctl_client_call
 */
MUST_CHECK enum cmd_exit session_call(const struct args *args, const char *method,
	json_t *params, bool more, bool (*on_reply)(void *arg, const json_t *reply),
	void *arg);

/**
 * The same for a call with one reply.
 *
 * @reply  set to a copy of it, a new reference, in place of what was there (NULL:
 *         nothing); as it was when there is none
 */
MUST_CHECK enum cmd_exit session_ask(
	const struct args *args, const char *method, json_t *params, json_t **reply);

#endif

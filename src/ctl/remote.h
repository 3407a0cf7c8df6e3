// SPDX-License-Identifier: MIT
/* Errors of the daemon as the client's errno and as a sentence for people. Pure. */
#ifndef QMPIN_CTL_REMOTE_H
#define QMPIN_CTL_REMOTE_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

/**
 * Say what the daemon's error means.
 *
 * @method  that was called, without its interface
 * @error   full name ("io.qmpin.VMNotFound")
 * @params  its parameters; members that are missing or of another type read as "?"
 *
 * Returns -ENOENT (VMNotFound), -EACCES (NotPermitted) or -EREMOTEIO.
 */
MUST_CHECK int remote_error(
	const char *method, const char *error, const json_t *params, struct err *e);

#endif

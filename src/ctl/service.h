// SPDX-License-Identifier: MIT
/*
 * What a request means: the service's own interface is answered here, the methods of
 * io.qmpin are handed to their handlers after the checks that all of them share.
 */
#ifndef QMPIN_CTL_SERVICE_H
#define QMPIN_CTL_SERVICE_H

#include <stddef.h>

#include "ctl/server.h"
#include "ctl/varlink.h"

/* Borrowed. */
struct service {
	const char *version; /* of the program */
	const struct ctl_method *methods;
	size_t n_methods;
	void *owner; /* of the methods */
};

/** Answer @call, or have it answered. */
void service_dispatch(const struct service *s, struct ctl_call *call,
	const struct varlink_request *request);

#endif

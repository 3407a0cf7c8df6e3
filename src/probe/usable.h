// SPDX-License-Identifier: MIT
/* Which CPUs can be measured at all, and what to say where these are not all. Pure. */
#ifndef QMPIN_PROBE_USABLE_H
#define QMPIN_PROBE_USABLE_H

#include "base/attr.h"
#include "base/err.h"
#include "topo/cpuset.h"

#define USABLE_NOTE_MAX 320u

struct usable {
	struct cpuset cpus;	    /* two at least */
	char note[USABLE_NOTE_MAX]; /* for the user; empty: nothing to say */
};

/**
 * What is asked for, online and allowed.
 *
 * @asked  NULL: all
 * @out    written only on success
 *
 * Returns 0, or -EINVAL with @e: none of them, or a single one.
 */
MUST_CHECK int usable_choose(const struct cpuset *asked, const struct cpuset *online,
	const struct cpuset *allowed, struct usable *out, struct err *e);

#endif

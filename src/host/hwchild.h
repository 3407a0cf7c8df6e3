// SPDX-License-Identifier: MIT
/*
 * A process for a call into hwloc: what that does to its environment, its memory or
 * itself does not come back, only an answer.
 */
#ifndef QMPIN_HOST_HWCHILD_H
#define QMPIN_HOST_HWCHILD_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

#define HWCHILD_SECONDS_MAX 10u

/** Runs in the child. Returns 0 with the answer in @out, or a negative errno with @e.
 */
typedef int hwchild_work(const void *arg, struct strbuf *out, struct err *e);

/**
 * Fork, let the child do its work and wait for it, at most HWCHILD_SECONDS_MAX.
 *
 * @name   of what is read, for messages
 * @cap    a longer answer is refused
 * @bytes  the answer, strbuf_fini it; written only on success
 *
 * Returns 0, what @work returned, -EINVAL (it crashed), -ETIME, -ERANGE (over @cap) or
 * what pipe and fork return, with @e.
 */
MUST_CHECK int hwchild_run(hwchild_work *work, const void *arg, const char *name,
	size_t cap, struct strbuf *bytes, struct err *e);

#endif

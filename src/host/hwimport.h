// SPDX-License-Identifier: MIT
/* Latencies between PUs out of hwloc XML, ours (host/hwexport.h) or those of others. */
#ifndef QMPIN_HOST_HWIMPORT_H
#define QMPIN_HOST_HWIMPORT_H

#include "base/attr.h"
#include "base/err.h"
#include "topo/matrix.h"

/**
 * Read the latencies of an XML text: our own matrix if there is one, else the first one
 * between PUs that means latency, whose values are taken as nanoseconds. hwloc runs in
 * a child process.
 *
 * @name  of the file, for messages
 * @out   new object, free with matrix_free; written only on success. Values have one
 *          visit and full confidence; of two different halves the lower one counts.
 *
 * Returns 0, -ENOENT (XML of hwloc, but without such a matrix), -EINVAL, -ERANGE or
 * -ETIME, with @e.
 */
MUST_CHECK int hwimport_xml(
	const char *text, const char *name, struct matrix **out, struct err *e);

#endif

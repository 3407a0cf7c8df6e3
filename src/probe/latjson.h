// SPDX-License-Identifier: MIT
/* Latencies as JSON. Pure. */
#ifndef QMPIN_PROBE_LATJSON_H
#define QMPIN_PROBE_LATJSON_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "topo/matrix.h"

/**
 * Read {"unit":"ns","cpus":[...],"matrix":[[...]...]}, where unit and cpus may be
 * missing, or what `qmpin latency -j` prints: {"rows":[{"cpu":0,"ns":[...]}...]}.
 * Other members do not count.
 *
 * Arguments and result as of latfile_parse.
 */
MUST_CHECK int latjson_parse(const char *text, size_t len, const struct cpuset *online,
	const char *name, struct matrix **out, struct err *e);

#endif

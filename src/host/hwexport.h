// SPDX-License-Identifier: MIT
/*
 * Measured latencies as hwloc XML: a topology with a matrix of distances between its
 * PUs, for lstopo and everything else that reads such files.
 */
#ifndef QMPIN_HOST_HWEXPORT_H
#define QMPIN_HOST_HWEXPORT_H

#include "base/attr.h"
#include "base/err.h"
#include "topo/matrix.h"

/* hwloc's distances are whole numbers: the name tells that these are thousandths of
 * nanoseconds. */
#define HWEXPORT_NAME "QmpinLatencyPicoseconds"
/* Of XML with the distances of CPUSET_CAP CPUs. */
#define HWEXPORT_BYTES_MAX (128u << 20)

/**
 * Write a topology with latencies between those of its CPUs that @m knows; 0 is "no
 * result". Needs seconds from a thousand CPUs on. hwloc runs in a child process.
 *
 * @path  of the topology, as of host_load; NULL: this machine
 * @xml   new string, free() it; written only on success
 *
 * Returns 0, -ENOENT (no such path; fewer than two CPUs that both know), -EINVAL,
 * -ERANGE, -ETIME or another errno, with @e.
 */
MUST_CHECK int hwexport_xml(
	const char *path, const struct matrix *m, char **xml, struct err *e);

#endif

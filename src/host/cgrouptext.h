// SPDX-License-Identifier: MIT
/*
 * Texts of the unified cgroup hierarchy's files. Pure.
 *
 * Source: the kernel's admin-guide/cgroup-v2, proc(5) and cgroups(7).
 */
#ifndef QMPIN_HOST_CGROUPTEXT_H
#define QMPIN_HOST_CGROUPTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define CGROUPTEXT_NODES_MAX 1024u /* node ids at or above are refused */

/**
 * The path in /proc/PID/cgroup's line "0::PATH". A trailing " (deleted)" means a group
 * that is gone, a leading "/.." one outside of what can be seen from here.
 *
 * Returns 0, -ENODATA (no such line, gone, outside), -EINVAL (not a path) or -E2BIG.
 */
MUST_CHECK int cgrouptext_path(const char *text, char *out, size_t size);

/** cpu.max: "max 100000" or "QUOTA PERIOD". @out_cpus: 0 for none. Returns 0 or
 * -EINVAL. */
MUST_CHECK int cgrouptext_quota(const char *text, double *out_cpus);

/** A number behind its key, a line each ("usage_usec 123"). Returns 0, -ENODATA (no
 * such key) or -EINVAL (no number). */
MUST_CHECK int cgrouptext_value(const char *text, const char *key, uint64_t *out);

/**
 * Add one line of a numa_stat file ("anon N0=4096 N1=0") to @bytes.
 *
 * @key      "anon"; "total" has the values behind an equals sign too ("total=0 N0=0")
 * @bytes    CGROUPTEXT_NODES_MAX numbers; unspecified on failure
 * @n_nodes  raised to the highest id and one
 *
 * Returns 0, -ENODATA (no such line), -EINVAL or -ERANGE.
 */
MUST_CHECK int cgrouptext_nodes(
	const char *text, const char *key, uint64_t *bytes, unsigned int *n_nodes);

#endif

// SPDX-License-Identifier: MIT
/*
 * hwloc, called directly. Only for a process that does nothing else: hwloc is
 * configured through the environment, which stays changed, and damaged XML can crash
 * it.
 */
#ifndef QMPIN_HOST_HWSCAN_H
#define QMPIN_HOST_HWSCAN_H

#include "base/attr.h"
#include "base/err.h"
#include "topo/model.h"

/** As hwtree_read, in this process. */
MUST_CHECK int hwscan_read(const char *root, struct topo_facts *out, struct err *e);

/** As hwtree_parse_xml, in this process. */
MUST_CHECK int hwscan_parse_xml(
	const char *text, const char *name, struct topo_facts *out, struct err *e);

/** The user's settings for hwloc out of the environment, and ours into it: only the
 * kernel's files below @root are read (NULL: of this machine), and nothing is printed.
 */
void hwscan_set_environment(const char *root);

/** Whole and not too deep for hwloc, as far as that can be told without understanding
 * it. Returns 0, -EINVAL or -ERANGE with @e. */
MUST_CHECK int hwscan_check_xml(const char *text, const char *name, struct err *e);

#endif

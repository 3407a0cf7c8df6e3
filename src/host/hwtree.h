// SPDX-License-Identifier: MIT
/*
 * What hwloc knows of a machine, as facts for the model. hwloc runs in a child process
 * for each call: its settings are environment variables of the process, and damaged XML
 * can crash it. Both block until the child has answered (host/hwchild.h).
 */
#ifndef QMPIN_HOST_HWTREE_H
#define QMPIN_HOST_HWTREE_H

#include "base/attr.h"
#include "base/err.h"
#include "topo/model.h"

/**
 * Ask hwloc about this machine or, with @root, about the tree of another one, which
 * must have passed sysroot_check. CPUs that a cgroup keeps from us are there too.
 *
 * @out  free with topo_facts_fini; written only on success
 *
 * Returns 0, -EINVAL (hwloc refuses it, crashes, or answers for the wrong machine),
 * -ETIME (no answer in time), -ERANGE (more CPUs or nodes than the model holds) or what
 * pipe and fork return.
 */
MUST_CHECK int hwtree_read(const char *root, struct topo_facts *out, struct err *e);

/**
 * The same from an XML text of lstopo. CPUs are in the node nearest to them that is
 * listed first; XML does not tell memory-only nodes from others, nor a machine without
 * nodes from one with a single node.
 *
 * @name  of the file, for messages
 *
 * Returns as above; -EINVAL also for text that is not whole XML of hwloc.
 */
MUST_CHECK int hwtree_parse_xml(
	const char *text, const char *name, struct topo_facts *out, struct err *e);

#endif

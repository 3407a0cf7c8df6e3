// SPDX-License-Identifier: MIT
/*
 * What GetTopology tells: the groups of a host's CPUs, as the daemon sends them and as
 * the command line reads them. Pure.
 */
#ifndef QMPIN_CTL_TOPOLOGY_H
#define QMPIN_CTL_TOPOLOGY_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "topo/cpuset.h"
#include "topo/model.h"

/** The reply of GetTopology; @reserved: no VM is placed there. New reference. */
json_t *ctl_topology_json(const struct topo *t, const struct cpuset *reserved);

/**
 * Read such a reply; nothing about it is taken on trust. What does not travel is
 * unknown: kinds of cores.
 *
 * @out       topo_free it
 * @reserved  both written only on success
 *
 * Returns 0 or -EPROTO with @e.
 */
MUST_CHECK int ctl_topology_parse(
	const json_t *reply, struct topo **out, struct cpuset *reserved, struct err *e);

#endif

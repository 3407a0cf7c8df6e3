// SPDX-License-Identifier: MIT
/*
 * The host as decisions need it: topology, latencies and tiers, loaded together and
 * replaced together.
 */
#ifndef QMPIN_DAEMON_HOSTMODEL_H
#define QMPIN_DAEMON_HOSTMODEL_H

#include "base/attr.h"
#include "base/err.h"
#include "topo/model.h"
#include "topo/ranking.h"

struct hostmodel {
	struct topo *topo;
	float *latency_ns; /* n_pus x n_pus, by class until the host is measured */
	struct ranking *ranking;
};

/**
 * Load from @path as host_load does (NULL: this machine).
 *
 * @out  written only on success; hostmodel_fini it
 */
MUST_CHECK int hostmodel_load(const char *path, struct hostmodel *out, struct err *e);

void hostmodel_fini(struct hostmodel *h);

struct lat_view hostmodel_latency(const struct hostmodel *h);

#endif

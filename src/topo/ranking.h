// SPDX-License-Identifier: MIT
/*
 * The tiers that latencies form: which CPUs are near each other, on this host, level by
 * level. Pure.
 */
#ifndef QMPIN_TOPO_RANKING_H
#define QMPIN_TOPO_RANKING_H

#include <stdbool.h>

#include "base/attr.h"
#include "topo/cpuset.h"
#include "topo/lat.h"
#include "topo/model.h"

/* A domain: CPUs that are equally near each other at some tier. */
struct domain {
	struct cpuset cpus;
	unsigned int n_cpus;
	unsigned int n_cores;
	int parent; /* index into ranking->domains, the domain of the next tier around
		     * it; -1 for the last tier's */
};

/* The domains of a tier partition all CPUs (single CPUs included); each lies within one
 * domain of the next tier. The last tier is one domain of all CPUs and named "host",
 * also where that is one L3, node or package. */
struct tier {
	const char *name; /* "core", "l2", "l3", "node", "package", "host"; static */
	float latency_ns; /* median of the pairs that are new at this tier; 0
			   * on a host of one CPU, which has none */
	float confidence; /* 0..1; 1 for the host's own tree */
	unsigned int first_domain; /* index into ranking->domains */
	unsigned int n_domains;	   /* ascending lowest CPU */
};

struct ranking {
	bool trusted;	      /* measured and clear; false for the class model */
	unsigned int n_tiers; /* at least 1 */
	struct tier *tiers;   /* from near to far */
	unsigned int n_domains;
	struct domain *domains;
	/* Index into domains for tier * CPUSET_CAP + CPU; -1 for CPUs that are not
	 * online. */
	int *domain_of;
};

/**
 * Tiers of the host's own tree: core, shared L2, L3, node, package, host, smaller
 * groups first (an L3 over several nodes comes after node). Levels that add nothing are
 * left out; where levels cross, what overlaps is joined, so that tiers nest.
 *
 * @lat  latencies of @t's PUs, for the tiers' latency_ns; borrowed for the call
 *
 * Returns a new object, never NULL; free with ranking_free.
 */
struct ranking *ranking_from_topo(const struct topo *t, const struct lat_view *lat);

void ranking_free(struct ranking *r);

/** The tier of that name, or -1 when the host has none of its own. */
int ranking_tier_named(const struct ranking *r, const char *name);

/** The domain of tier @tier that holds @cpu (online), as index into domains. */
unsigned int ranking_domain_of(
	const struct ranking *r, unsigned int tier, unsigned int cpu);

#endif

// SPDX-License-Identifier: MIT
/*
 * Latencies between PUs and the tiers they form: which CPUs are near each other, on this
 * host, level by level. Pure.
 */
#ifndef QMPIN_TOPO_RANKING_H
#define QMPIN_TOPO_RANKING_H

#include <stdbool.h>

#include "base/attr.h"
#include "topo/cpuset.h"
#include "topo/model.h"

/* One-way latencies in nanoseconds between PUs (indices of topo->pus); n x n, row-major,
 * symmetric, 0 on the diagonal. Borrowed: the caller keeps it alive. */
struct lat_view {
	const float *ns;
	unsigned int n;
};

static inline float
lat_ns(const struct lat_view *v, unsigned int a, unsigned int b)
{
	return v->ns[(size_t)a * v->n + b];
}

/* Latency by what two PUs share, used until the host has been measured. */
struct lat_classes {
	float smt_ns;     /* one core */
	float l2_ns;      /* one L2 of several cores */
	float l3_ns;
	float node_ns;    /* one node, other L3 */
	float package_ns; /* one package, other node */
	float remote_ns;  /* other package; grows with the firmware's node distance */
};

/** Typical server values. Static. */
const struct lat_classes *lat_classes_default(void);

/** Latency of two different PUs by class, nanoseconds. */
float lat_class_ns(const struct topo *t, const struct lat_classes *c, unsigned int a,
	unsigned int b);

/** The whole matrix by class; new array of n_pus * n_pus, free() it. */
float *lat_class_matrix(const struct topo *t, const struct lat_classes *c);

/* A domain: CPUs that are equally near each other at some tier. */
struct domain {
	struct cpuset cpus;
	unsigned int n_cpus;
	unsigned int n_cores;
	int parent;  /* index into ranking->domains, the domain of the next tier around it;
	              * -1 for the last tier's */
};

/* The domains of a tier partition all CPUs (single CPUs included); each lies within one
 * domain of the next tier. The last tier is one domain of all CPUs. */
struct tier {
	const char *name;         /* "core", "l2", "l3", "node", "package", "host"; static */
	float latency_ns;         /* median of the pairs that are new at this tier */
	float confidence;         /* 0..1; 1 for the host's own tree */
	unsigned int first_domain; /* index into ranking->domains */
	unsigned int n_domains;   /* ascending lowest CPU */
};

struct ranking {
	bool trusted;             /* measured and clear; false for the class model */
	unsigned int n_tiers;     /* at least 1 */
	struct tier *tiers;       /* from near to far */
	unsigned int n_domains;
	struct domain *domains;
};

/**
 * Tiers of the host's own tree with class latencies: core, shared L2, L3, node, package,
 * host; levels that add nothing are left out, levels that cross each other are ordered
 * by size and closed so that tiers nest.
 *
 * Returns a new object, never NULL; free with ranking_free.
 */
struct ranking *ranking_from_topo(const struct topo *t, const struct lat_view *lat);

void ranking_free(struct ranking *r);

/** The tier of that name, or -1 when the host has none of its own. */
int ranking_tier_named(const struct ranking *r, const char *name);

/** The domain of tier @tier that holds @cpu (online), as index into domains. */
unsigned int ranking_domain_of(const struct ranking *r, unsigned int tier, unsigned int cpu);

#endif

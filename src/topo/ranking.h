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
#include "topo/matrix.h"
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
	/* "core", "l2", "l3", "node", "package", "host": what the firmware calls these
	 * domains; "cluster": measured, and the firmware does not know them, near each
	 * other or (the last tier but one) cores of one kind; static */
	const char *name;
	float latency_ns;	   /* median of the pairs that are new at this tier; 0
				    * on a host of one CPU, which has none */
	float confidence;	   /* 0..1; 1 for what only the host's own tree says */
	unsigned int first_domain; /* index into ranking->domains */
	unsigned int n_domains;	   /* ascending lowest CPU */
};

/* What measuring says about a level of the host's own tree. */
enum ranking_verdict {
	RANKING_UNKNOWN,   /* too little is measured */
	RANKING_CONFIRMED, /* its groups are what was measured */
	RANKING_UNSEEN,	   /* inside a group and just beyond it, latency is the same */
	RANKING_SPLIT,	   /* its groups have parts that are nearer to each other */
	RANKING_DENIED,	   /* CPUs of one group are nearer to those of another */
};

struct ranking_level {
	const char *name; /* as of tiers; static */
	enum ranking_verdict verdict;
	float within_ns; /* median of the pairs that are new at this level; 0: none */
	float beyond_ns; /* median of the pairs that are new at the next one; 0: none */
	unsigned int n_groups; /* that are larger than those of the level before */
	unsigned int n_agree;  /* of them: confirmed one by one */
};

#define RANKING_LEVELS_MAX 5u

struct ranking {
	bool trusted;	 /* measured and clear; false for the class model */
	const char *why; /* not trusted: the reason in a few words; static; else NULL */
	unsigned int
		n_levels; /* of the host's own tree, near to far; 0: not measured */
	struct ranking_level levels[RANKING_LEVELS_MAX];
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

/**
 * Tiers of measured latencies. Levels of the host's own tree that measuring confirms or
 * cannot see stay as they are; clear clusters that the tree does not know are tiers
 * too, and so are two kinds of cores where nothing else parts the host; a level that is
 * clearly denied is left out. Values that are noisy, few or flat
 * yield the tiers of ranking_from_topo with trusted false and the reason.
 *
 * @m  covers some or all of @t's CPUs; borrowed for the call
 *
 * Returns a new object, never NULL; free with ranking_free. Deterministic.
 */
struct ranking *ranking_from_matrix(
	const struct topo *t, const struct matrix *m, const struct lat_view *lat);

/**
 * The tiers of the host's own tree in place of those of @r, for a reason that the
 * values do not tell (they were measured inside a virtual machine). What was found out
 * about the levels stays.
 *
 * @r    given away
 * @lat  as for ranking_from_topo
 * @why  static
 *
 * Returns a new object that is not trusted; free with ranking_free.
 */
struct ranking *ranking_distrust(struct ranking *r, const struct topo *t,
	const struct lat_view *lat, const char *why);

void ranking_free(struct ranking *r);

/** Word for people: "confirmed", "not seen", "split", "denied", "unknown". Static. */
const char *ranking_verdict_name(enum ranking_verdict v);

/** The tier of that name, or -1 when the host has none of its own. */
int ranking_tier_named(const struct ranking *r, const char *name);

/** The domain of tier @tier that holds @cpu (online), as index into domains. */
unsigned int ranking_domain_of(
	const struct ranking *r, unsigned int tier, unsigned int cpu);

#endif

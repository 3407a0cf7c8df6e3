// SPDX-License-Identifier: MIT
/*
 * The domains a VM may be given, as one tree: the ranking's tiers from the L3 (or what
 * stands in for it) up to the host, and where a domain has more than two parts also
 * fixed unions of neighbours. Where cores of different kinds share a smallest domain,
 * each kind is a part of it. All masks are nodes of the tree, so they are laminar.
 * Pure.
 */
#ifndef QMPIN_PLACE_TREE_H
#define QMPIN_PLACE_TREE_H

#include <stdbool.h>

#include "topo/cpuset.h"
#include "topo/model.h"
#include "topo/ranking.h"

/* What everything else is weighed against on a host whose cores are all near: about a
 * memory access. */
#define TREE_WORST_MIN_NS 100.0

struct tree_node {
	struct cpuset cpus; /* that may be used; never empty */
	struct cpuset
		whole; /* the domain with its reserved and isolated CPUs: its name */
	unsigned int n_cpus;
	unsigned int n_cores; /* with at least one CPU in cpus */
	unsigned int n_small; /* CPUs of efficiency cores, on a host that has others */
	int parent;	      /* -1: the root */
	int parts[2];	      /* what it was joined of; -1: a leaf */
	int tier;	      /* of the ranking, TOPO_NONE: a union of neighbours */
	double latency_ns;    /* mean of two different cores inside; 0 for one core */
};

struct tree {
	unsigned int n;
	struct tree_node *nodes; /* children before parents; the root is the last */
	int *leaf_of_pu;	 /* index of topo->pus -> node, -1: may not be used */
	double worst_ns;	 /* between any two cores, at least TREE_WORST_MIN_NS */
	/* n x n: latency from each core of one node to each of another, without those
	 * to itself, summed up */
	float *sums_ns;
};

/**
 * Build the tree of the CPUs in @usable (a non-empty subset of topo->online).
 *
 * Returns a new object, never NULL; free with tree_free.
 */
struct tree *tree_new(const struct topo *t, const struct ranking *r,
	const struct lat_view *lat, const struct cpuset *usable);

void tree_free(struct tree *t);

static inline unsigned int
tree_root(const struct tree *t)
{
	return t->n - 1;
}

/** The smallest node that holds all of @cpus (not empty, all usable). */
unsigned int tree_around(
	const struct tree *t, const struct topo *topo, const struct cpuset *cpus);

/** @inner is @outer, or lies within it. */
bool tree_within(const struct tree *t, unsigned int inner, unsigned int outer);

/** Mean latency between a core of node @x and another one of node @y (which may be the
 * same, or around it); 0 where there is no such pair. */
double tree_between_ns(const struct tree *t, unsigned int x, unsigned int y);

#endif

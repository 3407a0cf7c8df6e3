// SPDX-License-Identifier: MIT
/*
 * Latencies between PUs: the matrix as others see it, and the model by what two PUs
 * share that stands in until the host has been measured. Pure.
 */
#ifndef QMPIN_TOPO_LAT_H
#define QMPIN_TOPO_LAT_H

#include <stddef.h>

#include "base/attr.h"
#include "topo/matrix.h"
#include "topo/model.h"

/* One-way latencies in nanoseconds between PUs (indices of topo->pus); n x n,
 * row-major, symmetric, 0 on the diagonal. Borrowed: the caller keeps it alive. */
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
	float smt_ns;  /* one core */
	float l2_ns;   /* one L2 of several cores */
	float l3_ns;   /* one L3; grows with the node distance where it spans nodes */
	float node_ns; /* one node, other L3 */
	float package_ns; /* one package and other node, or one node and other package;
			   * grows with the node distance beyond that of the nearest
			   * such nodes */
	float remote_ns;  /* other node and package; grows in the same way */
};

/** Typical server values. Static. */
const struct lat_classes *lat_classes_default(void);

/** Latency of two different PUs by class, nanoseconds. */
float lat_class_ns(const struct topo *t, const struct lat_classes *c, unsigned int a,
	unsigned int b);

/** The whole matrix by class; new array of n_pus * n_pus, free() it. */
float *lat_class_matrix(const struct topo *t, const struct lat_classes *c);

/**
 * The whole matrix from measured values; a pair without a result gets the class model's
 * value, scaled by how measured pairs of its class compare with the model. New array of
 * n_pus * n_pus, free() it.
 */
float *lat_measured_matrix(
	const struct topo *t, const struct lat_classes *c, const struct matrix *m);

/** The other PUs from near to far, ties to the lower index, into @out (n - 1). */
void lat_neighbours(const struct lat_view *v, unsigned int pu, unsigned int *out);

#endif

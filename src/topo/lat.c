// SPDX-License-Identifier: MIT
/*
 * The class model of latencies: what two PUs share tells how far apart they are. Only
 * the order matters to the planner; measured values take its place. Pure.
 */
#include "config.h"

#include "topo/lat.h"

#include "base/xalloc.h"

/* Firmware distances are not latencies and some are nonsense: beyond this many times
 * the nearest one of the same class they say only "far". */
#define DISTANCE_RATIO_MAX 4.0f

/* What the firmware calls local (ACPI SLIT). */
#define DISTANCE_LOCAL 10u

const struct lat_classes *
lat_classes_default(void)
{
	/* Published core-to-core results, two-socket Zen 2 and 3 and Cascade Lake,
	 * rounded. */
	static const struct lat_classes typical = {
		.smt_ns = 9.0f,
		.l2_ns = 20.0f,
		.l3_ns = 25.0f,
		.node_ns = 95.0f,
		.package_ns = 120.0f,
		.remote_ns = 200.0f,
	};

	return &typical;
}

/* How much farther than @base these two nodes are, 1 where it is not known. */
static float
farther(const struct topo *t, int a, int b, unsigned int base)
{
	unsigned int d;
	float ratio;

	if (a == TOPO_NONE || b == TOPO_NONE || base == 0)
		return 1.0f;
	d = topo_distance(t, (unsigned int)a, (unsigned int)b);
	if (d <= base)
		return 1.0f;
	ratio = (float)d / (float)base;
	return ratio < DISTANCE_RATIO_MAX ? ratio : DISTANCE_RATIO_MAX;
}

float
lat_class_ns(const struct topo *t, const struct lat_classes *c, unsigned int a,
	unsigned int b)
{
	const struct topo_pu *x = &t->pus[a];
	const struct topo_pu *y = &t->pus[b];
	bool one_node = x->node == y->node; /* also where there are no nodes */
	bool one_package = x->package == y->package && x->package != TOPO_NONE;

	if (x->core == y->core)
		return c->smt_ns;
	if (x->l2 == y->l2 && x->l2 != TOPO_NONE)
		return c->l2_ns;
	if (x->l3 == y->l3 && x->l3 != TOPO_NONE)
		return c->l3_ns *
		       (one_node ? 1.0f : farther(t, x->node, y->node, DISTANCE_LOCAL));
	if (one_node && x->package == y->package)
		return c->node_ns;
	if (one_package)
		return c->package_ns * farther(t, x->node, y->node, t->near_distance);
	if (one_node && x->node != TOPO_NONE)
		return c->package_ns;
	return c->remote_ns * farther(t, x->node, y->node, t->far_distance);
}

float *
lat_class_matrix(const struct topo *t, const struct lat_classes *c)
{
	size_t n = t->n_pus;
	float *ns = xcalloc(n * n, sizeof(*ns));

	for (unsigned int a = 0; a < t->n_pus; a++) {
		for (unsigned int b = 0; b < a; b++) {
			float v = lat_class_ns(t, c, a, b);

			ns[a * n + b] = v;
			ns[b * n + a] = v;
		}
	}
	return ns;
}

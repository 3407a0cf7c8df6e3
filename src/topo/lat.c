// SPDX-License-Identifier: MIT
/*
 * The class model of latencies: what two PUs share tells how far apart they are. Only
 * the order matters to the planner; measured values take its place. Pure.
 */
#include "config.h"

#include "topo/lat.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "topo/spread.h"

/* Ratios are counted in bins for latencies, which begin at 1. */
#define RATIO_UNIT 1000.0f

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

/* What two PUs share, from near to far; lat_class_ns tells what each means. */
enum sharing {
	SHARE_CORE,
	SHARE_L2,
	SHARE_L3,
	SHARE_NODE,
	SHARE_PACKAGE,
	SHARE_NODE_ONLY,
	SHARE_NOTHING,
	N_SHARING,
};

static enum sharing
sharing_of(const struct topo_pu *x, const struct topo_pu *y)
{
	bool one_node = x->node == y->node; /* also where there are no nodes */

	if (x->core == y->core)
		return SHARE_CORE;
	if (x->l2 == y->l2 && x->l2 != TOPO_NONE)
		return SHARE_L2;
	if (x->l3 == y->l3 && x->l3 != TOPO_NONE)
		return SHARE_L3;
	if (one_node && x->package == y->package)
		return SHARE_NODE;
	if (x->package == y->package && x->package != TOPO_NONE)
		return SHARE_PACKAGE;
	return one_node && x->node != TOPO_NONE ? SHARE_NODE_ONLY : SHARE_NOTHING;
}

float
lat_class_ns(const struct topo *t, const struct lat_classes *c, unsigned int a,
	unsigned int b)
{
	const struct topo_pu *x = &t->pus[a];
	const struct topo_pu *y = &t->pus[b];

	switch (sharing_of(x, y)) {
	case SHARE_CORE:
		return c->smt_ns;
	case SHARE_L2:
		return c->l2_ns;
	case SHARE_L3:
		return c->l3_ns * (x->node == y->node ? 1.0f
						      : farther(t, x->node, y->node,
								DISTANCE_LOCAL));
	case SHARE_NODE:
		return c->node_ns;
	case SHARE_PACKAGE:
		return c->package_ns * farther(t, x->node, y->node, t->near_distance);
	case SHARE_NODE_ONLY:
		return c->package_ns;
	default:
		return c->remote_ns * farther(t, x->node, y->node, t->far_distance);
	}
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

/* How measured values of each class compare with the model: the median ratio. */
struct factors {
	struct spread ratios[N_SHARING]; /* times RATIO_UNIT */
	float factor[N_SHARING];
};

/* The row of each PU; -1: none. New array. */
static int *
rows_of_pus(const struct topo *t, const struct matrix *m)
{
	int *rows = xcalloc(t->n_pus, sizeof(*rows));

	for (unsigned int i = 0; i < t->n_pus; i++)
		rows[i] = matrix_index(m, t->pus[i].cpu);
	return rows;
}

/* The result for two rows, 0: none. */
static float
result_of(const struct matrix *m, int x, int y)
{
	if (x < 0 || y < 0)
		return 0;
	return matrix_at(m, (unsigned int)x, (unsigned int)y)->ns;
}

/* A class without results goes by the nearest one that has some, the nearer first. */
static void
fill_gaps(struct factors *f)
{
	for (int k = 0; k < N_SHARING; k++) {
		f->factor[k] = 1;
		for (int d = 0; d < N_SHARING; d++) {
			int from = k - d >= 0 && f->ratios[k - d].n > 0 ? k - d : k + d;

			if (from >= N_SHARING || f->ratios[from].n == 0)
				continue;
			f->factor[k] =
				spread_quantile(&f->ratios[from], 0.5f) / RATIO_UNIT;
			break;
		}
	}
}

float *
lat_measured_matrix(
	const struct topo *t, const struct lat_classes *c, const struct matrix *m)
{
	auto_free struct factors *f = xcalloc(1, sizeof(*f));
	auto_free int *rows = rows_of_pus(t, m);
	float *ns = lat_class_matrix(t, c);
	size_t n = t->n_pus;

	for (unsigned int a = 0; a < n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			enum sharing s = sharing_of(&t->pus[a], &t->pus[b]);
			float got = result_of(m, rows[a], rows[b]);

			if (got > 0)
				spread_add(&f->ratios[s],
					RATIO_UNIT * got / ns[a * n + b]);
		}
	}
	fill_gaps(f);
	for (unsigned int a = 0; a < n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			enum sharing s = sharing_of(&t->pus[a], &t->pus[b]);
			float got = result_of(m, rows[a], rows[b]);

			if (!(got > 0))
				got = ns[a * n + b] * f->factor[s];
			ns[a * n + b] = got;
			ns[b * n + a] = got;
		}
	}
	return ns;
}

struct neighbour {
	float ns;
	unsigned int pu;
};

static int
by_nearness(const void *a, const void *b)
{
	const struct neighbour *x = a;
	const struct neighbour *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return x->pu < y->pu ? -1 : x->pu > y->pu;
}

void
lat_neighbours(const struct lat_view *v, unsigned int pu, unsigned int *out)
{
	auto_free struct neighbour *list = xcalloc(v->n, sizeof(*list));
	unsigned int n = 0;

	for (unsigned int i = 0; i < v->n; i++) {
		if (i != pu)
			list[n++] = (struct neighbour){lat_ns(v, pu, i), i};
	}
	qsort(list, n, sizeof(*list), by_nearness);
	for (unsigned int i = 0; i < n; i++)
		out[i] = list[i].pu;
}

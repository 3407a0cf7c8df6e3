// SPDX-License-Identifier: MIT
/* A schedule of a made-up host, driven without noise and without time. */
#ifndef QMPIN_TESTS_SCHEDULE_WORLD_H
#define QMPIN_TESTS_SCHEDULE_WORLD_H

#include "layouts.h"
#include "probe/schedule.h"

static const struct layout chiplets = {2, 2, 2, 4, 2, 12, 32}; /* 64 CPUs */

static const struct cpuset nobody;

/* A schedule of a host, and what has come of it. */
struct world {
	struct topo *topo;
	struct schedule *s;
	unsigned int visits;
	unsigned int of_cpu[CPUSET_CAP];
	unsigned int of_pair[64][64];
	unsigned int last[64][64]; /* number of the visit */
	unsigned int gap;	   /* the least between two to the same pair */
};

typedef float latency_fn(const struct world *w, unsigned int a, unsigned int b);

static inline struct world
start(const struct layout *l, const struct matrix *known, bool exhaustive)
{
	struct world w = {.topo = hosts_build(l), .gap = 1000000};
	const struct schedule_options o = {
		.topo = w.topo,
		.cpus = w.topo->online,
		.known = known,
		.exhaustive = exhaustive,
	};

	w.s = schedule_new(&o);
	return w;
}

static inline void
end(struct world *w)
{
	schedule_free(w->s);
	topo_free(w->topo);
}

static inline float
by_class(const struct world *w, unsigned int a, unsigned int b)
{
	const struct topo_pu *x = topo_pu_of(w->topo, a);
	const struct topo_pu *y = topo_pu_of(w->topo, b);

	if (x->core == y->core)
		return 8;
	if (x->l3 == y->l3)
		return 25;
	return x->node == y->node ? 90 : x->package == y->package ? 120 : 200;
}

static inline void
note(struct world *w, unsigned int a, unsigned int b)
{
	unsigned int high = a > b ? a : b;
	unsigned int low = a > b ? b : a;

	assert_true(high != low && cpuset_has(&w->topo->online, high) &&
		    cpuset_has(&w->topo->online, low));
	w->visits++;
	w->of_cpu[a]++;
	w->of_cpu[b]++;
	w->of_pair[high][low]++;
	if (w->last[high][low] > 0 && w->visits - w->last[high][low] < w->gap)
		w->gap = w->visits - w->last[high][low];
	w->last[high][low] = w->visits;
}

static inline void
visit(struct world *w, latency_fn *latency, unsigned int n)
{
	while (n-- > 0 && !schedule_done(w->s)) {
		unsigned int a;
		unsigned int b;

		assert_true(schedule_next(w->s, &nobody, &nobody, &a, &b));
		note(w, a, b);
		schedule_result(w->s, a, b, latency(w, a, b));
	}
}

static inline void
finish(struct world *w, latency_fn *latency)
{
	unsigned int a;
	unsigned int b;

	visit(w, latency, 100000);
	assert_true(schedule_done(w->s));
	assert_false(schedule_next(w->s, &nobody, &nobody, &a, &b));
}

static inline unsigned int
pairs_visited(const struct world *w)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < 64; i++)
		for (unsigned int j = 0; j < i; j++)
			n += w->of_pair[i][j] > 0;
	return n;
}

static inline void
check_values(const struct world *w, latency_fn *latency)
{
	struct matrix *m = schedule_matrix(w->s);

	for (unsigned int i = 1; i < m->n; i++) {
		for (unsigned int j = 0; j < i; j++) {
			float want = latency(w, m->cpus[i], m->cpus[j]);
			const struct matrix_cell *cell = matrix_at(m, i, j);

			if (cell->ns < 0.999f * want || cell->ns > 1.001f * want)
				fail_msg("CPUs %u and %u: %.1f, not %.1f", i, j,
					(double)cell->ns, (double)want);
			assert_true(cell->confidence_pct > 0);
		}
	}
	matrix_free(m);
}

#endif

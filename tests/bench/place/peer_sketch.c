// SPDX-License-Identifier: MIT
/*
 * A reference that optimises the judge's own measure under the waiting condition: a
 * newcomer is tried on a shortlist of domains, each with the repair that it needs.
 * Repair widens whose widening lowers the penalty most for what it costs, then takes
 * back what was not needed. With moves, VMs may also go elsewhere or become narrower,
 * for so many vCPUs an event.
 */
#include "config.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "policies.h"
#include "sketch.h"

/* Weights of the penalty that make the shortlist. */
static const double weights[] = {0, 0.03, 0.1, 0.3, 1, 3, 10};
#define SHORTLIST (sizeof(weights) / sizeof(*weights))
/* Of what nothing repairs. */
#define PENALTY_WEIGHT 30.0
/* Load around a newcomer, for each vCPU and CPU. */
#define CROWDING 0.1
/* What a moved vCPU must gain, and how many can be saved up. */
#define GAIN_EACH 0.05
#define CREDIT_MAX 32.0

struct memo {
	struct sketch *world;
	double each; /* credit for each event */
	double credit;
};

/* A place of each part. */
struct places {
	int at[SKETCH_PARTS];
	double cost;
};

/* ---- repair ---- */

/* The next wider domain that it may have, -1: none. */
static int
wider(const struct sketch *w, const struct sketch_part *p, int domain)
{
	while (domain != p->home && domain >= 0) {
		domain = w->domains[domain].parent;
		if (domain >= 0 && sketch_may(w, p, domain))
			return domain;
	}
	return -1;
}

static bool
widen_one(struct sketch *w, double penalty)
{
	struct sketch_vm *best = NULL;
	struct sketch_part *part = NULL;
	double most = 0;
	int to = -1;

	for (unsigned int i = 0; i < w->n_vms * SKETCH_PARTS; i++) {
		struct sketch_vm *v = &w->vms[i / SKETCH_PARTS];
		struct sketch_part *p = &v->parts[i % SKETCH_PARTS];
		double cost = sketch_cost(w, v);

		if (i % SKETCH_PARTS >= v->n_parts || p->n == 0 || p->at < 0)
			continue;
		for (int d = wider(w, p, p->at); d >= 0; d = wider(w, p, d)) {
			double gain = penalty - sketch_penalty_at(w, v, p, d);
			double price = sketch_cost_at(w, v, p, d) - cost;

			gain /= 0.02 + (price > 0 ? price : 0);
			if (gain > most + SKETCH_SAME) {
				most = gain;
				best = v;
				part = p;
				to = d;
			}
		}
	}
	if (best != NULL)
		sketch_put(w, best, part, to);
	return best != NULL;
}

/* Take back what was not needed. */
static void
undo(struct sketch *w)
{
	for (unsigned int i = 0; i < w->n_vms * SKETCH_PARTS; i++) {
		struct sketch_vm *v = &w->vms[i / SKETCH_PARTS];
		struct sketch_part *p = &v->parts[i % SKETCH_PARTS];
		double penalty;
		int d = p->first;

		if (i % SKETCH_PARTS >= v->n_parts || p->n == 0 || p->at < 0 || d < 0 ||
			d == p->at)
			continue;
		penalty = sketch_penalty(w);
		while (d >= 0 && d != p->at) {
			if (sketch_may(w, p, d) &&
				sketch_penalty_at(w, v, p, d) <= penalty + SKETCH_SAME)
				sketch_put(w, v, p, d);
			else
				d = wider(w, p, d);
		}
	}
}

static void
repair(struct sketch *w)
{
	double penalty = sketch_penalty(w);

	while (penalty > 0 && widen_one(w, penalty))
		penalty = sketch_penalty(w);
	undo(w);
}

/* ---- newcomers ---- */

static void
save(const struct sketch *w, int *at)
{
	for (unsigned int i = 0; i < w->n_vms * SKETCH_PARTS; i++)
		at[i] = w->vms[i / SKETCH_PARTS].parts[i % SKETCH_PARTS].at;
}

static void
restore(struct sketch *w, const int *at)
{
	for (unsigned int i = 0; i < w->n_vms * SKETCH_PARTS; i++) {
		struct sketch_vm *v = &w->vms[i / SKETCH_PARTS];
		struct sketch_part *p = &v->parts[i % SKETCH_PARTS];

		if (i % SKETCH_PARTS < v->n_parts && p->at != at[i])
			sketch_put(w, v, p, at[i]);
	}
}

static void
put_all(struct sketch *w, struct sketch_vm *v, const struct places *to)
{
	for (unsigned int k = 0; k < v->n_parts; k++) {
		sketch_put(w, v, &v->parts[k], to->at[k]);
		v->parts[k].first = to->at[k];
	}
}

/* Load of all on and around a domain, for each of its CPUs. */
static double
crowding(const struct sketch *w, int domain)
{
	double sum = 0;

	for (unsigned int d = 0; d < w->n; d++) {
		const struct cpuset *cpus = &w->domains[d].cpus;
		double load = w->own[d].of[SKETCH_DRAWS];

		if (cpuset_within(cpus, &w->domains[domain].cpus))
			sum += load / (w->domains[domain].n_cpus + 1e-9);
		else if (cpuset_within(&w->domains[domain].cpus, cpus))
			sum += load / w->domains[d].n_cpus;
	}
	return sum;
}

/* All parts in one domain, or two in domains apart. */
static bool
may_have(const struct sketch *w, const struct sketch_vm *v, const struct places *p)
{
	const struct cpuset *a = &w->domains[p->at[0]].cpus;

	for (unsigned int k = 0; k < v->n_parts; k++) {
		if (!sketch_may(w, &v->parts[k], p->at[k]))
			return false;
	}
	if (v->n_parts == 1)
		return true;
	if (p->at[0] == p->at[1])
		return w->domains[p->at[0]].n_cpus >= v->vm->n_vcpus ||
		       p->at[0] == v->parts[0].home;
	/* bound ones take what there is */
	return v->parts[0].home != (int)w->n - 1 || v->parts[1].home != (int)w->n - 1 ||
	       !cpuset_overlap(a, &w->domains[p->at[1]].cpus);
}

/* The best of all places for each weight of the penalty. */
static void
shortlist(struct sketch *w, struct sketch_vm *v, struct places *best)
{
	unsigned int n = v->n_parts > 1 ? w->n * w->n : w->n;

	for (unsigned int k = 0; k < SHORTLIST; k++)
		best[k].cost = DBL_MAX;
	for (unsigned int i = 0; i < n; i++) {
		struct places p = {.at = {(int)(i % w->n), (int)(i / w->n)}};
		double crowded = 0;
		double penalty;

		if (!may_have(w, v, &p))
			continue;
		for (unsigned int k = 0; k < v->n_parts; k++)
			crowded += v->parts[k].n * crowding(w, p.at[k]);
		put_all(w, v, &p);
		penalty = sketch_penalty(w);
		p.cost = sketch_sum(w) + CROWDING * crowded;
		put_all(w, v, &(struct places){.at = {-1, -1}});
		for (unsigned int k = 0; k < SHORTLIST; k++) {
			struct places q = p;

			q.cost += weights[k] * penalty;
			if (q.cost < best[k].cost - SKETCH_SAME)
				best[k] = q;
		}
	}
}

static void
start(struct sketch *w, struct sketch_vm *v)
{
	auto_free int *before = xcalloc(w->n_vms * SKETCH_PARTS, sizeof(*before));
	auto_free int *best = xcalloc(w->n_vms * SKETCH_PARTS, sizeof(*best));
	struct places list[SHORTLIST];
	double least = DBL_MAX;

	shortlist(w, v, list);
	save(w, before);
	for (unsigned int k = 0; k < SHORTLIST; k++) {
		double cost = 0;

		if (k > 0 && memcmp(list[k].at, list[k - 1].at, sizeof(list->at)) == 0)
			continue;
		for (unsigned int i = 0; i < v->n_parts; i++)
			cost += CROWDING * v->parts[i].n * crowding(w, list[k].at[i]);
		put_all(w, v, &list[k]);
		repair(w);
		cost += sketch_sum(w) + PENALTY_WEIGHT * sketch_penalty(w);
		if (cost < least - SKETCH_SAME) {
			least = cost;
			save(w, best);
		}
		restore(w, before);
	}
	restore(w, best);
}

/* ---- moves ---- */

static bool
move_one(struct memo *m)
{
	struct sketch *w = m->world;
	double penalty = sketch_penalty(w);
	double sum = sketch_sum(w);
	struct sketch_vm *best = NULL;
	struct sketch_part *part = NULL;
	double most = GAIN_EACH;
	int to = -1;

	for (unsigned int i = 0; i < w->n_vms * SKETCH_PARTS; i++) {
		struct sketch_vm *v = &w->vms[i / SKETCH_PARTS];
		struct sketch_part *p = &v->parts[i % SKETCH_PARTS];
		int at = p->at;

		if (i % SKETCH_PARTS >= v->n_parts || p->n == 0 || p->n > m->credit)
			continue;
		for (int d = 0; d < (int)w->n; d++) {
			double gain;

			if (d == at || !sketch_may(w, p, d) ||
				cpuset_within(
					&w->domains[at].cpus, &w->domains[d].cpus))
				continue;
			gain = sketch_cost(w, v) - sketch_cost_at(w, v, p, d);
			if (gain / p->n <= most)
				continue;
			sketch_put(w, v, p, d);
			gain = (sum - sketch_sum(w)) / p->n;
			if (gain > most && sketch_penalty(w) <= penalty) {
				most = gain;
				best = v;
				part = p;
				to = d;
			}
			sketch_put(w, v, p, at);
		}
	}
	if (best == NULL)
		return false;
	sketch_put(w, best, part, to);
	m->credit -= part->n;
	return true;
}

/* ---- events ---- */

/* Where CPUs went or vCPUs came, the domain may be too small. */
static void
fit(struct sketch *w)
{
	for (unsigned int i = 0; i < w->n_vms * SKETCH_PARTS; i++) {
		struct sketch_vm *v = &w->vms[i / SKETCH_PARTS];
		struct sketch_part *p = &v->parts[i % SKETCH_PARTS];
		int up = p->at;

		if (i % SKETCH_PARTS >= v->n_parts || p->at < 0)
			continue;
		while (up >= 0 && !sketch_may(w, p, up) &&
			!cpuset_within(&w->domains[p->home].cpus, &w->domains[up].cpus))
			up = w->domains[up].parent;
		if (up != p->at)
			sketch_put(w, v, p, up);
		p->first = p->at;
	}
}

static void
sketch_on_event(struct run *r, const struct replay_event *e, struct site_vm *vm)
{
	struct memo *m = r->memo;
	struct sketch *w = m->world;

	sketch_read(w);
	fit(w);
	if (e->kind == REPLAY_START)
		start(w, &w->vms[vm - r->site.vms]);
	else
		repair(w);
	m->credit += m->each;
	m->credit = m->credit < CREDIT_MAX ? m->credit : CREDIT_MAX;
	while (m->each > 0 && move_one(m))
		;
	sketch_write(w, &r->site);
}

static void *
begin(struct run *r, double each)
{
	struct memo *m = xcalloc(1, sizeof(*m));

	m->world = sketch_new(&r->site);
	m->each = each;
	return m;
}

static void *
still_begin(struct run *r)
{
	return begin(r, 0);
}

static void *
moving_begin(struct run *r)
{
	return begin(r, 1);
}

static void
sketch_end(struct run *r)
{
	struct memo *m = r->memo;

	sketch_free(m->world);
	free(m);
}

const struct policy policy_sketch = {
	.name = "sketch",
	.what = "the judge's measure under the waiting condition, no moves",
	.begin = still_begin,
	.on_event = sketch_on_event,
	.end = sketch_end,
};

const struct policy policy_sketch_moves = {
	.name = "sketch-moves",
	.what = "the same with one moved vCPU an event",
	.begin = moving_begin,
	.on_event = sketch_on_event,
	.end = sketch_end,
};

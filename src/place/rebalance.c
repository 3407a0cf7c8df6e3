// SPDX-License-Identifier: MIT
/*
 * Offers are moves of one group to another node, ranked by what the total would fall
 * for each vCPU moved if nobody had to wait for it. From the top: the first that makes
 * nobody wait is taken; where one does, what is left of its gain after widening others
 * counts. That a better offer further down is missed by stopping early cannot be:
 * waiting only ever costs.
 */
#include "config.h"

#include "place/rebalance.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "place/candidates.h"
#include "place/repair.h"
#include "place/total.h"

/* Offers kept in each round, and how many of them are tried with a repair. */
#define OFFERS 64u
#define REPAIRS 12u

struct offer {
	struct total_move move;
	double gain; /* of the total */
	double each; /* for each vCPU, less the price of moving it */
};

struct rebalance {
	struct total t;
	struct world *w;
	unsigned int vms; /* left of the allowance */
	unsigned int vcpus;
	int *before; /* of each group: its node before a trial */
	int *best;
	bool *moved; /* of each VM: in this run */
	unsigned int n;
	struct offer offers[OFFERS];
};

/* It has been where it is for long enough, and nothing happens to it in this run. */
static bool
rested(const struct rebalance *r, const struct world_group *g)
{
	const struct plan_policy *p = r->w->in->policy;

	return g->role == WORLD_FLOAT && g->node >= 0 && g->node == g->first &&
	       g->cause == WORLD_KEPT && !g->apart &&
	       p->now_s - g->in->changed_s >= p->rebalance_dwell_s;
}

static bool
affordable(const struct rebalance *r, const struct world_group *g)
{
	return g->n_vcpus <= r->vcpus && (r->vms > 0 || r->moved[g->vm]);
}

/* What a group pays now, and what of that a move must gain. */
static double
threshold(const struct rebalance *r, const struct world_group *g)
{
	double load = world_load(r->w, (unsigned int)g->node);
	double now = candidates_distance_cost(r->w, g, (unsigned int)g->node) +
		     g->demand * candidates_crowded_ns(r->w, (unsigned int)g->node,
					 load, r->t.crowding[g->node]);

	return now * r->w->in->policy->rebalance_gain_pct / 100;
}

static double
price(const struct rebalance *r, const struct world_group *g)
{
	return g->demand * COST_MOVING * r->w->tree->worst_ns;
}

static void
keep_offer(struct rebalance *r, const struct offer *o)
{
	unsigned int at = r->n < OFFERS ? r->n++ : OFFERS;

	for (; at > 0 && o->each > r->offers[at - 1].each; at--) {
		if (at < OFFERS)
			r->offers[at] = r->offers[at - 1];
	}
	if (at < OFFERS)
		r->offers[at] = *o;
}

/* Offers for a group. A superset is no move: what needs one is widened. */
static void
list_offers(struct rebalance *r, struct world_group *g)
{
	double least = threshold(r, g);

	for (unsigned int node = 0; node < r->w->tree->n; node++) {
		struct offer o = {.move = {g, node}};

		if ((int)node == g->node || !candidates_has(r->w, g, node) ||
			cpuset_within(&r->w->tree->nodes[g->node].cpus,
				&r->w->tree->nodes[node].cpus))
			continue;
		o.gain = total_gain(&r->t, &o.move);
		o.each = (o.gain - price(r, g)) / g->n_vcpus;
		if (o.gain >= least && o.each > 0)
			keep_offer(r, &o);
	}
}

static void
save(const struct world *w, int *nodes)
{
	for (unsigned int i = 0; i < w->n_groups; i++)
		nodes[i] = w->groups[i].node;
}

static void
restore(struct world *w, const int *nodes)
{
	for (unsigned int i = 0; i < w->n_groups; i++) {
		struct world_group *g = &w->groups[i];

		if (g->role == WORLD_FLOAT && g->node != nodes[i])
			world_put(w, g, nodes[i]);
	}
}

/* What the move gains when all that it makes wait are widened, in r->best. Negative:
 * they wait nevertheless. */
static double
gain_repaired(struct rebalance *r, const struct offer *o, double before, double penalty)
{
	struct world_group *g = o->move.g;
	double gain = -1;

	save(r->w, r->before);
	world_put(r->w, g, (int)o->move.node);
	repair_waiting(r->w);
	repair_undo(r->w);
	total_read(&r->t);
	if (r->t.penalty <= penalty + 1e-9 && g->node == (int)o->move.node)
		gain = before - total_sum(&r->t);
	save(r->w, r->best);
	restore(r->w, r->before);
	total_read(&r->t);
	return gain;
}

/* Make the best move. Returns false when none is worth it. */
static bool
move_one(struct rebalance *r)
{
	double before = total_sum(&r->t);
	double waiting = total_waiting(&r->t, &r->t.wait);
	double penalty = r->t.penalty;
	auto_free int *best = xcalloc(r->w->n_groups, sizeof(*best));
	const struct offer *taken = NULL;
	double value = 0;
	unsigned int repairs = 0;

	for (unsigned int i = 0; i < r->n && r->offers[i].each > value; i++) {
		struct offer *o = &r->offers[i];
		struct wait_cost wait = total_try(&r->t, &o->move);
		double gain = o->gain + waiting - total_waiting(&r->t, &wait);
		bool plain = world_wait_penalty(r->w, &wait) <= penalty + 1e-9;
		double each;

		if (!plain) {
			if (repairs == REPAIRS)
				continue;
			repairs++;
			gain = gain_repaired(r, o, before, penalty);
		} 
		each = (gain - price(r, o->move.g)) / o->move.g->n_vcpus;
		if (each <= value || gain < threshold(r, o->move.g))
			continue;
		value = each;
		taken = o;
		if (plain) {
			save(r->w, best);
			best[o->move.g - r->w->groups] = (int)o->move.node;
		} else {
			for (unsigned int k = 0; k < r->w->n_groups; k++)
				best[k] = r->best[k];
		}
	}
	if (taken == NULL)
		return false;
	taken->move.g->cause = WORLD_REBALANCED;
	taken->move.g->gain_ns = value;
	if (!r->moved[taken->move.g->vm])
		r->vms--;
	r->moved[taken->move.g->vm] = true;
	r->vcpus -= taken->move.g->n_vcpus;
	restore(r->w, best);
	total_read(&r->t);
	return true;
}

static void
find_offers(struct rebalance *r)
{
	r->n = 0;
	for (unsigned int i = 0; i < r->w->n_groups; i++) {
		struct world_group *g = &r->w->groups[i];

		if (rested(r, g) && affordable(r, g))
			list_offers(r, g);
	}
}

void
rebalance_run(struct world *w)
{
	struct rebalance r = {.w = w,
		.vms = w->in->policy->rebalance_vms,
		.vcpus = w->in->policy->rebalance_vcpus};

	total_init(&r.t, w);
	r.before = xcalloc(w->n_groups, sizeof(*r.before));
	r.best = xcalloc(w->n_groups, sizeof(*r.best));
	r.moved = xcalloc(w->n_vms, sizeof(*r.moved));
	do {
		find_offers(&r);
	} while (move_one(&r));
	free(r.before);
	free(r.best);
	free(r.moved);
	total_fini(&r.t);
}

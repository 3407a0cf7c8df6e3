// SPDX-License-Identifier: MIT
/*
 * Offers are moves of one group to another node, ranked by what the total falls for
 * each vCPU moved. They are listed once and tried from the top, each as things are
 * then: what an earlier move has spoilt or made better the next plan finds. Exchanges
 * of two groups, and moves that need others widened first, were tried as well and found
 * next to nothing that single moves do not.
 *
 * Whole cores are an offer as well, of the node on which the group is. What they gain
 * is lost again when the group goes, or when another one comes to their node: who
 * moves for a gain pays that too, so that all rebalancing together comes to rest.
 */
#include "config.h"

#include "place/rebalance.h"

#include <float.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "place/candidates.h"
#include "place/float.h"
#include "place/narrow.h"
#include "place/total.h"
#include "place/unseen.h"

/* Offers tried, the best ones: each costs a microsecond or two. */
#define TRIED_OFFERS 4096u

/* Moves that are checked against other draws: each costs some 10 us for a host with 60
 * VMs. */
#define CHECKS 16u

/* What a move may use up of the waiting that the policy allows: newcomers need the
 * rest. And the more is tried, the better a plan fits its draws, and the less that says
 * of the load to come. */
#define WAIT_PART 0.5

struct offer {
	struct world_group *g;
	unsigned int node; /* its own: whole cores of it */
	double each;	   /* gain for each vCPU, less the price of moving it */
};

struct rebalance {
	struct total t;
	struct world *w;
	struct wait_cost unseen; /* see unseen_check */
	unsigned int checks;
	unsigned int vms; /* left of the allowance */
	unsigned int vcpus;
	bool *moved; /* of each VM: in this run */
	bool spare;  /* whole cores are to be had */
	unsigned int n_narrow;
	struct world_group **narrow; /* groups that have, or had, cores */
	unsigned int n;
	size_t cap;
	struct offer *offers;
};

/* It has been where it is for long enough, and nothing happens to it in this run. One
 * that was widened has what it waited for, and if it is pinned will return. */
static bool
rested(const struct rebalance *r, const struct world_group *g)
{
	const struct plan_policy *p = r->w->in->policy;

	return g->role == WORLD_FLOAT && g->node >= 0 && g->node == g->first &&
	       g->cause == WORLD_KEPT && !g->apart && g->waited == NULL &&
	       p->now_s - g->in->changed_s >= p->rebalance_dwell_s;
}

static bool
affordable(const struct rebalance *r, const struct world_group *g)
{
	return g->n_vcpus <= r->vcpus && (r->vms > 0 || r->moved[g->vm]);
}

static double
pays_now(const struct rebalance *r, const struct world_group *g)
{
	return candidates_cost(r->w, g, (unsigned int)g->node);
}

/* What must be gained: a part of what the group pays now. */
static double
least_gain(const struct rebalance *r, double now)
{
	return now * r->w->in->policy->rebalance_gain_pct / 100;
}

/* A gain of the total for each vCPU, less the price of moving it. */
static double
for_each(const struct rebalance *r, const struct world_group *g, double gain)
{
	return gain / g->n_vcpus - r->w->in->policy->weights[TERM_MOVING] *
					   COST_MOVING * r->w->tree->worst_ns;
}

/* The group @h floats again when another one comes to @node. */
static bool
disturbs(const struct rebalance *r, const struct world_group *h, unsigned int node)
{
	unsigned int at = (unsigned int)h->node;

	return h->cores != NULL &&
	       (tree_within(r->w->tree, at, node) || tree_within(r->w->tree, node, at));
}

/* What whole cores gain, of the group and on @node, that would be lost if it went
 * there. Those that were given in this run are not taken back. */
static double
lost_cores(const struct rebalance *r, const struct world_group *g, unsigned int node)
{
	double lost = 0;

	for (unsigned int i = 0; i < r->n_narrow; i++) {
		const struct world_group *h = r->narrow[i];

		if (h->cores == NULL || (h != g && !disturbs(r, h, node)))
			continue;
		if (h->cause == WORLD_REBALANCED)
			return DBL_MAX;
		lost += narrow_gain(r->w, h, h->cores);
	}
	return lost;
}

static bool
is_worth_it(const struct rebalance *r, const struct world_group *g, double gain)
{
	return gain > 0 && gain > least_gain(r, pays_now(r, g)) &&
	       for_each(r, g, gain) > 0;
}

static void
offer(struct rebalance *r, struct world_group *g, unsigned int node, double gain)
{
	if (!is_worth_it(r, g, gain))
		return;
	r->offers = xgrow(r->offers, r->n, &r->cap, sizeof(*r->offers));
	r->offers[r->n++] = (struct offer){g, node, for_each(r, g, gain)};
}

static void
offer_cores(struct rebalance *r, struct world_group *g)
{
	struct cpuset *cores = narrow_find(r->w, g);

	if (cores != NULL)
		offer(r, g, (unsigned int)g->node, narrow_gain(r->w, g, cores));
	free(cores);
}

/* What moving it to @node gains, if it may gain enough, before it is known what would
 * wait; else 0. @now: what it pays. */
static double
possible_gain(
	const struct rebalance *r, struct world_group *g, unsigned int node, double now)
{
	double least = least_gain(r, now);
	double gain;

	/* even if it was alone there */
	if (now - candidates_distance_cost(r->w, g, node) <= least)
		return 0;
	gain = total_gain(&r->t, g, node);
	return gain > least ? gain - lost_cores(r, g, node) : 0;
}

static void
list_offers(struct rebalance *r, struct world_group *g)
{
	const struct world *w = r->w;
	unsigned int at = (unsigned int)g->node;
	double now = pays_now(r, g);

	for (unsigned int node = 0; node < w->tree->n; node++) {
		/* a superset is no move: who needs one is widened */
		if (candidates_has(w, g, node) && !tree_within(w->tree, at, node))
			offer(r, g, node, possible_gain(r, g, node, now));
	}
	if (r->spare)
		offer_cores(r, g);
}

static int
by_gain(const void *a, const void *b)
{
	const struct offer *x = a;
	const struct offer *y = b;

	if (x->each < y->each - COST_SAME_NS || x->each > y->each + COST_SAME_NS)
		return x->each > y->each ? -1 : 1;
	if (x->g != y->g)
		return x->g < y->g ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

/* Those that have cores, with room for all that may get some. */
static void
list_narrow(struct rebalance *r)
{
	r->narrow = xcalloc(r->w->n_groups, sizeof(struct world_group *));
	for (unsigned int i = 0; i < r->w->n_groups; i++) {
		if (r->w->groups[i].cores != NULL)
			r->narrow[r->n_narrow++] = &r->w->groups[i];
	}
}

static void
find_offers(struct rebalance *r)
{
	list_narrow(r);
	for (unsigned int i = 0; i < r->w->n_groups; i++) {
		struct world_group *g = &r->w->groups[i];

		if (rested(r, g) && affordable(r, g))
			list_offers(r, g);
	}
	if (r->n > 0)
		qsort(r->offers, r->n, sizeof(*r->offers), by_gain);
}

/* Nobody waits more, or all wait so little that there is room for newcomers. */
static bool
waits_ok(const struct rebalance *r, const struct wait_cost *c)
{
	const struct plan_policy *p = r->w->in->policy;
	const struct wait_cost *now = &r->t.wait;

	if (c->mean <= WAIT_PART * p->wait_mean_max &&
		c->tail <= WAIT_PART * p->wait_tail_max)
		return true;
	return c->mean <= now->mean && c->tail <= now->tail && c->over <= now->over;
}

/* The term that falls most when the group goes to @node, or gets @cores (NULL: none)
 * there. */
static enum term
main_term(const struct world *w, const struct world_group *g, unsigned int node,
	const struct cpuset *cores)
{
	struct terms now;
	struct terms then;
	unsigned int best = 0;

	if (g->cores != NULL)
		narrow_terms(w, g, g->cores, &now);
	else
		candidates_terms(w, g, (unsigned int)g->node, &now);
	if (cores != NULL)
		narrow_terms(w, g, cores, &then);
	else
		candidates_terms(w, g, node, &then);
	for (unsigned int t = 1; t < N_TERMS; t++) {
		if (now.ns[t] - then.ns[t] > now.ns[best] - then.ns[best])
			best = t;
	}
	return (enum term)best;
}

/* Draws that the plan has not seen agree that all wait as little as before, or little
 * enough. */
static bool
is_confirmed(const struct world *w, const struct wait_cost *now,
	const struct wait_cost *then)
{
	return world_waits_ok(w, then) ||
	       (then->mean <= now->mean && then->tail <= now->tail);
}

/* Put it there for good, if that is confirmed. */
static bool
move(struct rebalance *r, struct world_group *g, unsigned int node)
{
	unsigned int was = (unsigned int)g->node;
	struct wait_cost unseen;

	total_put(&r->t, g, node);
	unseen = unseen_check(r->w);
	r->checks++;
	if (is_confirmed(r->w, &r->unseen, &unseen)) {
		r->unseen = unseen;
		return true;
	}
	total_put(&r->t, g, was);
	return false;
}

/* It has been moved, or narrowed. */
static void
count_move(struct rebalance *r, struct world_group *g, double gain, enum term term)
{
	g->gain_ns = for_each(r, g, gain);
	g->gain_term = term;
	g->cause = WORLD_REBALANCED;
	r->vms -= !r->moved[g->vm];
	r->moved[g->vm] = true;
	r->vcpus -= g->n_vcpus;
}

/* Those who are not alone any more float again, and rest. */
static void
release_cores(struct rebalance *r, struct world_group *g)
{
	narrow_release(g);
	for (unsigned int i = 0; i < r->n_narrow; i++) {
		struct world_group *h = r->narrow[i];

		if (!disturbs(r, h, (unsigned int)g->node))
			continue;
		narrow_release(h);
		h->cause = WORLD_GROWN;
	}
}

/* Whole cores make nobody wait; where VMs wait already there are none to give. */
static void
try_cores(struct rebalance *r, struct world_group *g)
{
	struct cpuset *cores = narrow_find(r->w, g);
	double gain = cores != NULL ? narrow_gain(r->w, g, cores) : 0;
	enum term term = main_term(r->w, g, (unsigned int)g->node, cores);

	if (cores == NULL || !is_worth_it(r, g, gain) ||
		!world_waits_ok(r->w, &r->t.wait) ||
		!world_waits_ok(r->w, &r->unseen)) {
		free(cores);
		return;
	}
	g->cores = cores;
	r->narrow[r->n_narrow++] = g;
	count_move(r, g, gain, term);
}

/* What moving it would gain, and what would wait then. */
static double
gain_of(struct rebalance *r, struct world_group *g, unsigned int node,
	struct wait_cost *wait)
{
	double gain = total_gain(&r->t, g, node) - lost_cores(r, g, node);

	*wait = world_try(r->w, g, node);
	return gain + float_wait_cost(r->w, &r->t.wait) - float_wait_cost(r->w, wait);
}

static void
try_offer(struct rebalance *r, const struct offer *o)
{
	struct world_group *g = o->g;
	enum term term;
	struct wait_cost wait;
	double gain;

	if (g->cause != WORLD_KEPT || !affordable(r, g))
		return;
	if (o->node == (unsigned int)g->node) {
		try_cores(r, g);
		return;
	}
	term = main_term(r->w, g, o->node, NULL);
	gain = gain_of(r, g, o->node, &wait);
	if (!waits_ok(r, &wait) || !is_worth_it(r, g, gain))
		return;
	if (!move(r, g, o->node))
		return;
	release_cores(r, g);
	count_move(r, g, gain, term);
}

void
rebalance_run(struct world *w)
{
	struct rebalance r = {.w = w,
		.spare = narrow_has_spare(w),
		.vms = w->in->policy->rebalance_vms,
		.vcpus = w->in->policy->rebalance_vcpus};

	if (r.vms == 0 || r.vcpus == 0)
		return;
	r.moved = xcalloc(w->n_vms, sizeof(*r.moved));
	total_init(&r.t, w);
	find_offers(&r);
	if (r.n > 0)
		r.unseen = unseen_check(w);
	for (unsigned int i = 0; i < r.n && i < TRIED_OFFERS && r.checks < CHECKS; i++)
		try_offer(&r, &r.offers[i]);
	total_fini(&r.t);
	free(r.offers);
	free(r.moved);
	free(r.narrow);
}

/* ---- why one stays ---- */

/* As move() asks. The group goes there and back. */
static bool
would_be_confirmed(struct world *w, struct world_group *g, unsigned int node)
{
	struct wait_cost now = unseen_check(w);
	struct cpuset *cores = g->cores;
	struct wait_cost then;
	int was = g->node;

	g->cores = NULL;
	world_put(w, g, (int)node);
	then = unseen_check(w);
	world_put(w, g, was);
	g->cores = cores;
	return is_confirmed(w, &now, &then);
}

static enum explain_hold
hold_of_gain(struct rebalance *r, struct world_group *g, unsigned int node)
{
	struct wait_cost wait;
	bool pays = is_worth_it(r, g, gain_of(r, g, node, &wait));

	if (!is_worth_it(r, g, possible_gain(r, g, node, pays_now(r, g))))
		return pays ? EXPLAIN_EASES : EXPLAIN_LITTLE;
	if (!pays)
		return EXPLAIN_LITTLE;
	if (!waits_ok(r, &wait) || !would_be_confirmed(r->w, g, node))
		return EXPLAIN_CROWDED;
	return EXPLAIN_FREE;
}

enum explain_hold
rebalance_hold(const struct total *t, struct world_group *g, unsigned int node)
{
	struct rebalance r = {.w = t->w, .t = *t};
	enum explain_hold hold;

	if (!t->w->in->policy->rebalance)
		return EXPLAIN_OFF;
	if (g->in->changed_s >= -PLAN_NEVER_S)
		return EXPLAIN_STILL;
	if (g->apart)
		return EXPLAIN_APART;
	if (!rested(&r, g))
		return EXPLAIN_RESTS;
	if (tree_within(r.w->tree, (unsigned int)g->node, node))
		return EXPLAIN_WIDER;
	list_narrow(&r);
	hold = hold_of_gain(&r, g, node);
	free(r.narrow);
	return hold;
}

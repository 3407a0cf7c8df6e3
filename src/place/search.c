// SPDX-License-Identifier: MIT
/*
 * Local search. Few newcomers are tried on several domains, each with the repair it
 * would need; many are re-placed one after the other with all others fixed. The total
 * falls with each change, and the number of trials is bounded.
 */
#include "config.h"

#include "place/search.h"

#include <float.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "place/candidates.h"
#include "place/float.h"
#include "place/repair.h"
#include "place/total.h"
#include "place/unseen.h"

/* So many newcomers are tried with a repair each time. */
#define FEW 8u

/* And so many times more while that helps. */
#define ROUNDS 3u

/* The bounds on waiting are drawn tighter at most so often, each time to this part. */
#define TIGHTER 3u
#define TIGHTER_BY 0.6

/* Passes over all newcomers. For one in a pass so many trials of the waiting model (2
 * to 3 us each on a host of 384 CPUs); of them, and of the cost (a tenth of that), so
 * many in all. */
#define PASSES 6u
#define TRIES_EACH 8u
#define TRIES 8000u
#define GAINS 80000u

struct search {
	struct total t;
	struct world *w;
	struct world_group **new;
	unsigned int n;
	unsigned int tries; /* trials so far, while re-placing */
	unsigned int gains;
	int *before; /* of each group: the node at the start */
	int *best;
	struct candidate *offers; /* cost: of the total, 0: as it is */
};

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

/* A guest node among several stays as narrow as it was placed: near to the others' all
 * the same, its guest takes it for one node. */
static bool
may_have(const struct search *s, const struct world_group *g, unsigned int node)
{
	const struct tree_node *nodes = s->w->tree->nodes;

	return (int)node != g->node && candidates_has(s->w, g, node) &&
	       (s->w->vms[g->vm].n_groups == 1 ||
		       nodes[node].n_cpus <= nodes[g->node].n_cpus);
}

/* Nodes where the total without waiting would be less than now by more than @least. */
static unsigned int
list_offers(struct search *s, struct world_group *g, double least)
{
	unsigned int n = 0;

	for (unsigned int node = 0; node < s->w->tree->n; node++) {
		double gain;

		if (!may_have(s, g, node))
			continue;
		gain = total_gain(&s->t, g, node);
		s->gains++;
		if (gain > least + COST_SAME_NS)
			s->offers[n++] = (struct candidate){node, -gain};
	}
	return n;
}

static struct candidate
take_best(struct search *s, unsigned int *n)
{
	unsigned int best = 0;
	struct candidate offer;

	for (unsigned int i = 1; i < *n; i++) {
		if (candidates_before(s->w, &s->offers[i], &s->offers[best]))
			best = i;
	}
	offer = s->offers[best];
	s->offers[best] = s->offers[--*n];
	return offer;
}

/* What comes later starts from here. */
static void
settled(const struct search *s, struct world_group *g)
{
	g->first = g->node;
	g->load_before = world_load_of_others(s->w, g, (unsigned int)g->node);
}

/* Put a newcomer where the total is least with all others as they are. */
static bool
re_place(struct search *s, struct world_group *g)
{
	double waiting = float_wait_cost(s->w, &s->t.wait);
	unsigned int n = list_offers(s, g, -waiting);
	double best = COST_SAME_NS;
	int to = -1;

	for (unsigned int k = 0; k < TRIES_EACH && n > 0; k++) {
		struct candidate offer = take_best(s, &n);
		struct wait_cost wait;
		double gain;

		if (waiting - offer.cost <= best)
			break;
		wait = world_try(s->w, g, offer.node);
		s->tries++;
		gain = waiting - offer.cost - float_wait_cost(s->w, &wait);
		if (gain > best &&
			world_wait_penalty(s->w, &wait) <= s->t.penalty + 1e-9) {
			best = gain;
			to = (int)offer.node;
		}
	}
	if (to < 0)
		return false;
	total_put(&s->t, g, (unsigned int)to);
	settled(s, g);
	return true;
}

/* Two newcomers change places. Memory is why one should: what else they do to each
 * other re-placing one after the other finds as well. */
static bool
swap(struct search *s, struct world_group *g, struct world_group *h)
{
	unsigned int there = (unsigned int)h->node;
	unsigned int here = (unsigned int)g->node;
	double gain = float_wait_cost(s->w, &s->t.wait);
	double penalty = s->t.penalty;
	struct wait_cost wait;

	s->gains++;
	if (here == there || g->vm == h->vm || !candidates_has(s->w, g, there) ||
		!candidates_has(s->w, h, here))
		return false;
	if (candidates_distance_cost(s->w, g, there) +
			candidates_distance_cost(s->w, h, here) >=
		candidates_distance_cost(s->w, g, here) +
			candidates_distance_cost(s->w, h, there))
		return false;
	gain += total_gain(&s->t, g, there);
	total_put(&s->t, g, there);
	gain += total_gain(&s->t, h, here);
	wait = world_try(s->w, h, here);
	s->tries++;
	gain -= float_wait_cost(s->w, &wait);
	if (gain <= COST_SAME_NS || world_wait_penalty(s->w, &wait) > penalty + 1e-9) {
		total_put(&s->t, g, here);
		return false;
	}
	total_put(&s->t, h, here);
	settled(s, g);
	settled(s, h);
	return true;
}

static bool
used_up(const struct search *s)
{
	return s->tries >= TRIES || s->gains >= GAINS;
}

/* Returns whether the total fell. */
static bool
re_place_all(struct search *s)
{
	bool better = false;

	for (unsigned int i = 0; i < s->n && !used_up(s); i++)
		better |= re_place(s, s->new[i]);
	for (unsigned int i = 1; i < s->n; i++) {
		for (unsigned int k = 0; k < i && !used_up(s); k++)
			better |= swap(s, s->new[i], s->new[k]);
	}
	return better;
}

static void
repair(struct search *s)
{
	repair_waiting(s->w);
	repair_undo(s->w);
	total_read(&s->t);
}

/* The node a newcomer would be given when waiting was worth @weight times as much. */
static unsigned int
choose(const struct search *s, const struct wait_cost *waits, unsigned int n,
	double weight)
{
	struct candidate best = {.cost = DBL_MAX};

	for (unsigned int i = 0; i < n; i++) {
		struct candidate c = s->offers[i];

		c.cost += weight * float_wait_cost(s->w, &waits[i]);
		if (best.cost == DBL_MAX || candidates_before(s->w, &c, &best))
			best = c;
	}
	return best.node;
}

#define WEIGHTS 3u

/* A group that is not the whole VM was placed with the others: it stays. */
static unsigned int
shortlist(struct search *s, struct world_group *g, unsigned int *out)
{
	static const double weights[WEIGHTS] = {0, 0.3, 1};
	bool whole = s->w->vms[g->vm].n_groups == 1;
	unsigned int n = whole ? list_offers(s, g, -DBL_MAX) : 0;
	auto_free struct wait_cost *waits = xcalloc(n + 1, sizeof(*waits));
	unsigned int listed = 0;

	for (unsigned int i = 0; i < n; i++)
		waits[i] = world_try(s->w, g, s->offers[i].node);
	s->offers[n] = (struct candidate){(unsigned int)g->node, 0};
	waits[n++] = s->t.wait;
	for (unsigned int i = 0; i < WEIGHTS; i++) {
		unsigned int node = choose(s, waits, n, weights[i]);
		unsigned int k = 0;

		while (k < listed && out[k] != node)
			k++;
		if (k == listed)
			out[listed++] = node;
	}
	return listed;
}

/* Try a newcomer on several nodes, each with the repair it needs. Something must be
 * chosen the first time, later only what makes the total fall. */
static bool
try_newcomer(struct search *s, struct world_group *g, bool again)
{
	double penalty = again ? s->t.penalty + 1e-9 : DBL_MAX;
	struct candidate best = {.cost = again ? total_sum(&s->t) : DBL_MAX};
	unsigned int nodes[WEIGHTS];
	double load_before = g->load_before;
	int before = g->first;
	bool found = false;
	unsigned int n;

	best.node = (unsigned int)g->first;
	save(s->w, s->before);
	save(s->w, s->best);
	n = shortlist(s, g, nodes);
	for (unsigned int i = 0; i < n; i++) {
		struct candidate c = {.node = nodes[i]};

		restore(s->w, s->before);
		world_put(s->w, g, (int)nodes[i]);
		settled(s, g);
		repair(s);
		c.cost = total_sum(&s->t);
		if ((again && c.cost >= best.cost - COST_SAME_NS) ||
			s->t.penalty > penalty || !candidates_before(s->w, &c, &best))
			continue;
		best = c;
		found = true;
		save(s->w, s->best);
	}
	restore(s->w, s->best);
	total_read(&s->t);
	g->first = (int)best.node;
	g->load_before = load_before;
	if (g->first != before)
		g->load_before = world_load_of_others(s->w, g, best.node);
	return found;
}

/* One newcomer chooses first, as if another one could be anywhere, which then chooses
 * again. */
static bool
choose_first(struct search *s, struct world_group *g, struct world_group *h)
{
	const struct world_group was[2] = {*g, *h};
	double least = total_sum(&s->t);
	double penalty = s->t.penalty;

	if (g->vm == h->vm || s->w->vms[h->vm].n_groups > 1 || used_up(s))
		return false;
	save(s->w, s->before);
	total_put(&s->t, h, s->w->classes[h->cls].top);
	if (re_place(s, g)) {
		(void)re_place(s, h);
		settled(s, g);
		settled(s, h);
		if (total_sum(&s->t) < least - COST_SAME_NS &&
			s->t.penalty <= penalty + 1e-9)
			return true;
	}
	restore(s->w, s->before);
	total_read(&s->t);
	g->first = was[0].first;
	g->load_before = was[0].load_before;
	h->first = was[1].first;
	h->load_before = was[1].load_before;
	return false;
}

static bool
choose_in_turn(struct search *s)
{
	bool better = false;

	for (unsigned int i = 0; i < s->n; i++) {
		for (unsigned int k = 0; k < s->n; k++)
			better |= choose_first(s, s->new[i], s->new[k]);
	}
	return better;
}

static void
settle_few(struct search *s)
{
	bool better = s->n > 1;

	for (unsigned int i = 0; i < s->n; i++)
		(void)try_newcomer(s, s->new[i], false);
	for (unsigned int round = 0; round < ROUNDS && better; round++) {
		better = re_place_all(s);
		better |= choose_in_turn(s);
		for (unsigned int i = 0; i < s->n; i++)
			better |= try_newcomer(s, s->new[i], true);
	}
}

static void
settle_many(struct search *s)
{
	repair(s);
	for (unsigned int pass = 0; pass < PASSES && re_place_all(s); pass++)
		;
	repair(s);
}

/*
 * A plan fits its own draws better than the load to come, the more so the more VMs
 * there are to fit. So it must hold in draws that it has not seen, too; until it does,
 * the bounds are drawn tighter.
 */
static void
confirm(struct search *s)
{
	for (unsigned int i = 0; i < TIGHTER; i++) {
		struct wait_cost unseen;
		double strict = s->w->strict;
		bool ok;

		s->w->strict = 1;
		unseen = unseen_check(s->w);
		ok = world_waits_ok(s->w, &unseen);
		s->w->strict = strict;
		if (ok)
			break;
		s->w->strict *= TIGHTER_BY;
		repair(s);
	}
	s->w->strict = 1;
}

void
search_settle(struct world *w, struct world_group **new, unsigned int n)
{
	struct search s = {.w = w, .new = new, .n = n};

	total_init_newcomers(&s.t, w);
	s.before = xcalloc(w->n_groups, sizeof(*s.before));
	s.best = xcalloc(w->n_groups, sizeof(*s.best));
	s.offers = xcalloc(w->tree->n + 1, sizeof(*s.offers));
	if (n == 0)
		repair(&s);
	else if (n <= FEW)
		settle_few(&s);
	else
		settle_many(&s);
	confirm(&s);
	free(s.before);
	free(s.best);
	free(s.offers);
	total_fini(&s.t);
}

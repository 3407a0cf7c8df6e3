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

/* So many newcomers are tried with a repair each time. */
#define FEW 8u

/* And so many times more while that helps. */
#define ROUNDS 3u

/* The bounds on waiting are drawn tighter at most so often, each time to this part. */
#define TIGHTER 6u
#define TIGHTER_BY 0.7

/* Passes over all newcomers. For one in a pass so many trials of the waiting model (2
 * to 3 us each on a host of 384 CPUs); of them, and of the cost (a tenth of that), so
 * many in all. */
#define PASSES 4u
#define TRIES_EACH 4u
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
	struct offer *offers;
};

/* A node for a newcomer. */
struct offer {
	unsigned int node;
	double gain;
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

/* Nodes where the total without waiting would be less than now by more than @least. */
static unsigned int
list_offers(struct search *s, struct world_group *g, double least)
{
	unsigned int n = 0;

	for (unsigned int node = 0; node < s->w->tree->n; node++) {
		double gain;

		if ((int)node == g->node || !candidates_has(s->w, g, node))
			continue;
		gain = total_gain(&s->t, g, node);
		s->gains++;
		if (gain > least + COST_SAME_NS)
			s->offers[n++] = (struct offer){node, gain};
	}
	return n;
}

/* The offer with the largest gain. */
static struct offer
take_best(struct search *s, unsigned int *n)
{
	unsigned int best = 0;
	struct offer offer;

	for (unsigned int i = 1; i < *n; i++) {
		if (s->offers[i].gain > s->offers[best].gain)
			best = i;
	}
	offer = s->offers[best];
	for (unsigned int i = best + 1; i < *n; i++)
		s->offers[i - 1] = s->offers[i];
	(*n)--;
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
		struct offer offer = take_best(s, &n);
		struct wait_cost wait;
		double gain;

		if (offer.gain + waiting <= best)
			break;
		wait = world_try(s->w, g, offer.node);
		s->tries++;
		gain = offer.gain + waiting - float_wait_cost(s->w, &wait);
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
choose(struct search *s, const struct world_group *g, const struct wait_cost *waits,
	unsigned int n, double weight)
{
	/* where it is stands for all that are as good: it has the lowest CPU of them */
	unsigned int node = (unsigned int)g->node;
	double best = -weight * float_wait_cost(s->w, &s->t.wait);

	for (unsigned int i = 0; i < n; i++) {
		double value =
			s->offers[i].gain - weight * float_wait_cost(s->w, &waits[i]);

		if (value > best + COST_SAME_NS) {
			best = value;
			node = s->offers[i].node;
		}
	}
	return node;
}

#define WEIGHTS 3u

static unsigned int
shortlist(struct search *s, struct world_group *g, unsigned int *out)
{
	static const double weights[WEIGHTS] = {0, 0.3, 1};
	unsigned int n = list_offers(s, g, -DBL_MAX);
	auto_free struct wait_cost *waits = xcalloc(n + 1, sizeof(*waits));
	unsigned int listed = 0;

	for (unsigned int i = 0; i < n; i++)
		waits[i] = world_try(s->w, g, s->offers[i].node);
	for (unsigned int i = 0; i < WEIGHTS; i++) {
		unsigned int node = choose(s, g, waits, n, weights[i]);
		unsigned int k = 0;

		while (k < listed && out[k] != node)
			k++;
		if (k == listed)
			out[listed++] = node;
	}
	return listed;
}

/* Try a newcomer on several nodes, each with the repair it needs. Something must be
 * chosen the first time (@least DBL_MAX), later only what costs less. */
static bool
try_newcomer(struct search *s, struct world_group *g, double least)
{
	double penalty = least < DBL_MAX ? s->t.penalty + 1e-9 : DBL_MAX;
	unsigned int nodes[WEIGHTS];
	int first = g->first;
	bool found = false;
	unsigned int n;

	save(s->w, s->before);
	save(s->w, s->best);
	n = shortlist(s, g, nodes);
	for (unsigned int i = 0; i < n; i++) {
		double sum;

		restore(s->w, s->before);
		world_put(s->w, g, (int)nodes[i]);
		settled(s, g);
		repair(s);
		sum = total_sum(&s->t);
		if (sum >= least - COST_SAME_NS || s->t.penalty > penalty)
			continue;
		least = sum;
		first = g->first;
		found = true;
		save(s->w, s->best);
	}
	restore(s->w, s->best);
	total_read(&s->t);
	g->first = first;
	g->load_before = world_load_of_others(s->w, g, (unsigned int)first);
	return found;
}

static void
settle_few(struct search *s)
{
	bool better = s->n > 1;

	for (unsigned int i = 0; i < s->n; i++)
		(void)try_newcomer(s, s->new[i], DBL_MAX);
	for (unsigned int round = 0; round < ROUNDS && better; round++) {
		better = re_place_all(s);
		for (unsigned int i = 0; i < s->n; i++)
			better |= try_newcomer(s, s->new[i], total_sum(&s->t));
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
		unseen = world_check(s->w);
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

	total_init(&s.t, w);
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

// SPDX-License-Identifier: MIT
/*
 * Newcomers come one after the other, each as if it was the last one. Here each chooses
 * again with the others where they are, and each two in both orders: the second one
 * makes room. The sum of the prices falls with each change, and the number of trials is
 * bounded.
 */
#include "config.h"

#include "place/pinsearch.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "place/pin.h"
#include "place/pinchoice.h"

/* Rounds while they help, and vCPUs x PUs (and groups, which are looked at for each
 * choice) that are tried in all: about 0.1 us each. */
#define ROUNDS 4u
#define TRIES 16384

struct search {
	struct world *w;
	unsigned int n;
	struct world_group **new;
	int left; /* of TRIES */
};

static void
give(struct world *w, struct world_group *g, const int *pins)
{
	for (unsigned int v = 0; v < g->n_vcpus; v++)
		world_pin(w, g, v, pins == NULL ? -1 : pins[v]);
}

/* Nothing of it was anywhere before, and nothing is on isolated CPUs. */
static bool
is_new(const struct world *w, const struct world_group *g)
{
	if (g->role != WORLD_PIN || g->cause != WORLD_NEW)
		return false;
	for (unsigned int v = 0; v < g->n_vcpus; v++) {
		if (g->pins[v] < 0 || w->tree->leaf_of_pu[g->pins[v]] < 0)
			return false;
	}
	return true;
}

static int *
copy_of(const struct world_group *g)
{
	int *pins = xcalloc(g->n_vcpus, sizeof(*pins));

	memcpy(pins, g->pins, g->n_vcpus * sizeof(*pins));
	return pins;
}

/* Place the groups, which are nowhere, in their order: anew (@given NULL), or there. */
static struct pinchoice_price
place(struct search *s, struct world_group *const *list, unsigned int n, int **given)
{
	struct pinchoice_price sum = {0};

	for (unsigned int i = 0; i < n; i++) {
		struct world_group *g = list[i];
		auto_free int *new = xcalloc(g->n_vcpus, sizeof(*new));
		struct pinchoice_price price;

		if (given == NULL)
			price = pinchoice_make(s->w, g, new);
		else
			price = pinchoice_price_of(s->w, g, given[i]);
		give(s->w, g, given == NULL ? new : given[i]);
		sum = pinchoice_sum(&sum, &price);
	}
	return sum;
}

static void
lift(struct search *s, struct world_group *const *list, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		give(s->w, list[i], NULL);
}

/* One or two groups choose again. Returns whether all pay less then. */
static bool
choose_again(struct search *s, struct world_group *const *list, unsigned int n)
{
	int *was[2] = {NULL};
	struct pinchoice_price before;
	struct pinchoice_price after;
	bool better;

	for (unsigned int i = 0; i < n; i++) {
		was[i] = copy_of(list[i]);
		s->left -=
			(int)(list[i]->n_vcpus * list[i]->n_allowed + s->w->n_groups);
	}
	lift(s, list, n);
	before = place(s, list, n, was);
	lift(s, list, n);
	after = place(s, list, n, NULL);
	better = pinchoice_cheaper(&after, &before);
	if (!better) {
		lift(s, list, n);
		for (unsigned int i = 0; i < n; i++)
			give(s->w, list[i], was[i]);
	}
	for (unsigned int i = 0; i < n; i++)
		free(was[i]);
	return better;
}

static bool
choose_all(struct search *s)
{
	bool better = false;

	for (unsigned int i = 0; i < s->n && s->left > 0; i++)
		better |= choose_again(s, &s->new[i], 1);
	for (unsigned int i = 0; i < s->n; i++) {
		for (unsigned int k = 0; k < s->n && s->left > 0; k++) {
			struct world_group *two[2] = {s->new[i], s->new[k]};

			if (i != k)
				better |= choose_again(s, two, 2);
		}
	}
	return better;
}

/* What is there beside it, now that all have chosen. */
static void
note_load(struct world *w, struct world_group *g)
{
	auto_free int *pins = copy_of(g);
	struct cpuset cpus = pin_cpus(w, g);

	give(w, g, NULL);
	g->load_before = world_load(w, tree_around(w->tree, w->in->topo, &cpus));
	give(w, g, pins);
}

void
pinsearch_settle(struct world *w, struct world_group **new, unsigned int n)
{
	auto_free struct world_group **list = xcalloc(n, sizeof(struct world_group *));
	struct search s = {.w = w, .new = list, .left = TRIES};

	for (unsigned int i = 0; i < n; i++) {
		if (is_new(w, new[i]))
			list[s.n++] = new[i];
	}
	/* of one that came alone nothing has changed since */
	for (unsigned int i = 0; i < ROUNDS && s.n > 0 && n > 1; i++) {
		if (!choose_all(&s))
			break;
	}
	for (unsigned int i = 0; i < s.n && n > 1; i++)
		note_load(w, list[i]);
}

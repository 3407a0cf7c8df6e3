// SPDX-License-Identifier: MIT
/*
 * Local search from several starts: in each of the best domains the vCPUs take the
 * cheapest PU one after the other, then each in turn (a guest core with all its vCPUs)
 * takes the cheapest of all that the VM may use, while that makes the sum less. The
 * number of PUs that are looked at is bounded. A guest core on a host core is noted by
 * a PU of it.
 */
#include "config.h"

#include "place/pinchoice.h"

#include <float.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "place/candidates.h"
#include "place/guestcore.h"
#include "place/pin.h"
#include "place/pinprice.h"

/* So many domains are starts, the cheapest ones; more while none has PUs enough. */
#define STARTS 4u

/* PUs that are looked at to make the best of these choices better, 10 to 20 ns each. */
#define LOOKS 4096

/* vCPUs x PUs up to which all starts are made better, and there are twice as many. */
#define SMALL 256u

static const struct pinchoice_price price_max = {.stacked = INT_MAX};

struct choice {
	struct world *w;
	const struct world_group *g;
	struct guest_cores guest;
	struct pinprice *prices;
	unsigned int *own; /* of each PU: the VM's vCPUs on it */
	int *pins;	   /* as g->pins, with what is being tried */
	int *was;	   /* pins before something is tried */
	int *best;	   /* pins of the best choice so far */
	int *first; /* of each guest core: PU of its first vCPU that has one, -1 */
	int *whose; /* of each core: a guest core that has a PU of it, -1 */
	bool small; /* see SMALL */
	int looks;  /* that are left */
};

struct pinchoice_price
pinchoice_sum(const struct pinchoice_price *a, const struct pinchoice_price *b)
{
	return (struct pinchoice_price){a->stacked + b->stacked, a->own + b->own,
		a->split + b->split, a->ns + b->ns};
}

static struct pinchoice_price
less(const struct pinchoice_price *a, const struct pinchoice_price *b)
{
	return (struct pinchoice_price){a->stacked - b->stacked, a->own - b->own,
		a->split - b->split, a->ns - b->ns};
}

bool
pinchoice_cheaper(const struct pinchoice_price *a, const struct pinchoice_price *b)
{
	if (a->stacked != b->stacked)
		return a->stacked < b->stacked;
	if (a->own != b->own)
		return a->own < b->own;
	if (a->split != b->split)
		return a->split < b->split;
	return a->ns < b->ns - COST_SAME_NS;
}

static unsigned int
core_of(const struct choice *c, unsigned int pu)
{
	return (unsigned int)c->w->in->topo->pus[pu].core;
}

static const struct cpuset *
core_cpus(const struct choice *c, unsigned int pu)
{
	return &c->w->in->topo->cores[core_of(c, pu)].cpus;
}

static void
note(struct choice *c, unsigned int v)
{
	unsigned int pu = (unsigned int)c->pins[v];
	unsigned int guest = c->guest.of[v];

	if (c->first[guest] < 0)
		c->first[guest] = (int)pu;
	c->whose[core_of(c, pu)] = (int)guest;
}

static void
mark(struct choice *c, unsigned int pu, int sign)
{
	c->w->taken[pu] += (unsigned int)sign;
	c->own[pu] += (unsigned int)sign;
	pinprice_mark(c->prices, pu, sign);
}

static void
put(struct choice *c, unsigned int v, unsigned int pu)
{
	c->pins[v] = (int)pu;
	note(c, v);
	mark(c, pu, 1);
}

/* The vCPUs that are to be placed and are of guest core @guest (-1: any) have no PU any
 * more. */
static void
take_away(struct choice *c, int guest)
{
	unsigned int n = c->g->n_vcpus;

	for (unsigned int v = 0; v < n; v++) {
		if (c->g->pins[v] >= 0 || c->pins[v] < 0 ||
			(guest >= 0 && c->guest.of[v] != (unsigned int)guest))
			continue;
		mark(c, (unsigned int)c->pins[v], -1);
		c->whose[core_of(c, (unsigned int)c->pins[v])] = -1;
		c->first[c->guest.of[v]] = -1;
		c->pins[v] = -1;
	}
	for (unsigned int v = 0; v < n; v++) {
		if (c->pins[v] >= 0)
			note(c, v);
	}
}

/* The vCPU's guest core would be in two places, or come between another's threads. */
static bool
splits(const struct choice *c, unsigned int v, unsigned int pu)
{
	const struct topo *topo = c->w->in->topo;
	const struct cpuset *core = core_cpus(c, pu);
	int whose = c->whose[topo->pus[pu].core];
	const struct cpuset *allowed = &c->w->classes[c->g->cls].allowed;
	unsigned int idle = 0;

	if (!c->guest.threads)
		return false;
	if (whose >= 0 || c->first[c->guest.of[v]] >= 0)
		return whose != (int)c->guest.of[v];
	cpuset_foreach (cpu, core) {
		unsigned int i = (unsigned int)topo->pu_of_cpu[cpu];

		idle += cpuset_has(allowed, cpu) && c->w->taken[i] == 0;
	}
	return idle < c->guest.size[c->guest.of[v]];
}

/* What the @v-th vCPU costs on this PU, but for ns. */
static struct pinchoice_price
rank_of_pu(const struct choice *c, unsigned int v, unsigned int pu)
{
	return (struct pinchoice_price){.stacked = (int)c->w->taken[pu],
		.own = (int)c->own[pu],
		.split = splits(c, v, pu)};
}

/* What a guest core costs on the core of this PU, but for ns. */
static struct pinchoice_price
rank_of_core(const struct choice *c, unsigned int v, unsigned int pu)
{
	const struct topo *topo = c->w->in->topo;
	const struct cpuset *allowed = &c->w->classes[c->g->cls].allowed;
	struct pinchoice_price price = {0};
	unsigned int room = 0;

	cpuset_foreach (cpu, core_cpus(c, pu)) {
		unsigned int i = (unsigned int)topo->pu_of_cpu[cpu];

		price.stacked += (int)c->w->taken[i];
		price.own += (int)c->own[i];
		room += cpuset_has(allowed, cpu);
	}
	/* a core with fewer CPUs than the guest's has threads */
	price.split = room < c->guest.size[c->guest.of[v]];
	return price;
}

static struct pinchoice_price
rank_at(const struct choice *c, unsigned int v, unsigned int pu)
{
	return c->g->whole_cores ? rank_of_core(c, v, pu) : rank_of_pu(c, v, pu);
}

static struct pinchoice_price
price_at(const struct choice *c, unsigned int v, unsigned int pu)
{
	struct pinchoice_price price = rank_at(c, v, pu);

	price.ns = pinprice_of(c->prices, pu);
	return price;
}

/* A sibling in @cpus comes before the PU: its core has been looked at. */
static bool
is_seen(const struct choice *c, unsigned int pu, const struct cpuset *cpus)
{
	const struct cpuset *core = core_cpus(c, pu);
	unsigned int cpu = c->w->in->topo->pus[pu].cpu;

	for (unsigned int i = cpuset_next(core, 0); i < cpu;
		i = cpuset_next(core, i + 1)) {
		if (cpuset_has(cpus, i))
			return true;
	}
	return false;
}

/* The cheapest place of @cpus for the @v-th vCPU. */
static unsigned int
cheapest(const struct choice *c, unsigned int v, const struct cpuset *cpus,
	struct pinchoice_price *best)
{
	unsigned int at = 0;

	*best = price_max;
	cpuset_foreach (cpu, cpus) {
		unsigned int pu = (unsigned int)c->w->in->topo->pu_of_cpu[cpu];
		struct pinchoice_price price;

		if (c->g->whole_cores && is_seen(c, pu, cpus))
			continue;
		price = rank_at(c, v, pu);
		price.ns = -DBL_MAX;
		if (!pinchoice_cheaper(&price, best))
			continue; /* whatever else it costs */
		price.ns = pinprice_of(c->prices, pu);
		if (!pinchoice_cheaper(&price, best))
			continue;
		*best = price;
		at = pu;
	}
	return at;
}

/* Give the @v-th vCPU the cheapest place of @cpus, a guest core's others that of the
 * first. */
static struct pinchoice_price
take_one(struct choice *c, unsigned int v, const struct cpuset *cpus)
{
	int sibling = c->first[c->guest.of[v]];
	struct pinchoice_price price;
	unsigned int pu;

	pinprice_look(c->prices);
	if (c->g->whole_cores && sibling >= 0)
		price = (struct pinchoice_price){
			.ns = pinprice_of(c->prices, pu = (unsigned int)sibling)};
	else
		pu = cheapest(c, v, cpus, &price);
	if (c->g->whole_cores)
		pu = pin_in_core(c->w, c->g, core_of(c, pu));
	put(c, v, pu);
	return price;
}

/* Give all that have none a place of @cpus; of one guest core, or all (-1). */
static struct pinchoice_price
take(struct choice *c, int guest, const struct cpuset *cpus)
{
	struct pinchoice_price sum = {0};

	for (unsigned int v = 0; v < c->g->n_vcpus; v++) {
		struct pinchoice_price price;

		if (c->pins[v] >= 0 ||
			(guest >= 0 && c->guest.of[v] != (unsigned int)guest))
			continue;
		price = take_one(c, v, cpus);
		sum = pinchoice_sum(&sum, &price);
	}
	return sum;
}

/* The same where they were, or are to be. */
static struct pinchoice_price
take_given(struct choice *c, int guest, const int *pins)
{
	struct pinchoice_price sum = {0};

	for (unsigned int v = 0; v < c->g->n_vcpus; v++) {
		bool joins = c->g->whole_cores && c->first[c->guest.of[v]] >= 0;
		struct pinchoice_price price;

		if (c->pins[v] >= 0 ||
			(guest >= 0 && c->guest.of[v] != (unsigned int)guest))
			continue;
		pinprice_look(c->prices);
		price = price_at(c, v, (unsigned int)pins[v]);
		if (joins)
			price = (struct pinchoice_price){.ns = price.ns};
		sum = pinchoice_sum(&sum, &price);
		put(c, v, (unsigned int)pins[v]);
	}
	return sum;
}

/* Try another place for a vCPU, where the guest has no threads. */
static bool
improve_single(struct choice *c, unsigned int v, const struct cpuset *cpus,
	struct pinchoice_price *sum)
{
	unsigned int was = (unsigned int)c->pins[v];
	struct pinchoice_price before;
	struct pinchoice_price after;
	unsigned int pu;
	bool better;

	mark(c, was, -1);
	c->whose[core_of(c, was)] = -1;
	c->first[c->guest.of[v]] = -1;
	pinprice_look(c->prices);
	before = price_at(c, v, was);
	pu = cheapest(c, v, cpus, &after);
	better = pinchoice_cheaper(&after, &before);
	if (better) {
		*sum = less(sum, &before);
		*sum = pinchoice_sum(sum, &after);
		was = c->g->whole_cores ? pin_in_core(c->w, c->g, core_of(c, pu)) : pu;
	}
	put(c, v, was);
	return better;
}

/* Try another place for a guest core. Returns whether @sum has become less. */
static bool
improve_core(struct choice *c, int guest, const struct cpuset *cpus,
	struct pinchoice_price *sum)
{
	struct pinchoice_price before;
	struct pinchoice_price after;

	memcpy(c->was, c->pins, c->g->n_vcpus * sizeof(*c->was));
	take_away(c, guest);
	before = take_given(c, guest, c->was);
	take_away(c, guest);
	after = take(c, guest, cpus);
	if (pinchoice_cheaper(&after, &before)) {
		*sum = less(sum, &before);
		*sum = pinchoice_sum(sum, &after);
		return true;
	}
	take_away(c, guest);
	(void)take_given(c, guest, c->was);
	return false;
}

/* Each guest core in turn, while that helps. */
static void
improve(struct choice *c, struct pinchoice_price *sum)
{
	const struct world_class *cls = &c->w->classes[c->g->cls];
	bool better = c->g->n_vcpus > 0;

	while (better && c->looks > 0) {
		better = false;
		for (unsigned int i = 0; i < c->guest.n && c->looks > 0; i++) {
			if (c->guest.threads)
				better |= improve_core(c, (int)i, &cls->allowed, sum);
			else if (c->g->pins[i] < 0)
				better |= improve_single(c, i, &cls->allowed, sum);
			c->looks -= (int)(cls->n_cpus + c->g->n_vcpus);
		}
	}
}

/* Make the choice that is being tried better; it becomes the best one. */
static void
finish(struct choice *c, struct pinchoice_price *best)
{
	improve(c, best);
	memcpy(c->best, c->pins, c->g->n_vcpus * sizeof(*c->best));
	take_away(c, -1);
}

/* Start in a domain. */
static void
start(struct choice *c, unsigned int node, struct pinchoice_price *best)
{
	struct cpuset cpus = world_mask(c->w, c->g, node);
	struct pinchoice_price sum = take(c, -1, &cpus);

	if (c->small)
		improve(c, &sum);
	if (pinchoice_cheaper(&sum, best)) {
		*best = sum;
		memcpy(c->best, c->pins, c->g->n_vcpus * sizeof(*c->best));
	}
	take_away(c, -1);
}

static struct pinchoice_price
choose_domain(struct choice *c)
{
	auto_free struct candidate *list = xcalloc(c->w->tree->n, sizeof(*list));
	unsigned int n = candidates_list(c->w, c->g, list);
	struct pinchoice_price best = price_max;

	unsigned int starts = c->small ? 2 * STARTS : STARTS;

	for (unsigned int i = 0; i < n && (i < starts || best.stacked > 0); i++)
		start(c, list[i].node, &best);
	return best;
}

/* Around the PUs that the VM has: farther CPUs of idle cores against near siblings, but
 * idle ones before all. */
static struct pinchoice_price
choose_near(struct choice *c, const struct cpuset *has)
{
	int up = (int)tree_around(c->w->tree, c->w->in->topo, has);
	struct pinchoice_price best = price_max;

	for (; up >= 0; up = world_wider(c->w, c->g, (unsigned int)up))
		start(c, (unsigned int)up, &best);
	return best;
}

static struct choice
begin(struct world *w, const struct world_group *g)
{
	struct choice c = {.w = w, .g = g, .looks = LOOKS};

	c.small = g->n_vcpus * w->classes[g->cls].n_cpus <= SMALL;
	c.guest = guestcore_list(g);
	c.prices = pinprice_new(w, g, g->pins);
	c.own = xcalloc(w->in->topo->n_pus, sizeof(*c.own));
	c.pins = xcalloc(g->n_vcpus, sizeof(*c.pins));
	c.was = xcalloc(g->n_vcpus, sizeof(*c.was));
	c.best = xcalloc(g->n_vcpus, sizeof(*c.best));
	c.first = xcalloc(g->n_vcpus, sizeof(*c.first));
	c.whose = xcalloc(w->in->topo->n_cores, sizeof(*c.whose));
	for (unsigned int v = 0; v < g->n_vcpus; v++)
		c.first[v] = -1;
	for (unsigned int i = 0; i < w->in->topo->n_cores; i++)
		c.whose[i] = -1;
	for (unsigned int v = 0; v < g->n_vcpus; v++) {
		c.pins[v] = g->pins[v];
		if (c.pins[v] < 0)
			continue;
		c.own[c.pins[v]]++;
		note(&c, v);
	}
	return c;
}

static void
end(struct choice *c)
{
	guestcore_fini(&c->guest);
	pinprice_free(c->prices);
	free(c->own);
	free(c->pins);
	free(c->was);
	free(c->best);
	free(c->first);
	free(c->whose);
}

struct pinchoice_price
pinchoice_make(struct world *w, const struct world_group *g, int *pins)
{
	struct choice c = begin(w, g);
	struct cpuset has = pin_cpus(w, g);
	struct pinchoice_price price =
		cpuset_empty(&has) ? choose_domain(&c) : choose_near(&c, &has);

	if (!c.small) {
		(void)take_given(&c, -1, c.best);
		finish(&c, &price);
	}
	memcpy(pins, c.best, g->n_vcpus * sizeof(*pins));
	end(&c);
	return price;
}

struct pinchoice_price
pinchoice_price_of(struct world *w, const struct world_group *g, const int *pins)
{
	struct choice c = begin(w, g);
	struct pinchoice_price price = take_given(&c, -1, pins);

	take_away(&c, -1);
	end(&c);
	return price;
}

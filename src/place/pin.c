// SPDX-License-Identifier: MIT
/*
 * Choosing PUs, or cores for guest cores, one at a time, each time the cheapest in a
 * domain. What is nobody's always comes before what is taken. A guest core on a host
 * core is noted by a PU of it.
 */
#include "config.h"

#include "place/pin.h"

#include <float.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "place/candidates.h"
#include "place/guestcore.h"

/* Sharing a PU is worse than any distance, and worst with the VM's own vCPUs: they are
 * busy together, others perhaps not. What the guest takes for one core comes next. All
 * are summed over the choices. */
struct price {
	unsigned int stacked; /* vCPUs that are on the PU, or core, already */
	unsigned int own;     /* of them the VM's */
	unsigned int split;   /* not on the core of its siblings, or no room for them */
	double ns;
};

static const struct price price_max = {
	.stacked = UINT_MAX, .own = UINT_MAX, .split = UINT_MAX, .ns = DBL_MAX};

static bool
cheaper(const struct price *a, const struct price *b)
{
	if (a->stacked != b->stacked)
		return a->stacked < b->stacked;
	if (a->own != b->own)
		return a->own < b->own;
	if (a->split != b->split)
		return a->split < b->split;
	return a->ns < b->ns;
}

struct choice {
	struct world *w;
	const struct world_group *g;
	struct guest_cores guest;
	double each;	   /* CPUs wanted by a vCPU */
	double *floating;  /* of each PU: load of VMs that float over it */
	unsigned int *own; /* of each PU: the VM's vCPUs on it */
	double *near;	   /* of each PU: sum of latencies to the VM's own PUs */
	unsigned int n_near;
	int *pins;  /* as g->pins, with what is being tried */
	int *first; /* of each guest core: PU of its first vCPU that has one, -1 */
	int *whose; /* of each core: a guest core that has a PU of it, -1 */
};

static void
mark(struct choice *c, unsigned int pu, int sign)
{
	const struct world *w = c->w;

	w->fixed[pu] += sign * c->each;
	if (sign > 0)
		w->taken[pu]++;
	else
		w->taken[pu]--;
	c->own[pu] += (unsigned int)sign;
	for (unsigned int i = 0; i < w->in->topo->n_pus; i++)
		c->near[i] += sign * (double)lat_ns(&w->in->latency, pu, i);
	c->n_near += (unsigned int)sign;
}

static const struct cpuset *
core_cpus(const struct world *w, unsigned int pu)
{
	const struct topo *topo = w->in->topo;

	return &topo->cores[topo->pus[pu].core].cpus;
}

/* The vCPU's guest core would be in two places, or come between another's threads. */
static bool
splits(const struct choice *c, unsigned int v, unsigned int pu)
{
	const struct topo *topo = c->w->in->topo;
	const struct cpuset *core = core_cpus(c->w, pu);
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

/* Distance to the vCPU's siblings, or to all of the VM. */
static double
distance(const struct choice *c, unsigned int v, unsigned int pu)
{
	int first = c->first[c->guest.of[v]];

	if (first >= 0)
		return (double)lat_ns(&c->w->in->latency, (unsigned int)first, pu);
	return c->n_near > 0 ? c->near[pu] / c->n_near : 0;
}

/* What the @v-th vCPU pays on this PU. */
static struct price
price_of_pu(const struct choice *c, unsigned int v, unsigned int pu)
{
	const struct topo *topo = c->w->in->topo;
	const struct cpuset *core = core_cpus(c->w, pu);
	double own = c->w->fixed[pu] + c->floating[pu];
	double siblings = 0;
	struct price price = {.stacked = c->w->taken[pu],
		.own = c->own[pu],
		.split = splits(c, v, pu)};

	cpuset_foreach (cpu, core) {
		unsigned int i = (unsigned int)topo->pu_of_cpu[cpu];

		if (i != pu)
			siblings += c->w->fixed[i] + c->floating[i];
	}
	price.ns = c->w->tree->worst_ns * (COST_LOST * own + COST_SMT * siblings) +
		   distance(c, v, pu);
	return price;
}

/* What a guest core pays on the core of this PU. */
static struct price
price_of_core(const struct choice *c, unsigned int v, unsigned int pu)
{
	const struct topo *topo = c->w->in->topo;
	const struct cpuset *core = core_cpus(c->w, pu);
	const struct cpuset *allowed = &c->w->classes[c->g->cls].allowed;
	struct price price = {0};
	unsigned int room = 0;
	double load = 0;

	cpuset_foreach (cpu, core) {
		unsigned int i = (unsigned int)topo->pu_of_cpu[cpu];

		price.stacked += c->w->taken[i];
		price.own += c->own[i];
		load += c->w->fixed[i] + c->floating[i];
		room += cpuset_has(allowed, cpu);
	}
	/* a core with fewer CPUs than the guest's has threads */
	price.split = room < c->guest.size[c->guest.of[v]];
	price.ns = c->w->tree->worst_ns * COST_LOST * load;
	price.ns += c->n_near > 0 ? c->near[pu] / c->n_near : 0;
	return price;
}

/* A sibling in @cpus comes before the PU: its core has been looked at. */
static bool
is_seen(const struct choice *c, unsigned int pu, const struct cpuset *cpus)
{
	const struct cpuset *core = core_cpus(c->w, pu);
	unsigned int cpu = c->w->in->topo->pus[pu].cpu;

	for (unsigned int i = cpuset_next(core, 0); i < cpu;
		i = cpuset_next(core, i + 1)) {
		if (cpuset_has(cpus, i))
			return true;
	}
	return false;
}

/* The cheapest place of @cpus for the @v-th vCPU, which it takes for the trial. */
static struct price
take_cheapest(struct choice *c, unsigned int v, const struct cpuset *cpus)
{
	const struct topo *topo = c->w->in->topo;
	struct price best = price_max;

	cpuset_foreach (cpu, cpus) {
		unsigned int pu = (unsigned int)topo->pu_of_cpu[cpu];
		struct price price;

		if (c->g->whole_cores && is_seen(c, pu, cpus))
			continue;
		price = c->g->whole_cores ? price_of_core(c, v, pu)
					  : price_of_pu(c, v, pu);
		if (cheaper(&price, &best)) {
			best = price;
			c->pins[v] = (int)pu;
		}
	}
	return best;
}

/* Fill c->pins from @cpus. Returns what it costs; c->w is as before. */
static struct price
fill(struct choice *c, const struct cpuset *cpus)
{
	unsigned int n = c->g->n_vcpus;
	const struct topo *topo = c->w->in->topo;
	auto_free int *first = xcalloc(n, sizeof(*first));
	auto_free int *whose = xcalloc(topo->n_cores, sizeof(*whose));
	struct price total = {0};

	memcpy(c->pins, c->g->pins, n * sizeof(*c->pins));
	memcpy(first, c->first, n * sizeof(*first));
	memcpy(whose, c->whose, topo->n_cores * sizeof(*whose));
	for (unsigned int v = 0; v < n; v++) {
		int *sibling = &c->first[c->guest.of[v]];
		struct price best = {0};

		if (c->pins[v] >= 0)
			continue;
		if (c->g->whole_cores && *sibling >= 0)
			c->pins[v] = *sibling;
		else
			best = take_cheapest(c, v, cpus);
		if (c->g->whole_cores)
			c->pins[v] = (int)pin_in_core(
				c->w, c->g, (unsigned int)topo->pus[c->pins[v]].core);
		if (*sibling < 0)
			*sibling = c->pins[v];
		c->whose[topo->pus[c->pins[v]].core] = (int)c->guest.of[v];
		total.stacked += best.stacked;
		total.own += best.own;
		total.split += best.split;
		total.ns += best.ns;
		mark(c, (unsigned int)c->pins[v], 1);
	}
	for (unsigned int v = 0; v < n; v++) {
		if (c->g->pins[v] < 0)
			mark(c, (unsigned int)c->pins[v], -1);
	}
	memcpy(c->first, first, n * sizeof(*first));
	memcpy(c->whose, whose, topo->n_cores * sizeof(*whose));
	return total;
}

/* The cheapest domain for a VM that has no PU yet. */
static unsigned int
choose_domain(struct choice *c)
{
	auto_free struct candidate *list = xcalloc(c->w->tree->n, sizeof(*list));
	unsigned int n = candidates_list(c->w, c->g, list);
	struct price best = price_max;
	unsigned int node = c->w->classes[c->g->cls].top;

	for (unsigned int i = 0; i < n; i++) {
		struct cpuset cpus = world_mask(c->w, c->g, list[i].node);
		struct price price;

		if (best.stacked == 0 && list[i].cost >= best.ns)
			break; /* the rest costs no less */
		price = fill(c, &cpus);
		price.ns += list[i].cost;
		if (cheaper(&price, &best)) {
			best = price;
			node = list[i].node;
		}
	}
	return node;
}

/* The domain around the PUs the VM has that is best for the rest: farther CPUs of idle
 * cores against near siblings, but idle ones before all. */
static unsigned int
choose_near(struct choice *c, const struct cpuset *has)
{
	int up = (int)tree_around(c->w->tree, c->w->in->topo, has);
	unsigned int node = (unsigned int)up;
	struct price best = price_max;

	for (; up >= 0; up = world_wider(c->w, c->g, (unsigned int)up)) {
		struct cpuset cpus = world_mask(c->w, c->g, (unsigned int)up);
		struct price price = fill(c, &cpus);

		if (cheaper(&price, &best)) {
			best = price;
			node = (unsigned int)up;
		}
	}
	return node;
}

struct cpuset
pin_mask(const struct world *w, const struct world_group *g, unsigned int i)
{
	unsigned int pu = (unsigned int)g->pins[i];

	if (!g->whole_cores)
		return cpuset_of(w->in->topo->pus[pu].cpu);
	return cpuset_and(core_cpus(w, pu), &w->classes[g->cls].allowed);
}

struct cpuset
pin_cpus(const struct world *w, const struct world_group *g)
{
	struct cpuset cpus = CPUSET_NONE;

	for (unsigned int v = 0; v < g->n_vcpus; v++) {
		struct cpuset mask;

		if (g->pins[v] < 0 || w->tree->leaf_of_pu[g->pins[v]] < 0)
			continue;
		mask = pin_mask(w, g, v);
		cpus = cpuset_or(&cpus, &mask);
	}
	return cpus;
}

unsigned int
pin_in_core(const struct world *w, const struct world_group *g, unsigned int core)
{
	const struct topo *topo = w->in->topo;
	struct cpuset cpus =
		cpuset_and(&topo->cores[core].cpus, &w->classes[g->cls].allowed);
	unsigned int best = (unsigned int)topo->pu_of_cpu[cpuset_next(&cpus, 0)];

	cpuset_foreach (cpu, &cpus) {
		unsigned int pu = (unsigned int)topo->pu_of_cpu[cpu];

		if (w->taken[pu] < w->taken[best])
			best = pu;
	}
	return best;
}

/* vCPUs that are pinned to a core. */
static unsigned int
vcpus_on(const struct world *w, unsigned int pu)
{
	const struct cpuset *core = core_cpus(w, pu);
	unsigned int n = 0;

	cpuset_foreach (cpu, core)
		n += w->taken[w->in->topo->pu_of_cpu[cpu]];
	return n;
}

static unsigned int
cores_stacked(const struct world *w, const struct world_group *g)
{
	struct guest_cores guest = guestcore_list(g);
	unsigned int n = 0;

	for (unsigned int v = 0; v < g->n_vcpus; v++)
		n += vcpus_on(w, (unsigned int)g->pins[v]) > guest.size[guest.of[v]];
	guestcore_fini(&guest);
	return n;
}

unsigned int
pin_stacked(const struct world *w, const struct world_group *g)
{
	unsigned int n = 0;

	if (g->whole_cores)
		return cores_stacked(w, g);
	for (unsigned int v = 0; v < g->n_vcpus; v++)
		n += w->taken[g->pins[v]] > 1;
	return n;
}

/* The group's own PUs count as near, and as taken by itself. */
static void
note_pins(struct choice *c)
{
	const struct world_group *g = c->g;
	unsigned int n_pus = c->w->in->topo->n_pus;

	for (unsigned int v = 0; v < g->n_vcpus; v++) {
		unsigned int pu = (unsigned int)g->pins[v];

		if (g->pins[v] < 0)
			continue;
		for (unsigned int i = 0; i < n_pus; i++)
			c->near[i] += (double)lat_ns(&c->w->in->latency, pu, i);
		c->own[pu]++;
		c->n_near++;
		c->whose[c->w->in->topo->pus[pu].core] = (int)c->guest.of[v];
		if (c->first[c->guest.of[v]] < 0)
			c->first[c->guest.of[v]] = (int)pu;
	}
}

static struct choice
begin(struct world *w, const struct world_group *g)
{
	unsigned int n_pus = w->in->topo->n_pus;
	struct choice c = {.w = w, .g = g, .each = g->demand / g->n_vcpus};

	c.guest = guestcore_list(g);
	c.floating = xcalloc(n_pus, sizeof(*c.floating));
	c.near = xcalloc(n_pus, sizeof(*c.near));
	c.own = xcalloc(n_pus, sizeof(*c.own));
	c.pins = xcalloc(g->n_vcpus, sizeof(*c.pins));
	c.first = xcalloc(g->n_vcpus, sizeof(*c.first));
	c.whose = xcalloc(w->in->topo->n_cores, sizeof(*c.whose));
	for (unsigned int i = 0; i < n_pus; i++)
		c.floating[i] =
			w->tree->leaf_of_pu[i] >= 0 ? world_float_load(w, i) : 0;
	for (unsigned int v = 0; v < g->n_vcpus; v++)
		c.first[v] = -1;
	for (unsigned int i = 0; i < w->in->topo->n_cores; i++)
		c.whose[i] = -1;
	note_pins(&c);
	return c;
}

static void
end(struct choice *c)
{
	guestcore_fini(&c->guest);
	free(c->floating);
	free(c->near);
	free(c->own);
	free(c->pins);
	free(c->first);
	free(c->whose);
}

void
pin_place(struct world *w, struct world_group *g)
{
	struct choice c = begin(w, g);
	struct cpuset has = pin_cpus(w, g);
	struct cpuset cpus;
	unsigned int node;

	if (c.n_near == g->n_vcpus) {
		end(&c);
		return;
	}
	node = cpuset_empty(&has) ? choose_domain(&c) : choose_near(&c, &has);
	cpus = world_mask(w, g, node);
	g->load_before = world_load(w, node);
	(void)fill(&c, &cpus);
	for (unsigned int v = 0; v < g->n_vcpus; v++) {
		if (g->pins[v] < 0)
			world_pin(w, g, v, (unsigned int)c.pins[v]);
	}
	end(&c);
}

bool
pin_fits(struct world *w, const struct world_group *g, unsigned int node,
	struct cpuset *masks)
{
	struct world_group trial = *g;
	struct cpuset cpus = world_mask(w, g, node);
	struct choice c;
	struct price price;

	trial.whole_cores = true;
	trial.pins = xcalloc(g->n_vcpus, sizeof(*trial.pins));
	for (unsigned int v = 0; v < g->n_vcpus; v++)
		trial.pins[v] = -1;
	c = begin(w, &trial);
	price = fill(&c, &cpus);
	memcpy(trial.pins, c.pins, g->n_vcpus * sizeof(*trial.pins));
	for (unsigned int v = 0; price.stacked == 0 && v < g->n_vcpus; v++)
		masks[v] = pin_mask(w, &trial, v);
	end(&c);
	free(trial.pins);
	return price.stacked == 0;
}

bool
pin_elsewhere(struct world *w, const struct world_group *g, struct cpuset *masks)
{
	struct world_group trial = *g;
	struct cpuset has = pin_cpus(w, g);
	struct cpuset rest = cpuset_minus(&w->classes[g->cls].allowed, &has);
	struct choice c;

	if (cpuset_count(&rest) < g->n_vcpus)
		return false;
	trial.cls = world_class_of(w, &rest);
	trial.pins = xcalloc(g->n_vcpus, sizeof(*trial.pins));
	for (unsigned int v = 0; v < g->n_vcpus; v++)
		trial.pins[v] = -1;
	c = begin(w, &trial);
	rest = world_mask(w, &trial, choose_domain(&c));
	(void)fill(&c, &rest);
	memcpy(trial.pins, c.pins, g->n_vcpus * sizeof(*trial.pins));
	for (unsigned int v = 0; v < g->n_vcpus; v++)
		masks[v] = pin_mask(w, &trial, v);
	end(&c);
	free(trial.pins);
	return true;
}

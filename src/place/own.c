// SPDX-License-Identifier: MIT
/*
 * Three forms: vCPUs that float over whole cores; one CPU for each vCPU; one core for
 * each guest core. In the last one pins name a CPU of the core, and the mask is the
 * core.
 */
#include "config.h"

#include "place/own.h"

#include <limits.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "place/held.h"
#include "place/pick.h"

struct own
own_of(struct world_group *g, const struct world_vm *vm, unsigned int number,
	const struct topo *t)
{
	struct own o = {.g = g,
		.number = number,
		.alone = vm->exclusive,
		.floats = g->role == WORLD_FLOAT,
		.guest = guestcore_list(g)};

	o.used = xcalloc(t->n_pus, sizeof(*o.used));
	if (o.floats)
		return o;
	g->pins = xcalloc(g->n_vcpus, sizeof(*g->pins));
	for (unsigned int v = 0; v < g->n_vcpus; v++)
		g->pins[v] = -1;
	return o;
}

void
own_fini(struct own *o)
{
	guestcore_fini(&o->guest);
	free(o->used);
	o->used = NULL;
}

static bool
adopt_pin(struct cores *c, struct own *o, unsigned int v, const struct cpuset *mask)
{
	unsigned int cpu = cpuset_next(mask, 0);
	struct cpuset may = held_may(o);
	int pu;

	if (cpuset_count(mask) != 1 || !cpuset_has(&may, cpu) ||
		cpuset_has(&c->single, cpu))
		return false;
	pu = c->in->topo->pu_of_cpu[cpu];
	if (cpuset_has(&o->g->isolated, cpu) && o->used[pu] > 0)
		return false;
	if (o->alone && !held_take(c, o, held_core(c, pu)))
		return false;
	held_pin(c, o, v, pu);
	return true;
}

static bool
adopt_core(struct cores *c, struct own *o, unsigned int v, const struct cpuset *mask)
{
	struct cpuset may = held_may(o);
	struct cpuset cut = cpuset_and(mask, &may);
	unsigned int core;
	struct cpuset whole;

	if (cpuset_empty(&cut))
		return false;
	core = held_core(c, c->in->topo->pu_of_cpu[cpuset_next(&cut, 0)]);
	whole = held_part(c, o, core);
	if (!cpuset_within(&cut, &whole) || !held_take(c, o, core))
		return false;
	if (held_siblings(c, o, v) >= 0 && held_siblings(c, o, v) != (int)core)
		return false;
	held_pin(c, o, v, held_turn(c, o, v, core));
	return true;
}

static bool
adopt_pins(struct cores *c, struct own *o)
{
	struct world_group *g = o->g;
	unsigned int n = 0;
	bool same = true;

	for (unsigned int v = 0; v < g->n_current; v++) {
		const struct cpuset *mask = &g->in->current[g->vcpus[v]];
		struct cpuset now;

		if (g->whole_cores ? !adopt_core(c, o, v, mask)
				   : !adopt_pin(c, o, v, mask))
			continue;
		n++;
		now = own_mask(c, o, v);
		same &= cpuset_within(mask, &now);
	}
	g->cause = n < g->n_current || !same ? WORLD_CUT : WORLD_KEPT;
	return n > 0;
}

/* The cores of @mask that it may have, into @out. Returns how many. */
static unsigned int
cores_in(const struct cores *c, const struct own *o, const struct cpuset *mask,
	struct pick *out)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < c->in->topo->n_cores; i++) {
		struct cpuset part = held_part(c, o, i);

		if (!cpuset_overlap(&part, mask) || !cores_may_take(c, i))
			continue;
		out[n++] = (struct pick){i, cpuset_count(&part)};
	}
	return n;
}

/* One core less would do, whichever: what is found core by core, as vCPUs are plugged,
 * may have one with a single CPU too many. */
static bool
is_too_many(const struct own *o, const struct pick *picks, unsigned int n)
{
	unsigned int most = 0;
	unsigned int sum = 0;

	for (unsigned int i = 0; i < n; i++) {
		sum += picks[i].n_cpus;
		most = picks[i].n_cpus > most ? picks[i].n_cpus : most;
	}
	return n > 0 && sum - most >= o->g->n_vcpus;
}

/* What the group wants of @pool for its vCPUs without a place; @units: room for one of
 * each vCPU. */
static struct pick_want
want_of(const struct own *o, const struct cpuset *pool, unsigned int *units)
{
	const struct world_group *g = o->g;
	struct pick_want want = {
		.pool = *pool,
		.alone = o->alone,
		.first_ones = o->first_ones,
		.units = units,
		.most = UINT_MAX,
		.demand = g->demand * own_missing(o) / g->n_vcpus,
		.memory_gib = g->in->memory_gib * g->n_vcpus / g->in->n_vcpus,
		.share = g->memory_share,
		.pci_nodes = &g->in->pci_nodes,
	};

	if (o->floats || (!g->whole_cores && !o->guest.threads)) {
		units[want.n_units++] = own_missing(o);
		return want;
	}
	for (unsigned int core = 0; core < o->guest.n; core++) {
		unsigned int n = 0;

		for (unsigned int v = 0; v < g->n_vcpus; v++)
			n += o->guest.of[v] == core && g->pins[v] < 0;
		if (n > 0)
			units[want.n_units++] = g->whole_cores ? 1 : n;
	}
	return want;
}

/* CPUs it has, each once. */
static struct cpuset
has(const struct cores *c, const struct own *o)
{
	struct cpuset cpus = o->cpus;

	for (unsigned int v = 0; !o->floats && v < o->g->n_vcpus; v++) {
		if (o->g->pins[v] >= 0)
			cpuset_add(&cpus, c->in->topo->pus[o->g->pins[v]].cpu);
	}
	return cpus;
}

static void
take_floating(struct cores *c, struct own *o, const struct pick *picks, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct cpuset part = held_part(c, o, picks[i].core);

		cores_take(c, picks[i].core, o->number);
		o->cpus = cpuset_or(&o->cpus, &part);
	}
}

/* It may have been given more, as a VM without own cores or with more vCPUs: the best
 * of what it has is kept. */
static bool
adopt_floating(struct cores *c, struct own *o)
{
	struct world_group *g = o->g;
	const struct cpuset *mask = &g->in->current[g->vcpus[0]];
	auto_free struct pick *picks = xcalloc(c->in->topo->n_cores, sizeof(*picks));
	auto_free unsigned int *units = xcalloc(g->n_vcpus, sizeof(*units));
	struct cpuset lost;
	unsigned int n;

	for (unsigned int v = 1; v < g->n_current; v++) {
		if (!cpuset_equal(&g->in->current[g->vcpus[v]], mask))
			return false;
	}
	n = cores_in(c, o, mask, picks);
	if (is_too_many(o, picks, n)) {
		struct cpuset pool = CPUSET_NONE;
		struct pick_want want;

		for (unsigned int i = 0; i < n; i++) {
			struct cpuset part = held_part(c, o, picks[i].core);

			pool = cpuset_or(&pool, &part);
		}
		want = want_of(o, &pool, units);
		n = pick_cores(c, &want, picks);
	}
	/* no more of a node than may be taken */
	for (unsigned int i = 0; i < n; i++) {
		if (cores_may_take(c, picks[i].core))
			take_floating(c, o, &picks[i], 1);
	}
	/* where it was with others: what it may have of that is not enough */
	lost = cpuset_and(mask, &g->allowed);
	lost = cpuset_minus(&lost, &o->cpus);
	if (!cpuset_empty(&lost) && cpuset_count(&o->cpus) < g->n_current) {
		own_drop(c, o);
		return false;
	}
	if (!cpuset_within(mask, &o->cpus))
		g->cause = WORLD_CUT;
	else
		g->cause = cpuset_equal(mask, &o->cpus) ? WORLD_KEPT : WORLD_GROWN;
	return !cpuset_empty(&o->cpus);
}

bool
own_adopt(struct cores *c, struct own *o)
{
	struct world_group *g = o->g;
	bool adopted = false;

	if (g->in->placed && g->n_current > 0 && (g->in->own || !o->alone))
		adopted = o->floats ? adopt_floating(c, o) : adopt_pins(c, o);
	if (!adopted)
		g->cause = WORLD_NEW;
	else if (g->cause == WORLD_KEPT && g->n_current < g->n_vcpus)
		g->cause = WORLD_PLUGGED;
	return adopted;
}

unsigned int
own_missing(const struct own *o)
{
	unsigned int n = 0;

	if (o->floats) {
		unsigned int cpus = cpuset_count(&o->cpus);

		return cpus < o->g->n_vcpus ? o->g->n_vcpus - cpus : 0;
	}
	for (unsigned int v = 0; v < o->g->n_vcpus; v++)
		n += o->g->pins[v] < 0;
	return n;
}

/* A place for the vCPU beside those that have one, or -1. */
static int
beside(const struct cores *c, const struct own *o, unsigned int v)
{
	int siblings = held_siblings(c, o, v);

	if (o->g->whole_cores)
		return siblings < 0 ? -1 : held_turn(c, o, v, (unsigned int)siblings);
	if (o->guest.threads)
		return siblings < 0 ? -1 : held_idle(c, o, (unsigned int)siblings);
	for (unsigned int core = 0; o->alone && core < c->in->topo->n_cores; core++) {
		int pu = -1;

		if (c->owner[core] == (int)o->number)
			pu = held_idle(c, o, core);
		if (pu >= 0)
			return pu;
	}
	return -1;
}

/* vCPUs without a place, those of a guest core together, into @out. */
static void
list_missing(const struct own *o, unsigned int *out)
{
	unsigned int n = 0;

	for (unsigned int core = 0; core < o->guest.n; core++) {
		for (unsigned int v = 0; v < o->g->n_vcpus; v++) {
			if (o->guest.of[v] == core && o->g->pins[v] < 0)
				out[n++] = v;
		}
		/* vCPUs without siblings are a core each, and in order */
	}
}

static unsigned int
lower(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* The next vCPUs of a unit onto a core: one CPU each. Returns how many. */
static unsigned int
put_some(struct cores *c, struct own *o, const struct pick_want *want,
	const struct pick *p, unsigned int rest, const unsigned int *vcpus)
{
	struct cpuset free = pick_free(c, want, p->core);
	unsigned int n = lower(lower(p->n_cpus, want->most), rest);
	unsigned int cpu = cpuset_next(&free, 0);

	if (o->alone)
		cores_take(c, p->core, o->number);
	for (unsigned int i = 0; i < n; i++) {
		held_pin(c, o, vcpus[i], c->in->topo->pu_of_cpu[cpu]);
		cpu = cpuset_next(&free, cpu + 1);
	}
	return n;
}

/* All vCPUs of a guest core onto a core of their own. Returns how many. */
static unsigned int
put_guest_core(
	struct cores *c, struct own *o, const struct pick *p, const unsigned int *vcpus)
{
	unsigned int core = o->guest.of[vcpus[0]];
	unsigned int n = 0;

	cores_take(c, p->core, o->number);
	for (unsigned int v = 0; v < o->g->n_vcpus; v++) {
		if (o->guest.of[v] != core || o->g->pins[v] >= 0)
			continue;
		held_pin(c, o, v, held_turn(c, o, v, p->core));
		n++;
	}
	return n;
}

static void
put_pins(struct cores *c, struct own *o, const struct pick_want *want,
	const struct pick *picks, unsigned int n)
{
	auto_free unsigned int *vcpus = xcalloc(o->g->n_vcpus, sizeof(*vcpus));
	unsigned int unit = 0;
	unsigned int rest = want->units[0];
	unsigned int at = 0;

	list_missing(o, vcpus);
	for (unsigned int i = 0; i < n; i++) {
		unsigned int put;

		if (o->g->whole_cores) {
			at += put_guest_core(c, o, &picks[i], vcpus + at);
			continue;
		}
		put = put_some(c, o, want, &picks[i], rest, vcpus + at);
		at += put;
		rest -= put;
		if (rest == 0 && ++unit < want->n_units)
			rest = want->units[unit];
	}
}

void
own_extend(struct cores *c, struct own *o, const struct cpuset *pool)
{
	unsigned int n_cores = c->in->topo->n_cores;
	auto_free struct pick *picks = xcalloc(n_cores, sizeof(*picks));
	auto_free unsigned int *units = xcalloc(o->g->n_vcpus, sizeof(*units));
	struct pick_want want;
	unsigned int n = 0;

	for (unsigned int v = 0; !o->floats && v < o->g->n_vcpus; v++) {
		int pu = o->g->pins[v] < 0 ? beside(c, o, v) : -1;

		if (pu >= 0)
			held_pin(c, o, v, pu);
	}
	if (own_missing(o) == 0)
		return;
	want = want_of(o, pool, units);
	want.near = has(c, o);
	/* isolated CPUs of cores that nobody else has, as far as there are enough */
	if (!o->alone && !o->guest.threads) {
		want.most = 1;
		n = pick_cores(c, &want, picks);
		want.most = n > 0 ? 1 : UINT_MAX;
	}
	if (n == 0)
		n = pick_cores(c, &want, picks);
	if (n == 0)
		return;
	if (o->floats)
		take_floating(c, o, picks, n);
	else
		put_pins(c, o, &want, picks, n);
}

/* What the vCPU shares with others of the group, or -1. */
static int
shared_place(const struct cores *c, const struct own *o, unsigned int v)
{
	int core;

	if (!o->g->whole_cores)
		return held_least_pu(c, o);
	core = held_siblings(c, o, v);
	if (core < 0)
		core = held_least_core(c, o);
	return core < 0 ? -1 : held_turn(c, o, v, (unsigned int)core);
}

bool
own_share(struct cores *c, struct own *o)
{
	if (o->floats)
		return !cpuset_empty(&o->cpus);
	for (unsigned int v = 0; v < o->g->n_vcpus; v++) {
		int pu;

		if (o->g->pins[v] >= 0)
			continue;
		pu = o->alone ? shared_place(c, o, v) : -1;
		if (pu < 0)
			return false;
		held_pin(c, o, v, pu);
	}
	return true;
}

void
own_drop(struct cores *c, struct own *o)
{
	for (unsigned int core = 0; core < c->in->topo->n_cores; core++) {
		if (c->owner[core] == (int)o->number)
			cores_give_back(c, core);
	}
	for (unsigned int v = 0; !o->floats && v < o->g->n_vcpus; v++) {
		int pu = o->g->pins[v];

		if (pu < 0)
			continue;
		o->used[pu]--;
		o->g->pins[v] = -1;
		if (!o->alone)
			cpuset_remove(&c->single, c->in->topo->pus[pu].cpu);
	}
	o->cpus = CPUSET_NONE;
}

struct cpuset
own_mask(const struct cores *c, const struct own *o, unsigned int i)
{
	if (o->floats)
		return o->cpus;
	if (o->g->whole_cores)
		return held_part(c, o, held_core(c, o->g->pins[i]));
	return cpuset_of(c->in->topo->pus[o->g->pins[i]].cpu);
}

/* Most CPUs that a core has in @pool. */
static unsigned int
widest_core(const struct cores *c, const struct cpuset *pool)
{
	unsigned int most = 1;

	for (unsigned int i = 0; i < c->in->topo->n_cores; i++) {
		struct cpuset part = cpuset_and(pool, &c->in->topo->cores[i].cpus);

		if (cpuset_count(&part) > most)
			most = cpuset_count(&part);
	}
	return most;
}

unsigned int
own_count(struct cores *c, const struct own *o, const struct cpuset *pool,
	unsigned int *by_node, unsigned int *cpus)
{
	auto_free unsigned int *units = xcalloc(o->g->n_vcpus, sizeof(*units));
	struct pick_want want = want_of(o, pool, units);
	unsigned int each = widest_core(c, pool);
	unsigned int n = 0;

	*cpus = pick_count(c, &want, by_node);
	for (unsigned int i = 0; i < want.n_units; i++)
		n += (units[i] + each - 1) / each;
	return n;
}

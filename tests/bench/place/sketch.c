// SPDX-License-Identifier: MIT
/* Domains, draws and costs; all of it is computed anew whenever it is asked for. */
#include "config.h"

#include "sketch.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "rnd.h"

/* Bounds a little inside the judge's, and what exceeding them costs. */
#define WAIT_MEAN 0.006
#define WAIT_TAIL 0.03
#define WAIT_BAD 0.05
#define PENALTY_MEAN 4
#define PENALTY_TAIL 4
#define PENALTY_OVER 40

/* A guest node's accesses to its own memory. */
#define OWN_SHARE 0.8

/* ---- domains ---- */

static void
add_domain(struct sketch *w, const struct cpuset *cpus)
{
	unsigned int at = w->n;
	unsigned int n = cpuset_count(cpus);

	for (unsigned int i = 0; i < w->n; i++) {
		const struct cpuset *other = &w->domains[i].cpus;

		if (cpuset_equal(cpus, other) ||
			(cpuset_overlap(cpus, other) && !cpuset_within(cpus, other) &&
				!cpuset_within(other, cpus)))
			return; /* known, or neither inside nor outside of it */
	}
	w->domains = xrealloc(w->domains, w->n + 1, sizeof(*w->domains));
	for (; at > 0 && w->domains[at - 1].n_cpus > n; at--)
		w->domains[at] = w->domains[at - 1];
	w->domains[at] =
		(struct sketch_domain){.cpus = *cpus, .parent = -1, .n_cpus = n};
	w->n++;
}

static void
add_domains(struct sketch *w)
{
	const struct topo *t = w->site->topo;

	add_domain(w, &t->online);
	for (unsigned int i = 0; i < t->n_packages; i++)
		add_domain(w, &t->packages[i].cpus);
	for (unsigned int i = 0; i < t->n_nodes; i++) {
		if (!cpuset_empty(&t->nodes[i].cpus))
			add_domain(w, &t->nodes[i].cpus);
	}
	for (unsigned int i = 0; i < t->n_pus; i++) {
		struct cpuset l3 = CPUSET_NONE;

		for (unsigned int k = 0; k < t->n_pus; k++) {
			if (t->pus[i].l3 != TOPO_NONE && t->pus[k].l3 == t->pus[i].l3)
				cpuset_add(&l3, t->pus[k].cpu);
		}
		if (!cpuset_empty(&l3))
			add_domain(w, &l3);
	}
}

static void
link_domain(struct sketch *w, unsigned int d)
{
	const struct topo *t = w->site->topo;
	struct sketch_domain *dom = &w->domains[d];

	for (unsigned int up = d + 1; up < w->n && dom->parent < 0; up++) {
		if (cpuset_within(&dom->cpus, &w->domains[up].cpus))
			dom->parent = (int)up;
	}
	dom->share = xcalloc(t->n_nodes, sizeof(*dom->share));
	for (unsigned int i = 0; i < t->n_pus; i++) {
		if (cpuset_has(&dom->cpus, t->pus[i].cpu) &&
			t->pus[i].node != TOPO_NONE)
			dom->share[t->pus[i].node] += 1.0 / dom->n_cpus;
	}
}

/* Mean latency between two CPUs, one of each, not twice the same. */
static double
between(const struct sketch *w, const struct cpuset *a, const struct cpuset *b)
{
	const struct site *s = w->site;
	double sum = 0;
	double n = 0;

	cpuset_foreach (x, a) {
		cpuset_foreach (y, b) {
			unsigned int i = (unsigned int)s->topo->pu_of_cpu[x];
			unsigned int k = (unsigned int)s->topo->pu_of_cpu[y];

			sum += (double)lat_ns(&s->lat, i, k);
			n += i != k;
		}
	}
	return n > 0 ? sum / n / s->worst_ns : 1;
}

struct sketch *
sketch_new(const struct site *s)
{
	struct sketch *w = xcalloc(1, sizeof(*w));

	w->site = s;
	add_domains(w);
	for (unsigned int d = 0; d < w->n; d++)
		link_domain(w, d);
	w->lat = xcalloc((size_t)w->n * w->n, sizeof(*w->lat));
	for (unsigned int i = 0; i < w->n; i++) {
		for (unsigned int k = 0; k < w->n; k++)
			w->lat[i * w->n + k] =
				between(w, &w->domains[i].cpus, &w->domains[k].cpus);
	}
	w->own = xcalloc(w->n, sizeof(*w->own));
	w->runs = xcalloc(w->n, sizeof(*w->runs));
	return w;
}

void
sketch_free(struct sketch *w)
{
	for (unsigned int d = 0; d < w->n; d++)
		free(w->domains[d].share);
	free(w->domains);
	free(w->lat);
	free(w->vms);
	free(w->own);
	free(w->runs);
	free(w);
}

/* ---- the site ---- */

static void
draw(struct sketch_vm *v)
{
	static const unsigned int chances[4] = {10, 20, 30, 50};
	uint64_t seed = 7;
	struct rnd rnd;

	for (const char *c = v->id; *c != '\0'; c++)
		seed = seed * 131 + (unsigned char)*c;
	rnd = rnd_new(seed);
	for (unsigned int k = 0; k < SKETCH_DRAWS; k++)
		v->busy[k] = rnd_below(&rnd, 100) < chances[k / (SKETCH_DRAWS / 4)];
	v->busy[SKETCH_DRAWS] = true;
}

static int
home_of(const struct sketch *w, const struct cpuset *limit)
{
	unsigned int d = 0;

	while (d + 1 < w->n && !cpuset_within(limit, &w->domains[d].cpus))
		d++;
	return (int)d;
}

/* How many vCPUs are plugged and where they may run. */
static void
read_parts(const struct sketch *w, struct sketch_vm *v)
{
	struct site_vm *vm = v->vm;

	v->n_parts = vm->n_nodes < SKETCH_PARTS ? vm->n_nodes : SKETCH_PARTS;
	for (unsigned int k = 0; k < v->n_parts; k++) {
		v->parts[k].n = 0;
		v->parts[k].home = (int)w->n - 1;
	}
	for (unsigned int i = 0; i < vm->n_vcpus; i++) {
		struct sketch_part *p = &v->parts[site_guest_node(vm, i) % v->n_parts];

		if (p->n++ > 0)
			continue;
		p->limit = site_vcpu_limit(w->site, vm, i);
		p->home = home_of(w, &p->limit);
	}
}

/* The VM with that site_vm's id among @old, or a new one. */
static struct sketch_vm
find(const struct sketch_vm *old, unsigned int n, struct site_vm *vm)
{
	struct sketch_vm v = {
		.vm = vm, .id = vm->id, .parts = {{.at = -1}, {.at = -1}}};

	for (unsigned int i = 0; i < n; i++) {
		if (strcmp(old[i].id, vm->id) != 0)
			continue;
		v = old[i];
		v.vm = vm;
		return v;
	}
	draw(&v);
	return v;
}

static void
lanes_add(struct sketch_lanes *to, const struct sketch_vm *v, int n)
{
	for (unsigned int k = 0; k < SKETCH_LANES; k++)
		to->of[k] += v->busy[k] ? n : 0;
}

/* What the tree runs: what a domain cannot run flows to its parent. */
static const struct sketch_lanes *
run_all(struct sketch *w, const struct sketch_lanes *own)
{
	memcpy(w->runs, own, w->n * sizeof(*w->runs));
	for (unsigned int d = 0; d < w->n; d++) {
		int cap = (int)w->domains[d].n_cpus;
		int up = w->domains[d].parent;
		int *of = w->runs[d].of;

		for (unsigned int k = 0; k < SKETCH_LANES; k++)
			of[k] = of[k] < cap ? of[k] : cap;
		for (unsigned int k = 0; up >= 0 && k < SKETCH_LANES; k++)
			w->runs[up].of[k] += of[k];
	}
	return &w->runs[w->n - 1];
}

/* What all waits for with every VM on its whole limit. */
static void
read_forced(struct sketch *w)
{
	auto_free struct sketch_lanes *homes = xcalloc(w->n, sizeof(*homes));
	const struct sketch_lanes *all;

	w->total = (struct sketch_lanes){{0}};
	for (unsigned int i = 0; i < w->n_vms; i++) {
		const struct sketch_vm *v = &w->vms[i];

		for (unsigned int k = 0; k < v->n_parts; k++) {
			lanes_add(&homes[v->parts[k].home], v, (int)v->parts[k].n);
			lanes_add(&w->total, v, (int)v->parts[k].n);
		}
	}
	all = run_all(w, homes);
	for (unsigned int k = 0; k < SKETCH_LANES; k++)
		w->forced.of[k] = w->total.of[k] - all->of[k];
}

void
sketch_read(struct sketch *w)
{
	const struct site *s = w->site;
	struct sketch_vm *old = w->vms;
	unsigned int n_old = w->n_vms;

	for (unsigned int d = 0; d < w->n; d++) {
		struct cpuset here = cpuset_and(&w->domains[d].cpus, &s->online);

		w->domains[d].n_cpus = cpuset_count(&here);
		w->domains[d].n_cores = topo_count_cores(s->topo, &here);
	}
	w->n_vms = s->n;
	w->vms = xcalloc(s->n, sizeof(*w->vms));
	memset(w->own, 0, w->n * sizeof(*w->own));
	for (unsigned int i = 0; i < s->n; i++) {
		struct sketch_vm *v = &w->vms[i];

		*v = find(old, n_old, &s->vms[i]);
		read_parts(w, v);
		for (unsigned int k = 0; k < v->n_parts; k++) {
			v->parts[k].first = v->parts[k].at;
			if (v->parts[k].at >= 0)
				lanes_add(
					&w->own[v->parts[k].at], v, (int)v->parts[k].n);
		}
	}
	free(old);
	read_forced(w);
}

void
sketch_write(const struct sketch *w, struct site *s)
{
	for (unsigned int i = 0; i < w->n_vms; i++) {
		const struct sketch_vm *v = &w->vms[i];
		struct site_vm *vm = &s->vms[i];

		vm->pinned = true;
		vm->emulator = CPUSET_NONE;
		for (unsigned int k = 0; k < vm->n_vcpus; k++) {
			const struct sketch_part *p =
				&v->parts[site_guest_node(vm, k) % v->n_parts];
			struct cpuset mask =
				cpuset_and(&w->domains[p->at].cpus, &p->limit);

			vm->masks[k] = cpuset_and(&mask, &s->online);
			vm->emulator = cpuset_or(&vm->emulator, &vm->masks[k]);
		}
	}
}

/* ---- waiting ---- */

bool
sketch_may(const struct sketch *w, const struct sketch_part *p, int domain)
{
	const struct sketch_domain *d = &w->domains[domain];
	struct cpuset here;

	if (domain != p->home && !cpuset_within(&d->cpus, &w->domains[p->home].cpus))
		return false;
	here = cpuset_and(&d->cpus, &p->limit);
	return cpuset_count(&here) >= p->n || domain == p->home;
}

void
sketch_put(struct sketch *w, const struct sketch_vm *vm, struct sketch_part *p, int to)
{
	if (p->at >= 0)
		lanes_add(&w->own[p->at], vm, -(int)p->n);
	if (to >= 0)
		lanes_add(&w->own[to], vm, (int)p->n);
	p->at = to;
}

double
sketch_penalty(struct sketch *w)
{
	const struct sketch_lanes *all = run_all(w, w->own);
	double mean = 0;
	double tail = 0;
	double over = 0;

	for (unsigned int k = 0; k < SKETCH_DRAWS; k++) {
		int total = w->total.of[k];
		double lost = total - all->of[k] - w->forced.of[k];
		double share = total > 0 && lost > 0 ? lost / total : 0;

		mean += share / SKETCH_DRAWS;
		tail += share > WAIT_BAD ? 1.0 / SKETCH_DRAWS : 0;
		over += share > WAIT_BAD ? (share - WAIT_BAD) / SKETCH_DRAWS : 0;
	}
	if (mean <= WAIT_MEAN && tail <= WAIT_TAIL)
		return 0;
	mean = mean > WAIT_MEAN ? mean / WAIT_MEAN - 1 : 0;
	tail = tail > WAIT_TAIL ? tail / WAIT_TAIL - 1 : 0;
	return PENALTY_MEAN * mean + PENALTY_TAIL * tail + PENALTY_OVER * over;
}

double
sketch_penalty_at(
	struct sketch *w, const struct sketch_vm *vm, struct sketch_part *p, int domain)
{
	int at = p->at;
	double penalty;

	sketch_put(w, vm, p, domain);
	penalty = sketch_penalty(w);
	sketch_put(w, vm, p, at);
	return penalty;
}

/* ---- cost ---- */

static double
latency(const struct sketch *w, const struct sketch_vm *v)
{
	double sum = 0;
	double pairs = 0;

	for (unsigned int i = 0; i < v->n_parts; i++) {
		const struct sketch_part *a = &v->parts[i];

		for (unsigned int k = 0; k <= i; k++) {
			const struct sketch_part *b = &v->parts[k];
			double n =
				i == k ? a->n * (a->n - 1.0) / 2 : (double)a->n * b->n;

			if (!(n > 0) || a->at < 0 || b->at < 0)
				continue;
			sum += n *
			       w->lat[(unsigned int)a->at * w->n + (unsigned int)b->at];
			pairs += n;
		}
	}
	return pairs > 0 ? sum / pairs : 0;
}

/* Share of the accesses of part @k that go to another node. */
static double
remote(const struct sketch *w, const struct sketch_vm *v, unsigned int k)
{
	const struct site_vm *vm = v->vm;
	unsigned int n = w->site->topo->n_nodes;
	const double *here = w->domains[v->parts[k].at].share;
	double local = 0;

	for (unsigned int j = 0; j < v->n_parts; j++) {
		const struct sketch_part *other =
			v->parts[j].n > 0 ? &v->parts[j] : &v->parts[k];
		const double *memory =
			other->at >= 0 ? w->domains[other->at].share : here;
		double uses = j == k ? OWN_SHARE : 1 - OWN_SHARE;

		if (v->n_parts == 1)
			uses = 1;
		if (vm->touched)
			memory = &vm->memory[j * n];
		for (unsigned int i = 0; i < n; i++)
			local += uses * here[i] * memory[i];
	}
	return n > 0 ? 1 - local : 0;
}

double
sketch_cost(const struct sketch *w, const struct sketch_vm *v)
{
	double sum = v->vm->n_vcpus * latency(w, v);

	for (unsigned int k = 0; k < v->n_parts; k++) {
		if (v->parts[k].n > 0 && v->parts[k].at >= 0)
			sum += v->parts[k].n * remote(w, v, k);
	}
	return sum;
}

double
sketch_cost_at(const struct sketch *w, const struct sketch_vm *vm,
	struct sketch_part *p, int domain)
{
	int at = p->at;
	double cost;

	p->at = domain;
	cost = sketch_cost(w, vm);
	p->at = at;
	return cost;
}

/* vCPUs that share a core when all are busy: a domain's load is its own, its parts' and
 * its share of what is around it. */
static double
sharing(const struct sketch *w)
{
	auto_free double *below = xcalloc(w->n, sizeof(*below));
	auto_free double *load = xcalloc(w->n, sizeof(*load));
	double sum = 0;

	for (unsigned int d = 0; d < w->n; d++) {
		below[d] += w->own[d].of[SKETCH_DRAWS];
		if (w->domains[d].parent >= 0)
			below[w->domains[d].parent] += below[d];
	}
	for (unsigned int d = w->n; d-- > 0;) {
		const struct sketch_domain *dom = &w->domains[d];
		double cores = dom->n_cores;
		int up = dom->parent;
		double both;

		/* what is above it spreads over all */
		load[d] = up < 0 ? 0
				 : (load[up] + w->own[up].of[SKETCH_DRAWS]) *
					   dom->n_cpus / (w->domains[up].n_cpus + 1e-9);
		if (w->own[d].of[SKETCH_DRAWS] == 0)
			continue;
		both = below[d] + load[d];
		if (both > cores && dom->n_cpus > dom->n_cores)
			sum += w->own[d].of[SKETCH_DRAWS] *
			       (both < 2 * cores ? 2 * (both - cores) / both : 1);
	}
	return sum;
}

double
sketch_sum(struct sketch *w)
{
	const struct sketch_lanes *all = run_all(w, w->own);
	int lost = w->total.of[SKETCH_DRAWS] - all->of[SKETCH_DRAWS] -
		   w->forced.of[SKETCH_DRAWS];
	double sum = 2.0 * lost + 0.5 * sharing(w);

	for (unsigned int i = 0; i < w->n_vms; i++)
		sum += sketch_cost(w, &w->vms[i]);
	return sum;
}

// SPDX-License-Identifier: MIT
/*
 * The fleet and its judge. The judge knows CPUs and masks only: narrow masks first,
 * each VM fills the least loaded of its CPUs, as a kernel would balance.
 */
#include "config.h"

#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "pour.h"
#include "surely.h"

uint64_t
fleet_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x * UINT64_C(2685821657736338717);
}

unsigned int
fleet_below(uint64_t *state, unsigned int n)
{
	return (unsigned int)((fleet_random(state) >> 33) % n);
}

unsigned int
fleet_random_size(uint64_t *state)
{
	static const unsigned int sizes[20] = {
		1, 1, 1, 2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 8, 8, 8, 16, 32};

	return sizes[fleet_below(state, 20)];
}

struct fleet *
fleet_new(const struct host *host)
{
	struct fleet *f = xcalloc(1, sizeof(*f));

	f->host = host;
	f->policy = plan_policy_default();
	return f;
}

void
fleet_free(struct fleet *f)
{
	for (unsigned int i = 0; i < f->n; i++)
		free(f->vms[i].masks);
	free(f);
}

struct fleet_vm *
fleet_add(struct fleet *f, const char *id, enum place_mode mode, unsigned int n_vcpus)
{
	struct fleet_vm *vm = &f->vms[f->n];

	if (f->n == FLEET_MAX)
		abort();
	f->n++;
	memset(vm, 0, sizeof(*vm));
	str_copy(vm->id, sizeof(vm->id), id);
	vm->in.mode = mode;
	vm->in.n_vcpus = n_vcpus;
	vm->in.limit = f->host->topo->online;
	return vm;
}

struct fleet_vm *
fleet_add_id(
	struct fleet *f, unsigned int id, enum place_mode mode, unsigned int n_vcpus)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", id);
	return fleet_add(f, text, mode, n_vcpus);
}

void
fleet_remove(struct fleet *f, unsigned int index)
{
	free(f->vms[index].masks);
	f->n--;
	memmove(&f->vms[index], &f->vms[index + 1], (f->n - index) * sizeof(*f->vms));
}

struct plan_input
fleet_input(const struct fleet *f, struct plan_vm *vms)
{
	for (unsigned int i = 0; i < f->n; i++) {
		vms[i] = f->vms[i].in;
		vms[i].id = f->vms[i].id;
		vms[i].current = f->vms[i].masks;
		if (f->vms[i].started && f->host->topo->n_nodes > 0)
			vms[i].memory_share = f->vms[i].memory;
	}
	return (struct plan_input){.topo = f->host->topo,
		.ranking = f->host->ranking,
		.latency = f->host->lat,
		.policy = &f->policy,
		.node_free_gib = f->node_free_gib,
		.background = f->background,
		.n_vms = f->n,
		.vms = vms};
}

struct plan *
fleet_plan(const struct fleet *f)
{
	struct plan_vm *vms = xcalloc(f->n, sizeof(*vms));
	struct plan_input in = fleet_input(f, vms);
	struct plan *p = surely_plan(&in);

	free(vms);
	return p;
}

struct score
fleet_score(const struct fleet *f)
{
	struct plan_vm *vms = xcalloc(f->n, sizeof(*vms));
	struct plan_input in = fleet_input(f, vms);
	struct score s = surely_score(&in);

	free(vms);
	return s;
}

/* Memory is where the vCPUs were at the start. */
static void
touch_memory(const struct fleet *f, struct fleet_vm *vm)
{
	const struct topo *t = f->host->topo;

	for (unsigned int i = 0; i < t->n_nodes; i++) {
		struct cpuset here = cpuset_and(&t->nodes[i].cpus, &vm->masks[0]);

		vm->memory[i] = cpuset_count(&here);
		vm->memory[i] /= cpuset_count(&vm->masks[0]);
	}
	vm->started = true;
}

void
fleet_apply(struct fleet *f, const struct plan *p)
{
	for (unsigned int i = 0; i < f->n; i++) {
		struct fleet_vm *vm = &f->vms[i];
		const struct plan_result *r = &p->results[i];

		vm->in.own = r->own;
		if (!r->apply)
			continue;
		if (r->verdict == PLAN_PLACE)
			vm->in.changed_s = f->policy.now_s;
		vm->masks = xrealloc(vm->masks, r->n_vcpus, sizeof(*vm->masks));
		memcpy(vm->masks, r->vcpus, r->n_vcpus * sizeof(*vm->masks));
		vm->in.n_current = r->n_vcpus;
		vm->in.placed = true;
		if (!vm->started)
			touch_memory(f, vm);
	}
}

void
fleet_step(struct fleet *f)
{
	struct plan *p = fleet_plan(f);

	fleet_apply(f, p);
	plan_free(p);
}

struct cpuset
fleet_cores_of(const struct host *h, const struct plan_result *r)
{
	const struct topo *t = h->topo;
	struct cpuset all = CPUSET_NONE;

	cpuset_foreach (cpu, &r->domain) {
		int core = t->pus[t->pu_of_cpu[cpu]].core;

		all = cpuset_or(&all, &t->cores[core].cpus);
	}
	return all;
}

unsigned int
fleet_vcpus(const struct fleet *f)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < f->n; i++)
		n += f->vms[i].in.n_vcpus;
	return n;
}

/* CPUs and demand of one or more vCPUs with the same mask. */
struct share {
	unsigned int vm;
	unsigned int n_cpus;
	unsigned short *cpus; /* ascending */
	double demand;
};

static int
by_width(const void *a, const void *b)
{
	const struct share *x = a;
	const struct share *y = b;

	if (x->n_cpus != y->n_cpus)
		return x->n_cpus < y->n_cpus ? -1 : 1;
	return x->vm < y->vm ? -1 : x->vm > y->vm;
}

static void
set_share(struct share *s, unsigned int vm, const struct cpuset *mask, double demand)
{
	s->vm = vm;
	s->demand = demand;
	s->n_cpus = 0;
	s->cpus = xcalloc(cpuset_count(mask), sizeof(*s->cpus));
	cpuset_foreach (cpu, mask)
		s->cpus[s->n_cpus++] = (unsigned short)cpu;
}

/* @whole: over the limits instead of the masks. Returns how many. */
static unsigned int
list_shares(const struct fleet *f, bool whole, struct share *out)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < f->n; i++) {
		const struct fleet_vm *vm = &f->vms[i];
		struct cpuset all = cpuset_and(&vm->in.limit, &f->host->topo->online);
		bool pinned = vm->in.mode == PLACE_PIN && vm->masks != NULL;

		all = cpuset_minus(&all, &f->policy.reserved);
		if (pinned) {
			for (unsigned int v = 0; v < vm->in.n_vcpus; v++)
				set_share(&out[n++], i, &vm->masks[v], 1);
			continue;
		}
		set_share(&out[n++], i,
			whole || vm->masks == NULL ? &all : &vm->masks[0],
			vm->in.n_vcpus);
	}
	qsort(out, n, sizeof(*out), by_width);
	return n;
}

static double
lost_of(const struct share *shares, unsigned int n, const bool *busy, double *load)
{
	double lost = 0;

	memset(load, 0, CPUSET_CAP * sizeof(*load));
	for (unsigned int i = 0; i < n; i++) {
		if (busy == NULL || busy[shares[i].vm])
			pour(shares[i].cpus, shares[i].n_cpus, shares[i].demand, load,
				NULL);
	}
	for (unsigned int cpu = 0; cpu < CPUSET_CAP; cpu++)
		lost += load[cpu] > 1 ? load[cpu] - 1 : 0;
	return lost;
}

struct drawing {
	unsigned int n_have;
	unsigned int n_limits;
	struct share *have;
	struct share *limits;
};

static void
judge_wait(const struct fleet *f, const struct drawing *d, uint64_t seed,
	unsigned int draws, struct judge *out)
{
	static const unsigned int percent[4] = {10, 20, 30, 50};
	static double load[CPUSET_CAP];
	bool busy[FLEET_MAX];

	for (unsigned int k = 0; k < 4 * draws; k++) {
		double demand = 0;
		double share = 0;

		for (unsigned int i = 0; i < f->n; i++) {
			busy[i] = fleet_below(&seed, 100) < percent[k / draws];
			demand += busy[i] ? f->vms[i].in.n_vcpus : 0;
		}
		if (demand > 0)
			share = (lost_of(d->have, d->n_have, busy, load) -
					lost_of(d->limits, d->n_limits, busy, load)) /
				demand;
		share = share > 0 ? share : 0;
		out->wait += share / (4 * draws);
		out->bad += (share > 0.05 ? 1.0 : 0.0) / (4 * draws);
	}
}

static void
judge_distance(const struct fleet *f, struct judge *out)
{
	const struct topo *t = f->host->topo;
	const struct lat_view *lat = &f->host->lat;
	double all = fleet_vcpus(f);
	double worst = 1;

	for (unsigned int a = 0; a < t->n_pus; a++) {
		for (unsigned int b = 0; b < t->n_pus; b++) {
			if ((double)lat_ns(lat, a, b) > worst)
				worst = (double)lat_ns(lat, a, b);
		}
	}
	for (unsigned int i = 0; i < f->n; i++) {
		const struct fleet_vm *vm = &f->vms[i];
		double sum = 0;
		double pairs = 0;

		cpuset_foreach (a, &vm->masks[0]) {
			cpuset_foreach (b, &vm->masks[0]) {
				sum += (double)lat_ns(lat,
					(unsigned int)t->pu_of_cpu[a],
					(unsigned int)t->pu_of_cpu[b]);
				pairs += a != b;
			}
		}
		if (vm->in.n_vcpus > 1 && pairs > 0)
			out->latency += vm->in.n_vcpus / all * sum / pairs / worst;
		for (unsigned int k = 0; k < t->n_nodes; k++) {
			struct cpuset here =
				cpuset_and(&t->nodes[k].cpus, &vm->masks[0]);

			out->remote += vm->in.n_vcpus / all * vm->memory[k] *
				       (1 - (double)cpuset_count(&here) /
						       cpuset_count(&vm->masks[0]));
		}
	}
}

static void
judge_load(const struct fleet *f, const struct drawing *d, struct judge *out)
{
	static double load[CPUSET_CAP];
	const struct topo *t = f->host->topo;
	double all = fleet_vcpus(f);

	out->lost = (lost_of(d->have, d->n_have, NULL, load) -
			    (all > t->n_pus ? all - t->n_pus : 0)) /
		    all;
	for (unsigned int c = 0; c < t->n_cores; c++) {
		double here = 0;
		double shared;

		cpuset_foreach (cpu, &t->cores[c].cpus)
			here += load[cpu];
		shared = here <= 1 || cpuset_count(&t->cores[c].cpus) < 2
				 ? 0
				 : 2 * (here - 1);
		out->smt += (shared < here ? shared : here) / all;
	}
}

struct judge
fleet_judge(const struct fleet *f, uint64_t seed, unsigned int draws)
{
	struct drawing d = {0};
	struct judge out = {0};
	size_t room = fleet_vcpus(f) + 1;

	d.have = xcalloc(room, sizeof(*d.have));
	d.limits = xcalloc(room, sizeof(*d.limits));
	d.n_have = list_shares(f, false, d.have);
	d.n_limits = list_shares(f, true, d.limits);
	judge_wait(f, &d, seed * 2 + 1, draws, &out);
	judge_distance(f, &out);
	judge_load(f, &d, &out);
	out.j = out.latency + out.remote + 2 * out.lost + 0.4 * out.smt;
	for (unsigned int i = 0; i < d.n_have; i++)
		free(d.have[i].cpus);
	for (unsigned int i = 0; i < d.n_limits; i++)
		free(d.limits[i].cpus);
	free(d.have);
	free(d.limits);
	return out;
}

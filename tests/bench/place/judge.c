// SPDX-License-Identifier: MIT
/* Distances, sharing and load from where each group's vCPUs are; waiting from draws. */
#include "config.h"

#include "judge.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "parts.h"
#include "rnd.h"

/* A guest with NUMA nodes uses its own for so much of its accesses. */
#define OWN_NODE_SHARE 0.8

/* Work of one judgement. */
struct work {
	struct site *s;
	struct parts parts;
	double vcpus;
	double *load;	 /* of each PU */
	double *core;	 /* of each core */
	double *own;	 /* of each core by one VM; 0 outside of use */
	double *one;	 /* of each core by one vCPU; 0 outside of use */
	double *nodes;	 /* of each group: share on each node */
	double *nearness; /* of each group: latency within it; negative: not known yet */
};

const char *
judge_measure_name(enum measure m)
{
	static const char *const names[N_MEASURES] = {"J", "wait", "wait95", "lat",
		"remote", "lost", "smt", "smt_x", "split", "imb", "emu"};

	return names[m];
}

/* ---- distances ---- */

/* Expected latency between a vCPU of each group; both on one CPU only where there is no
 * other way. */
static double
latency_between(const struct site *s, const struct group *a, const struct group *b)
{
	double sum = 0;
	double pairs = 0;

	for (unsigned int i = 0; i < a->n; i++) {
		double here = 0;
		double weight = 0;

		if (a->got[i] <= 0)
			continue;
		for (unsigned int j = 0; j < b->n; j++) {
			double w = a->pus[i] == b->pus[j] ? 0 : b->got[j];

			here += w * (double)lat_ns(&s->lat, a->pus[i], b->pus[j]);
			weight += w;
		}
		sum += a->got[i] * here;
		pairs += a->got[i] * weight;
	}
	return pairs > 0 ? sum / pairs : s->worst_ns;
}

/* Latency between the vCPUs of one part. Where it has fewer CPUs than vCPUs, some pairs
 * are on one CPU. */
static double
latency_within(struct work *w, const struct part *p)
{
	double *ns = &w->nearness[p->group];
	double doubled = (double)p->n / p->width - 1;

	if (*ns < 0)
		*ns = latency_between(w->s, &w->parts.groups[p->group],
			&w->parts.groups[p->group]);
	doubled = doubled > 0 ? doubled / (p->n - 1) : 0;
	return doubled * w->s->worst_ns + (1 - doubled) * *ns;
}

/* Mean over the pairs of vCPUs of the VM whose parts are @first to @last - 1. */
static double
latency_of(struct work *w, unsigned int first, unsigned int last)
{
	const struct parts *all = &w->parts;
	double sum = 0;
	double pairs = 0;

	for (unsigned int i = first; i < last; i++) {
		const struct part *a = &all->parts[i];
		double n = a->n * (a->n - 1.0) / 2;

		if (a->n > 1)
			sum += n * latency_within(w, a);
		pairs += n;
		for (unsigned int j = first; j < i; j++) {
			const struct part *b = &all->parts[j];

			n = (double)a->n * b->n;
			sum += n * latency_between(w->s, &all->groups[a->group],
					   &all->groups[b->group]);
			pairs += n;
		}
	}
	return pairs > 0 ? sum / pairs : 0;
}

/* Share of the accesses of a part that go to another node. */
static double
remote_of(const struct work *w, const struct part *p)
{
	const struct site_vm *vm = &w->s->vms[p->vm];
	unsigned int n = w->s->topo->n_nodes;
	const double *here = &w->nodes[(size_t)p->group * n];
	double local = 0;

	if (n == 0)
		return 0;
	for (unsigned int k = 0; k < vm->n_nodes; k++) {
		double uses = k == p->guest_node
				      ? OWN_NODE_SHARE
				      : (1 - OWN_NODE_SHARE) / (vm->n_nodes - 1);

		if (vm->n_nodes == 1)
			uses = 1;
		for (unsigned int i = 0; i < n; i++)
			local += uses * here[i] * vm->memory[k * n + i];
	}
	return 1 - local;
}

/* ---- where memory is ---- */

static void
spread_over_nodes(struct work *w)
{
	const struct topo *t = w->s->topo;

	for (unsigned int k = 0; k < w->parts.n_groups; k++) {
		const struct group *g = &w->parts.groups[k];

		for (unsigned int i = 0; i < g->n; i++) {
			int node = t->pus[g->pus[i]].node;

			if (node != TOPO_NONE)
				w->nodes[(size_t)k * t->n_nodes + (size_t)node] +=
					g->got[i] / g->demand;
		}
	}
}

/* A guest node whose vCPUs are all elsewhere or unplugged has its memory where the VM
 * is: on part @first's nodes. */
static void
touch_vm(struct work *w, unsigned int first, unsigned int last)
{
	struct site_vm *vm = &w->s->vms[w->parts.parts[first].vm];
	unsigned int n = w->s->topo->n_nodes;

	vm->touched = true;
	free(vm->memory);
	vm->memory = xcalloc((size_t)vm->n_nodes * n, sizeof(*vm->memory));
	for (unsigned int k = 0; k < vm->n_nodes; k++) {
		double vcpus = 0;

		for (unsigned int i = first; i < last; i++)
			vcpus += w->parts.parts[i].guest_node == k
					 ? w->parts.parts[i].n
					 : 0;
		for (unsigned int i = first; i < last; i++) {
			const struct part *p = &w->parts.parts[i];
			double share = p->guest_node == k ? p->n / vcpus : 0;

			if (vcpus <= 0)
				share = i == first ? 1 : 0;
			for (unsigned int m = 0; m < n; m++)
				vm->memory[k * n + m] +=
					share * w->nodes[(size_t)p->group * n + m];
		}
	}
}

/* End of the parts of the VM whose parts begin at @first. */
static unsigned int
end_of_vm(const struct parts *p, unsigned int first)
{
	unsigned int last = first;

	while (last < p->n && p->parts[last].vm == p->parts[first].vm)
		last++;
	return last;
}

static void
judge_distances(struct work *w, struct verdict *v)
{
	unsigned int last;

	for (unsigned int first = 0; first < w->parts.n; first = last) {
		struct site_vm *vm = &w->s->vms[w->parts.parts[first].vm];

		last = end_of_vm(&w->parts, first);
		v->of[MEASURE_LAT] +=
			vm->n_vcpus / w->vcpus * latency_of(w, first, last);
		for (unsigned int i = first; i < last; i++)
			v->of[MEASURE_REMOTE] += w->parts.parts[i].n / w->vcpus *
						 remote_of(w, &w->parts.parts[i]);
	}
}

static void
touch_all(struct work *w)
{
	unsigned int last;

	for (unsigned int first = 0; first < w->parts.n; first = last) {
		last = end_of_vm(&w->parts, first);
		if (!w->s->vms[w->parts.parts[first].vm].touched)
			touch_vm(w, first, last);
	}
}

/* ---- load and sharing ---- */

/* vCPUs of @load on a core of two or more threads that have company: the kernel uses
 * second threads when no core is idle. */
static double
in_company(double load)
{
	if (load <= 1)
		return 0;
	return load < 2 ? 2 * (load - 1) : load;
}

/* Add what the parts of one VM have on each core to own, times @sign. */
static void
count_own(struct work *w, unsigned int first, unsigned int last, double sign)
{
	for (unsigned int i = first; i < last; i++) {
		const struct part *p = &w->parts.parts[i];
		const struct group *g = &w->parts.groups[p->group];

		for (unsigned int k = 0; k < g->n; k++)
			w->own[w->s->topo->pus[g->pus[k]].core] +=
				sign * g->got[k] * p->n / g->demand;
	}
}

/* Sharing by one part. got is by PU: a core's PUs are added up first. */
static void
share_part(struct work *w, const struct part *p, struct verdict *v)
{
	const struct topo_pu *pus = w->s->topo->pus;
	const struct group *g = &w->parts.groups[p->group];

	for (unsigned int k = 0; k < g->n; k++)
		w->one[pus[g->pus[k]].core] += g->got[k] / g->demand;
	for (unsigned int k = 0; k < g->n; k++) {
		int core = pus[g->pus[k]].core;
		double load = w->core[core];
		double others = load - w->own[core];
		double siblings = w->own[core] - w->one[core];
		double shared = w->one[core] * p->n / w->vcpus;

		w->one[core] = 0;
		if (load <= 1 || shared <= 0)
			continue;
		shared *= in_company(load) / load;
		v->of[MEASURE_SMT] += shared;
		siblings = siblings > 0 ? siblings : 0;
		if (others > 1e-9)
			v->of[MEASURE_SMT_X] += shared * others / (others + siblings);
	}
}

static void
judge_sharing(struct work *w, struct verdict *v)
{
	unsigned int last;

	for (unsigned int first = 0; first < w->parts.n; first = last) {
		last = end_of_vm(&w->parts, first);
		count_own(w, first, last, 1);
		for (unsigned int i = first; i < last; i++)
			share_part(w, &w->parts.parts[i], v);
		count_own(w, first, last, -1);
	}
}

static void
judge_load(struct work *w, double lost, struct verdict *v)
{
	const struct site *s = w->s;
	double cpus = cpuset_count(&s->online);
	double cores = topo_count_cores(s->topo, &s->online);
	double most = 0;

	if (w->vcpus > cpus)
		lost -= w->vcpus - cpus;
	v->of[MEASURE_LOST] = lost > 0 ? lost / w->vcpus : 0;
	for (unsigned int i = 0; i < s->topo->n_pus; i++)
		w->core[s->topo->pus[i].core] += w->load[i];
	for (unsigned int c = 0; c < s->topo->n_cores; c++) {
		struct cpuset threads =
			cpuset_and(&s->topo->cores[c].cpus, &s->online);

		most = w->core[c] > most ? w->core[c] : most;
		if (cpuset_count(&threads) < 2)
			w->core[c] = 0; /* none to share it with */
	}
	v->of[MEASURE_IMB] = most / (w->vcpus > cores ? w->vcpus / cores : 1);
}

/* ---- nodes and emulators ---- */

static int
descending(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a;
	unsigned int y = *(const unsigned int *)b;

	return x > y ? -1 : x < y;
}

/* Nodes that @n_vcpus need, the largest first. */
static unsigned int
nodes_needed(const struct site *s, unsigned int n_vcpus)
{
	auto_free unsigned int *sizes = xcalloc(s->topo->n_nodes, sizeof(*sizes));
	unsigned int n = 0;
	unsigned int found = 0;

	for (unsigned int k = 0; k < s->topo->n_nodes; k++) {
		struct cpuset here = cpuset_and(&s->topo->nodes[k].cpus, &s->online);

		sizes[k] = cpuset_count(&here);
	}
	qsort(sizes, s->topo->n_nodes, sizeof(*sizes), descending);
	while (n < s->topo->n_nodes && (n == 0 || found < n_vcpus))
		found += sizes[n++];
	return n;
}

static void
judge_vms(const struct work *w, struct verdict *v)
{
	const struct site *s = w->s;

	for (unsigned int i = 0; i < s->n; i++) {
		const struct site_vm *vm = &s->vms[i];
		struct cpuset all = CPUSET_NONE;
		double carry = 0;

		for (unsigned int k = 0; k < vm->n_vcpus; k++) {
			if (k == 0 || !cpuset_equal(&vm->masks[k], &vm->masks[k - 1]))
				all = cpuset_or(&all, &vm->masks[k]);
		}
		all = topo_nodes_of(s->topo, &all);
		if (cpuset_count(&all) > nodes_needed(s, vm->n_vcpus))
			v->of[MEASURE_SPLIT] += 1.0 / s->n;
		cpuset_foreach (cpu, &vm->emulator)
			carry += w->load[s->topo->pu_of_cpu[cpu]] > 1e-9;
		v->of[MEASURE_EMU] += carry / cpuset_count(&vm->emulator) / s->n;
	}
}

/* ---- waiting ---- */

static int
ascending(const void *a, const void *b)
{
	float x = *(const float *)a;
	float y = *(const float *)b;

	return x < y ? -1 : x > y;
}

double
judge_p95(const float *sorted, size_t n)
{
	double at = 0.95 * (double)(n - 1);
	size_t low = (size_t)at;
	double part = at - (double)low;

	if (low + 1 >= n)
		return (double)sorted[n - 1];
	return (double)sorted[low] * (1 - part) + (double)sorted[low + 1] * part;
}

static void
judge_waiting(struct work *w, uint64_t seed, struct verdict *v)
{
	static const unsigned int percent[4] = {10, 20, 30, 50};
	const struct site *s = w->s;
	struct parts limits = parts_of_limits(s);
	auto_free bool *busy = xcalloc(s->n, sizeof(*busy));
	struct rnd rnd = rnd_new(seed);

	for (unsigned int k = 0; k < JUDGE_DRAWS; k++) {
		unsigned int p = percent[k / JUDGE_DRAWS_EACH];
		double demand = 0;
		double lost;

		for (unsigned int i = 0; i < s->n; i++) {
			busy[i] = rnd_below(&rnd, 100) < p;
			demand += busy[i] ? s->vms[i].n_vcpus : 0;
		}
		lost = parts_fill(&w->parts, s->topo->n_pus, busy, false, w->load);
		lost -= parts_fill(&limits, s->topo->n_pus, busy, false, w->load);
		v->wait[k] = lost > 1e-9 ? (float)(lost / demand) : 0;
		v->of[MEASURE_WAIT] += (double)v->wait[k] / JUDGE_DRAWS;
	}
	qsort(v->wait, JUDGE_DRAWS, sizeof(*v->wait), ascending);
	v->of[MEASURE_WAIT95] = judge_p95(v->wait, JUDGE_DRAWS);
	parts_fini(&limits);
}

/* Fills the host with all VMs busy. Returns what cannot run. */
static double
work_init(struct work *w, struct site *s)
{
	double lost;

	*w = (struct work){.s = s, .parts = parts_of_masks(s)};
	w->vcpus = site_vcpus(s);
	w->load = xcalloc(s->topo->n_pus, sizeof(*w->load));
	w->core = xcalloc(s->topo->n_cores, sizeof(*w->core));
	w->own = xcalloc(s->topo->n_cores, sizeof(*w->own));
	w->one = xcalloc(s->topo->n_cores, sizeof(*w->one));
	w->nodes = xcalloc((size_t)w->parts.n_groups * s->topo->n_nodes + 1,
		sizeof(*w->nodes));
	w->nearness = xcalloc(w->parts.n_groups, sizeof(*w->nearness));
	for (unsigned int k = 0; k < w->parts.n_groups; k++)
		w->nearness[k] = -1;
	lost = parts_fill(&w->parts, s->topo->n_pus, NULL, true, w->load);
	spread_over_nodes(w);
	touch_all(w);
	return lost;
}

static void
work_fini(struct work *w)
{
	parts_fini(&w->parts);
	free(w->load);
	free(w->core);
	free(w->own);
	free(w->one);
	free(w->nodes);
	free(w->nearness);
}

void
judge_touch(struct site *s)
{
	struct work w;

	(void)work_init(&w, s);
	work_fini(&w);
}

struct verdict
judge_site(struct site *s, uint64_t seed)
{
	struct verdict v = {0};
	struct work w;
	double lost = work_init(&w, s);

	if (s->n > 0) {
		judge_distances(&w, &v);
		judge_load(&w, lost, &v);
		judge_sharing(&w, &v);
		judge_vms(&w, &v);
		judge_waiting(&w, seed, &v);
	}
	v.of[MEASURE_J] = v.of[MEASURE_LAT] / s->worst_ns + v.of[MEASURE_REMOTE] +
			  2 * v.of[MEASURE_LOST] + 0.4 * v.of[MEASURE_SMT] +
			  0.1 * v.of[MEASURE_SMT_X];
	work_fini(&w);
	return v;
}

// SPDX-License-Identifier: MIT
/* Load and sharing of cores, and the sum of all. */
#include "config.h"

#include "judge.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "distance.h"
#include "filled.h"

/* Sharing of cores: of each core what is on it. */
struct work {
	struct filled filled;
	double *core;
	double *own; /* by one VM; 0 outside of use */
	double *one; /* by one vCPU; 0 outside of use */
};

const char *
judge_measure_name(enum measure m)
{
	static const char *const names[N_MEASURES] = {"J", "wait", "wait95", "lat",
		"remote", "lost", "smt", "smt_x", "split", "imb", "emu", "width"};

	return names[m];
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
		const struct part *p = &w->filled.parts.parts[i];
		const struct group *g = &w->filled.parts.groups[p->group];

		for (unsigned int k = 0; k < g->n; k++)
			w->own[w->filled.site->topo->pus[g->pus[k]].core] +=
				sign * g->got[k] * p->n / g->demand;
	}
}

/* Sharing by one part. got is by PU: a core's PUs are added up first. */
static void
share_part(struct work *w, const struct part *p, struct verdict *v)
{
	const struct topo_pu *pus = w->filled.site->topo->pus;
	const struct group *g = &w->filled.parts.groups[p->group];

	for (unsigned int k = 0; k < g->n; k++)
		w->one[pus[g->pus[k]].core] += g->got[k] / g->demand;
	for (unsigned int k = 0; k < g->n; k++) {
		int core = pus[g->pus[k]].core;
		double load = w->core[core];
		double others = load - w->own[core];
		double siblings = w->own[core] - w->one[core];
		double shared = w->one[core] * p->n / w->filled.vcpus;

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

	for (unsigned int first = 0; first < w->filled.parts.n; first = last) {
		last = filled_end_of_vm(&w->filled, first);
		count_own(w, first, last, 1);
		for (unsigned int i = first; i < last; i++)
			share_part(w, &w->filled.parts.parts[i], v);
		count_own(w, first, last, -1);
	}
}

static void
judge_load(struct work *w, struct verdict *v)
{
	const struct site *s = w->filled.site;
	double cpus = cpuset_count(&s->online);
	double cores = topo_count_cores(s->topo, &s->online);
	double lost = w->filled.lost;
	double most = 0;

	if (w->filled.vcpus > cpus)
		lost -= w->filled.vcpus - cpus;
	v->of[MEASURE_LOST] = lost > 0 ? lost / w->filled.vcpus : 0;
	for (unsigned int i = 0; i < s->topo->n_pus; i++)
		w->core[s->topo->pus[i].core] += w->filled.load[i];
	for (unsigned int c = 0; c < s->topo->n_cores; c++) {
		struct cpuset threads = cpuset_and(&s->topo->cores[c].cpus, &s->online);

		most = w->core[c] > most ? w->core[c] : most;
		if (cpuset_count(&threads) < 2)
			w->core[c] = 0; /* none to share it with */
	}
	v->of[MEASURE_IMB] =
		most / (w->filled.vcpus > cores ? w->filled.vcpus / cores : 1);
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
	const struct site *s = w->filled.site;

	for (unsigned int i = 0; i < w->filled.parts.n; i++) {
		const struct part *p = &w->filled.parts.parts[i];

		v->of[MEASURE_WIDTH] +=
			p->n / w->filled.vcpus * p->width / cpuset_count(&s->online);
	}
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
			carry += w->filled.load[s->topo->pu_of_cpu[cpu]] > 1e-9;
		v->of[MEASURE_EMU] += carry / cpuset_count(&vm->emulator) / s->n;
	}
}

/* ---- the sum ---- */

void
judge_touch(struct site *s)
{
	struct filled f = filled_new(s);

	filled_fini(&f);
}

struct verdict
judge_busy(struct site *s)
{
	struct verdict v = {0};
	struct work w = {.filled = filled_new(s)};
	struct distance d = distance_judge(&w.filled);

	w.core = xcalloc(s->topo->n_cores, sizeof(*w.core));
	w.own = xcalloc(s->topo->n_cores, sizeof(*w.own));
	w.one = xcalloc(s->topo->n_cores, sizeof(*w.one));
	v.of[MEASURE_LAT] = d.lat_ns;
	v.of[MEASURE_REMOTE] = d.remote;
	judge_load(&w, &v);
	judge_sharing(&w, &v);
	judge_vms(&w, &v);
	v.of[MEASURE_J] = d.lat_ns / s->worst_ns + d.remote + 2 * v.of[MEASURE_LOST] +
			  0.4 * v.of[MEASURE_SMT] + 0.1 * v.of[MEASURE_SMT_X];
	free(w.core);
	free(w.own);
	free(w.one);
	filled_fini(&w.filled);
	return v;
}

struct verdict
judge_site(struct site *s, uint64_t seed)
{
	struct verdict v = judge_busy(s);

	waits_draw(s, seed, JUDGE_DRAWS_EACH, v.wait);
	v.of[MEASURE_WAIT] = waits_mean(v.wait, JUDGE_DRAWS);
	v.of[MEASURE_WAIT95] = waits_p95(v.wait, JUDGE_DRAWS);
	return v;
}

// SPDX-License-Identifier: MIT
/*
 * For each domain of the tree, the cheapest cores in it one after the other; then the
 * cheapest domain. Others lose most with the first core of theirs that is taken: then
 * all their vCPUs get other masks. So what a core costs depends on those chosen before.
 */
#include "config.h"

#include "place/pick.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "place/candidates.h"
#include "place/objective.h"

/* The state of the host in the middle of a choice. */
struct trial {
	struct cores *c;
	const struct pick_want *want;
	unsigned int n_all; /* cores that can be chosen at all */
	struct pick *all;
	unsigned int *pu_of; /* of each core: a PU that stands for it */
	/* from here on: reset for each domain; all arrays by core unless said */
	bool *chosen;
	unsigned int *left;  /* of each node, as in cores */
	unsigned int *keeps; /* of each keep: as left there */
	unsigned int *touch; /* vCPUs that get another mask with it */
	bool *touched;	     /* of each mask of harm */
	double *near;	     /* sum of latencies to what it has */
	unsigned int n_near;
	unsigned int n;
	struct pick *picks;
	double harm_ns;
};

struct cpuset
pick_free(const struct cores *c, const struct pick_want *want, unsigned int core)
{
	const struct cpuset *cpus = &c->in->topo->cores[core].cpus;
	struct cpuset free = cpuset_and(cpus, &want->pool);

	free = cpuset_minus(&free, &c->alone);
	free = cpuset_minus(&free, &c->single);
	if (want->alone && !cores_may_take(c, core))
		return CPUSET_NONE;
	return free;
}

static void
note_near(struct trial *t, unsigned int pu)
{
	const struct lat_view *lat = &t->c->in->latency;

	for (unsigned int i = 0; i < t->n_all; i++) {
		unsigned int core = t->all[i].core;

		t->near[core] += (double)lat_ns(lat, pu, t->pu_of[core]);
	}
	t->n_near++;
}

static void
reset(struct trial *t)
{
	const struct cores *c = t->c;
	unsigned int n_cores = c->in->topo->n_cores;

	memset(t->chosen, 0, n_cores * sizeof(*t->chosen));
	memset(t->near, 0, n_cores * sizeof(*t->near));
	memset(t->touched, 0, c->harm.n_masks * sizeof(*t->touched));
	memcpy(t->left, c->left, c->n_nodes * sizeof(*t->left));
	memcpy(t->touch, c->harm.has, n_cores * sizeof(*t->touch));
	for (unsigned int i = 0; i < c->n_keeps; i++)
		t->keeps[i] = c->keeps[i].left;
	t->n_near = 0;
	t->n = 0;
	t->harm_ns = 0;
	cpuset_foreach (cpu, &t->want->near)
		note_near(t, (unsigned int)c->in->topo->pu_of_cpu[cpu]);
}

static struct trial
begin(struct cores *c, const struct pick_want *want)
{
	unsigned int n = c->in->topo->n_cores;
	struct trial t = {.c = c, .want = want};

	cores_survey(c);
	t.all = xcalloc(n, sizeof(*t.all));
	t.pu_of = xcalloc(n, sizeof(*t.pu_of));
	t.chosen = xcalloc(n, sizeof(*t.chosen));
	t.left = xcalloc(c->n_nodes, sizeof(*t.left));
	t.keeps = xcalloc(c->n_keeps, sizeof(*t.keeps));
	t.touch = xcalloc(n, sizeof(*t.touch));
	t.touched = xcalloc(c->harm.n_masks, sizeof(*t.touched));
	t.near = xcalloc(n, sizeof(*t.near));
	t.picks = xcalloc(n, sizeof(*t.picks));
	for (unsigned int core = 0; core < n; core++) {
		struct cpuset free = pick_free(c, want, core);

		if (cpuset_empty(&free))
			continue;
		t.pu_of[core] =
			(unsigned int)c->in->topo->pu_of_cpu[cpuset_next(&free, 0)];
		t.all[t.n_all++] = (struct pick){core, cpuset_count(&free)};
	}
	return t;
}

static void
end(struct trial *t)
{
	free(t->all);
	free(t->pu_of);
	free(t->chosen);
	free(t->left);
	free(t->keeps);
	free(t->touch);
	free(t->touched);
	free(t->near);
	free(t->picks);
}

/* Taking it would leave another VM nothing, or the node too little. */
static bool
is_barred(const struct trial *t, unsigned int core)
{
	const struct cores *c = t->c;
	const struct cpuset *cpus = &c->in->topo->cores[core].cpus;

	if (!t->want->alone)
		return false;
	if (t->left[cores_node(c, core)] == 0)
		return true;
	for (unsigned int i = 0; i < c->n_keeps; i++) {
		if (t->keeps[i] == 1 && cpuset_overlap(&c->keeps[i].cpus, cpus))
			return true;
	}
	return false;
}

static double
harm_ns(const struct trial *t, unsigned int core)
{
	const struct harm *h = &t->c->harm;

	return t->c->tree->worst_ns *
	       (COST_TOUCHED * t->touch[core] + COST_EVICTED * h->load[core]);
}

/* Share of a node's memory accesses that a core on it makes to other nodes. */
static double
remote(const struct trial *t, unsigned int node)
{
	const struct pick_want *want = t->want;
	const struct plan_input *in = t->c->in;
	double free_gib = -1;

	if (node >= in->topo->n_nodes)
		return 0;
	if (want->share != NULL)
		return 1 - want->share[node];
	if (in->node_free_gib != NULL)
		free_gib = in->node_free_gib[node];
	/* what does not fit is put elsewhere at first touch */
	if (free_gib < 0 || want->memory_gib <= free_gib)
		return 0;
	return 1 - free_gib / want->memory_gib;
}

static double
device_far(const struct trial *t, unsigned int node)
{
	const struct topo *topo = t->c->in->topo;

	if (cpuset_empty(t->want->pci_nodes) || node >= topo->n_nodes)
		return 0;
	return cpuset_has(t->want->pci_nodes, topo->nodes[node].id) ? 0 : 1;
}

/* What a vCPU pays for where the core is. */
static double
place_ns(const struct trial *t, unsigned int core)
{
	unsigned int node = cores_node(t->c, core);

	return t->c->tree->worst_ns *
	       (COST_REMOTE * remote(t, node) + COST_PCI * device_far(t, node));
}

static unsigned int
takes(const struct pick_want *want, const struct pick *p)
{
	return p->n_cpus < want->most ? p->n_cpus : want->most;
}

/* What one core more costs for each vCPU it takes. */
static double
price(const struct trial *t, const struct pick *p)
{
	double ns = place_ns(t, p->core) + harm_ns(t, p->core) / takes(t->want, p);

	if (t->n_near > 0)
		ns += t->near[p->core] / t->n_near;
	return ns;
}

/* How many of the cores chosen are needed when they take vCPUs in their order; 0: they
 * are not enough. */
static unsigned int
needed(const struct pick_want *want, const struct pick *picks, unsigned int n)
{
	unsigned int unit = 0;
	unsigned int rest = want->units[0];

	for (unsigned int i = 0; i < n; i++) {
		unsigned int here = takes(want, &picks[i]);

		rest -= here < rest ? here : rest;
		if (rest > 0)
			continue;
		if (++unit == want->n_units)
			return i + 1;
		rest = want->units[unit];
	}
	return 0;
}

/* Add a core to the choice, in its order. */
static void
choose(struct trial *t, const struct pick *p)
{
	const struct harm *h = &t->c->harm;
	const struct cores *c = t->c;
	unsigned int at = t->n++;

	for (; at > 0 && (p->n_cpus > t->picks[at - 1].n_cpus ||
				 (p->n_cpus == t->picks[at - 1].n_cpus &&
					 p->core < t->picks[at - 1].core));
		at--)
		t->picks[at] = t->picks[at - 1];
	t->picks[at] = *p;
	t->harm_ns += harm_ns(t, p->core);
	t->chosen[p->core] = true;
	if (t->left[cores_node(c, p->core)] > 0)
		t->left[cores_node(c, p->core)]--;
	for (unsigned int i = 0; i < c->n_keeps; i++)
		t->keeps[i] -= cpuset_overlap(
			&c->keeps[i].cpus, &c->in->topo->cores[p->core].cpus);
	for (unsigned int i = 0; i < h->n_masks; i++) {
		if (t->touched[i] || !cpuset_has(&h->masks[i].cores, p->core))
			continue;
		t->touched[i] = true;
		cpuset_foreach (core, &h->masks[i].cores)
			t->touch[core] -= h->masks[i].n_vcpus;
	}
	note_near(t, t->pu_of[p->core]);
}

/* The cheapest core in @cpus that is not chosen yet, or NULL. */
static const struct pick *
cheapest(const struct trial *t, const struct cpuset *cpus)
{
	const struct pick *best = NULL;
	double least = DBL_MAX;

	for (unsigned int i = 0; i < t->n_all; i++) {
		const struct pick *p = &t->all[i];
		double ns;

		if (t->chosen[p->core] ||
			!cpuset_has(cpus, t->c->in->topo->pus[t->pu_of[p->core]].cpu) ||
			is_barred(t, p->core))
			continue;
		ns = price(t, p);
		if (ns < least - COST_SAME_NS) {
			least = ns;
			best = p;
		}
	}
	return best;
}

/* Choose in @cpus. Returns false when it has not enough. */
static bool
fill(struct trial *t, const struct cpuset *cpus)
{
	unsigned int n = 0;

	reset(t);
	while (n == 0) {
		const struct pick *p = cheapest(t, cpus);

		if (p == NULL)
			return false;
		choose(t, p);
		n = needed(t->want, t->picks, t->n);
	}
	t->n = n; /* those with fewer CPUs that came before may be needless now */
	return true;
}

/* Choose what comes first. Whether that is enough does not depend on what others have,
 * so that a VM that cannot be placed can be placed no better in the next plan. */
static bool
fill_in_order(struct trial *t)
{
	unsigned int n = 0;

	reset(t);
	for (unsigned int i = 0; i < t->n_all && n == 0; i++) {
		if (is_barred(t, t->all[i].core))
			continue;
		choose(t, &t->all[i]);
		n = needed(t->want, t->picks, t->n);
	}
	t->n = n;
	return n > 0;
}

/* Mean latency between two of the cores it would have, with those it has. */
static double
latency(const struct trial *t)
{
	const struct topo *topo = t->c->in->topo;
	auto_free unsigned int *pus = xcalloc(topo->n_pus, sizeof(*pus));
	unsigned int n = 0;
	unsigned int pairs = 0;
	double sum = 0;

	cpuset_foreach (cpu, &t->want->near)
		pus[n++] = (unsigned int)topo->pu_of_cpu[cpu];
	for (unsigned int i = 0; i < t->n; i++)
		pus[n++] = t->pu_of[t->picks[i].core];
	for (unsigned int i = 0; i < n; i++) {
		for (unsigned int k = 0; k < i; k++) {
			if (topo->pus[pus[i]].core == topo->pus[pus[k]].core)
				continue;
			sum += (double)lat_ns(&t->c->in->latency, pus[i], pus[k]);
			pairs++;
		}
	}
	return pairs > 0 ? sum / pairs : 0;
}

/* Memory that is touched first by vCPUs on several nodes is remote for some of them. */
static double
scattered(const struct trial *t)
{
	auto_free unsigned int *on = xcalloc(t->c->n_nodes, sizeof(*on));
	double together = 0;

	if (t->want->share != NULL)
		return 0;
	for (unsigned int i = 0; i < t->n; i++)
		on[cores_node(t->c, t->picks[i].core)]++;
	for (unsigned int i = 0; i < t->c->n_nodes; i++)
		together += (double)on[i] * on[i] / t->n / t->n;
	return 1 - together;
}

static double
cost(const struct trial *t)
{
	double places = 0;

	for (unsigned int i = 0; i < t->n; i++)
		places += place_ns(t, t->picks[i].core) / t->n;
	return t->harm_ns + t->want->demand * (latency(t) + places +
						      COST_REMOTE * scattered(t) *
							      t->c->tree->worst_ns);
}

unsigned int
pick_cores(struct cores *c, const struct pick_want *want, struct pick *out)
{
	struct trial t = begin(c, want);
	double best = DBL_MAX;
	unsigned int n = 0;

	if (fill_in_order(&t)) {
		n = t.n;
		memcpy(out, t.picks, n * sizeof(*out));
	}
	for (unsigned int i = 0; n > 0 && !want->first_ones && i < c->tree->n; i++) {
		double ns;

		if (!fill(&t, &c->tree->nodes[i].cpus))
			continue;
		ns = cost(&t);
		if (ns >= best - COST_SAME_NS)
			continue;
		best = ns;
		n = t.n;
		memcpy(out, t.picks, n * sizeof(*out));
	}
	end(&t);
	return n;
}

unsigned int
pick_count(struct cores *c, const struct pick_want *want, unsigned int *out)
{
	struct trial t = begin(c, want);
	unsigned int cpus = 0;

	memset(out, 0, c->n_nodes * sizeof(*out));
	reset(&t);
	for (unsigned int i = 0; i < t.n_all; i++) {
		if (is_barred(&t, t.all[i].core))
			continue;
		choose(&t, &t.all[i]);
		out[cores_node(c, t.all[i].core)]++;
		cpus += t.all[i].n_cpus;
	}
	end(&t);
	return cpus;
}

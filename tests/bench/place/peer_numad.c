// SPDX-License-Identifier: MIT
/*
 * Whole nodes as numad gives them to a VM that starts (libvirt's placement=auto): free
 * CPUs and memory of each node, and of the nodes nearest to it.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "policies.h"

/* An SMT sibling is worth so much of a core. Source: numad's default for -H. */
#define SIBLING_SHARE 0.2

/* Weights of what a node has of the need, and beyond it. Source: numad. */
#define MEMORY_NEED 10.0
#define MEMORY_EXCESS 4.0
#define CPU_NEED 6.0
#define CPU_EXCESS 1.0

/* Memory of a node that does not tell: enough. */
#define UNKNOWN_GIB 1e6

struct supply {
	double idle; /* cores' worth, siblings in part: for the score */
	double cpus;
	double free_cpus;
	double gib;
	double free_gib;
};

struct need {
	double cpus;
	double gib;
};

static double
load_on(const struct site *s, const struct cpuset *cpus, const struct site_vm *newcomer)
{
	double load = 0;

	for (unsigned int i = 0; i < s->n; i++) {
		const struct site_vm *vm = &s->vms[i];

		for (unsigned int v = 0; vm != newcomer && v < vm->n_vcpus; v++) {
			struct cpuset here = cpuset_and(&vm->masks[v], cpus);

			load += (double)cpuset_count(&here) /
				cpuset_count(&vm->masks[v]);
		}
	}
	return load;
}

static struct supply
supply_of(const struct site *s, unsigned int node, const struct site_vm *newcomer)
{
	const struct topo_node *n = &s->topo->nodes[node];
	struct cpuset cpus = cpuset_and(&n->cpus, &s->online);
	unsigned int cores = topo_count_cores(s->topo, &cpus);
	struct supply out = {
		.gib = n->mem_known ? (double)n->mem_kib / 0x1p20 : UNKNOWN_GIB};
	double busy = load_on(s, &cpus, newcomer);
	double worth;

	out.cpus = cpuset_count(&cpus);
	out.free_cpus = fmax(out.cpus - busy, 0);
	worth = cores + SIBLING_SHARE * (out.cpus - cores);
	/* a node that is full still has a little, the less the more it runs */
	out.idle = fmax(worth - busy, 0.1 * worth * worth / (worth + busy + 1e-9));
	out.free_gib = out.gib;
	for (unsigned int i = 0; i < s->n; i++) {
		const struct site_vm *vm = &s->vms[i];

		for (unsigned int k = 0; vm != newcomer && k < vm->n_nodes; k++)
			out.free_gib -= vm->memory_gib / vm->n_nodes *
					vm->memory[k * s->topo->n_nodes + node];
	}
	out.free_gib = fmax(out.free_gib, 0);
	return out;
}

static double
score_of(const struct supply *n, const struct need *need)
{
	double memory = fmin(need->gib, n->free_gib) * MEMORY_NEED +
			fmax(n->free_gib - need->gib, 0) * MEMORY_EXCESS;
	double cpus = fmin(need->cpus, n->idle) * CPU_NEED +
		      fmax(n->idle - need->cpus, 0) * CPU_EXCESS;

	return (memory + 1e-6) * cpus;
}

/* The nodes with CPUs by distance from @from (itself first), ties by index. */
static unsigned int
by_distance(const struct site *s, unsigned int from, unsigned int *out)
{
	const struct topo *t = s->topo;
	unsigned int n = 0;

	for (unsigned int k = 0; k < t->n_nodes; k++) {
		unsigned int at = n;

		if (!cpuset_overlap(&t->nodes[k].cpus, &s->online))
			continue;
		for (; at > 0 && out[at - 1] != from; at--) {
			if (k != from && topo_distance(t, from, out[at - 1]) <=
						 topo_distance(t, from, k))
				break;
			out[at] = out[at - 1];
		}
		out[at] = k;
		n++;
	}
	return n;
}

static void
add_supply(struct supply *sum, const struct supply *n)
{
	sum->cpus += n->cpus;
	sum->free_cpus += n->free_cpus;
	sum->gib += n->gib;
	sum->free_gib += n->free_gib;
}

/* Score of the nodes around @from, as many as the demand needs if they were empty. */
static double
score_around(const struct site *s, const struct supply *nodes, const struct need *need,
	unsigned int from)
{
	auto_free unsigned int *order = xcalloc(s->topo->n_nodes, sizeof(*order));
	unsigned int n = by_distance(s, from, order);
	struct supply sum = {0};
	double score = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (sum.cpus >= need->cpus && sum.gib >= need->gib)
			break;
		double distance = i == 0 ? 10 : topo_distance(s->topo, from, order[i]);

		distance = distance > 0 ? distance / 10 : 1;
		score += score_of(&nodes[order[i]], need) / (distance * distance);
		add_supply(&sum, &nodes[order[i]]);
	}
	return score;
}

static struct cpuset
choose(const struct site *s, const struct supply *nodes, const struct need *need)
{
	auto_free unsigned int *order = xcalloc(s->topo->n_nodes, sizeof(*order));
	struct cpuset mask = CPUSET_NONE;
	struct supply sum = {0};
	double best_score = -1;
	unsigned int best = 0;
	unsigned int n;

	for (unsigned int k = 0; k < s->topo->n_nodes; k++) {
		double score;

		if (!cpuset_overlap(&s->topo->nodes[k].cpus, &s->online))
			continue;
		score = score_around(s, nodes, need, k);
		if (score > best_score) {
			best_score = score;
			best = k;
		}
	}
	n = by_distance(s, best, order);
	for (unsigned int i = 0; i < n; i++) {
		if (i > 0 && sum.free_cpus >= need->cpus && sum.free_gib >= need->gib)
			break;
		mask = cpuset_or(&mask, &s->topo->nodes[order[i]].cpus);
		add_supply(&sum, &nodes[order[i]]);
	}
	return mask;
}

static void
numad_on_event(struct run *r, const struct replay_event *e, struct site_vm *vm)
{
	const struct site *s = &r->site;
	struct need need;
	struct cpuset mask;
	struct supply *nodes;

	/* asked once; a vCPU that is plugged has the VM's mask */
	if (vm == NULL || e->kind != REPLAY_START || s->topo->n_nodes == 0)
		return;
	need = (struct need){.cpus = vm->n_vcpus, .gib = vm->memory_gib};
	nodes = xcalloc(s->topo->n_nodes, sizeof(*nodes));
	for (unsigned int k = 0; k < s->topo->n_nodes; k++)
		nodes[k] = supply_of(s, k, vm);
	mask = choose(s, nodes, &need);
	free(nodes);
	site_give(&r->site, vm, &mask);
}

const struct policy policy_numad = {
	.name = "numad",
	.what = "whole nodes by free CPUs and memory, as numad",
	.on_event = numad_on_event,
};

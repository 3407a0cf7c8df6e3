// SPDX-License-Identifier: MIT
/* Nodes and cores of a guest, from the properties of its vCPUs. */
#include "config.h"

#include "daemon/smp.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/xalloc.h"

/* QEMU's own limit (MAX_NODES), and the planner's. */
#define NODES_MAX 128

/* QEMU numbers nodes from 0 on. A vCPU without one, where others have one, is in 0. */
static void
number_nodes(struct smp *g, const struct qmp_facts *facts)
{
	int most = -1;

	for (unsigned int i = 0; i < facts->n_vcpus; i++) {
		if (facts->vcpus[i].node > most)
			most = facts->vcpus[i].node;
	}
	if (most >= NODES_MAX)
		return; /* not QEMU's: as if it said nothing */
	g->n_nodes = (unsigned int)(most + 1);
	for (unsigned int i = 0; i < facts->n_vcpus && most >= 0; i++) {
		int node = facts->vcpus[i].node;

		g->node_of[i] = (uint16_t)(node >= 0 ? node : 0);
	}
}

/*
 * Threads of one core follow each other in the cpu-index. QEMU also has dies, clusters
 * and modules, in each of which the numbers of cores begin anew: there the number of
 * the thread does not go on, either.
 */
static bool
is_same_core(const struct qmp_vcpu *before, const struct qmp_vcpu *v)
{
	return before->core >= 0 && v->core == before->core &&
	       v->socket == before->socket && before->thread >= 0 &&
	       v->thread > before->thread;
}

static void
number_cores(struct smp *g, const struct qmp_facts *facts)
{
	unsigned int threads = 0;
	uint32_t core = 0;

	for (unsigned int i = 0; i < facts->n_vcpus; i++) {
		const struct qmp_vcpu *v = &facts->vcpus[i];

		if (i > 0 && is_same_core(v - 1, v)) {
			threads++;
		} else {
			core += i > 0;
			threads = 1;
		}
		g->core_of[i] = core;
		if (threads > g->threads_per_core)
			g->threads_per_core = threads;
	}
}

void
smp_init(struct smp *g, const struct qmp_facts *facts)
{
	*g = (struct smp){.n_nodes = 0};
	g->node_of = xcalloc(facts->n_vcpus, sizeof(*g->node_of));
	g->core_of = xcalloc(facts->n_vcpus, sizeof(*g->core_of));
	number_nodes(g, facts);
	number_cores(g, facts);
}

void
smp_fini(struct smp *g)
{
	free(g->node_of);
	free(g->core_of);
	*g = (struct smp){0};
}

static int
compare_index(const void *key, const void *item)
{
	const unsigned int *index = key;
	const struct qmp_vcpu *v = item;

	return (*index > v->index) - (*index < v->index);
}

int
smp_find(const struct qmp_facts *facts, unsigned int index)
{
	const struct qmp_vcpu *v = bsearch(&index, facts->vcpus, facts->n_vcpus,
		sizeof(*facts->vcpus), compare_index);

	return v != NULL ? (int)(v - facts->vcpus) : -1;
}

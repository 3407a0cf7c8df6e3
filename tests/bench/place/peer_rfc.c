// SPDX-License-Identifier: MIT
/*
 * The "pinning" property proposed for Proxmox: virtual nodes on host nodes, each vCPU
 * on its whole host node ("numa") or on a free CPU of it ("one-to-one"). It looks at
 * one VM at a time, when it starts, and refuses what it cannot express: that VM stays
 * unpinned.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "policies.h"

/* The host as it sees it for one VM. */
struct rfc {
	struct run *run;
	struct site_vm *vm;
	unsigned int n;	     /* nodes of the host */
	unsigned int *order; /* their indices in string order of their ids */
	struct cpuset *cpus; /* free CPUs of each, within its affinity */
	struct cpuset used;  /* nodes that a virtual node has */
	int *host_of;	     /* host node of each virtual one */
	unsigned int n_virtual;
};

static bool
string_before(const struct topo *t, unsigned int a, unsigned int b)
{
	char x[16];
	char y[16];

	(void)snprintf(x, sizeof(x), "%u", t->nodes[a].id);
	(void)snprintf(y, sizeof(y), "%u", t->nodes[b].id);
	return strcmp(x, y) < 0;
}

static void
sort_nodes(struct rfc *m, const struct topo *t)
{
	for (unsigned int k = 0; k < m->n; k++) {
		unsigned int at = k;

		for (; at > 0 && string_before(t, k, m->order[at - 1]); at--)
			m->order[at] = m->order[at - 1];
		m->order[at] = k;
	}
}

static struct rfc
rfc_new(struct run *r, struct site_vm *vm)
{
	const struct topo *t = r->site.topo;
	struct cpuset limit = site_limit(&r->site, vm);
	struct rfc m = {.run = r, .vm = vm, .n = t->n_nodes};

	m.order = xcalloc(m.n, sizeof(*m.order));
	m.cpus = xcalloc(m.n, sizeof(*m.cpus));
	for (unsigned int k = 0; k < m.n; k++)
		m.cpus[k] = cpuset_and(&t->nodes[k].cpus, &limit);
	sort_nodes(&m, t);
	m.n_virtual = vm->start->numa ? vm->n_nodes : 0;
	m.host_of = xcalloc(m.n_virtual, sizeof(*m.host_of));
	for (unsigned int k = 0; k < m.n_virtual; k++)
		m.host_of[k] = TOPO_NONE;
	return m;
}

static void
rfc_fini(struct rfc *m)
{
	free(m->order);
	free(m->cpus);
	free(m->host_of);
}

static unsigned int
vcpus_of_node(const struct site_vm *vm, unsigned int node)
{
	unsigned int n = 0;

	for (unsigned int v = 0; v < vm->n_vcpus; v++)
		n += site_guest_node(vm, v) == node;
	return n;
}

/* Host nodes that the VM's configuration names: one each, no two the same. */
static bool
take_named(struct rfc *m)
{
	const struct replay_start *start = m->vm->start;

	for (unsigned int k = 0; k < m->n_virtual && start->host_nodes != NULL; k++) {
		const struct cpuset *ids = &start->host_nodes[k];
		int node;

		if (cpuset_empty(ids))
			continue;
		node = topo_node_index(m->run->site.topo, cpuset_next(ids, 0));
		if (cpuset_count(ids) > 1 || node == TOPO_NONE ||
			cpuset_has(&m->used, (unsigned int)node))
			return false;
		m->host_of[k] = node;
		cpuset_add(&m->used, (unsigned int)node);
	}
	return true;
}

/* The rest: the first that nobody uses yet and that is large enough. */
static bool
take_others(struct rfc *m)
{
	for (unsigned int k = 0; k < m->n_virtual; k++) {
		unsigned int want = vcpus_of_node(m->vm, k);

		for (unsigned int i = 0; i < m->n && m->host_of[k] == TOPO_NONE; i++) {
			unsigned int node = m->order[i];

			if (cpuset_has(&m->used, node) ||
				cpuset_count(&m->cpus[node]) < want)
				continue;
			m->host_of[k] = (int)node;
			cpuset_add(&m->used, node);
		}
		if (m->host_of[k] == TOPO_NONE || cpuset_empty(&m->cpus[m->host_of[k]]))
			return false;
	}
	return true;
}

/* What both refuse: vCPUs below the maximum, virtual nodes without a host node. */
static bool
assign(struct rfc *m)
{
	const struct site_vm *vm = m->vm;

	return vm->start->max_vcpus == vm->n_vcpus && take_named(m) && take_others(m);
}

static void
numa_on_event(struct run *r, const struct replay_event *e, struct site_vm *vm)
{
	struct rfc m;

	if (vm == NULL || e->kind != REPLAY_START)
		return;
	m = rfc_new(r, vm);
	if (m.n_virtual == 0 || !assign(&m)) {
		r->refused++;
	} else {
		vm->pinned = true;
		for (unsigned int v = 0; v < vm->n_vcpus; v++)
			vm->masks[v] = m.cpus[m.host_of[site_guest_node(vm, v)]];
	}
	rfc_fini(&m);
}

/* A free CPU of a node, never again. */
static unsigned int
take_random(struct rfc *m, unsigned int node)
{
	unsigned int skip = rnd_below(&m->run->rnd, cpuset_count(&m->cpus[node]));
	unsigned int cpu = cpuset_next(&m->cpus[node], 0);

	while (skip-- > 0)
		cpu = cpuset_next(&m->cpus[node], cpu + 1);
	cpuset_remove(&m->cpus[node], cpu);
	return cpu;
}

/* A random node that still has a CPU, or TOPO_NONE. */
static int
random_node(struct rfc *m)
{
	unsigned int first = m->n > 0 ? rnd_below(&m->run->rnd, m->n) : 0;

	for (unsigned int i = 0; i < m->n; i++) {
		unsigned int node = (first + i) % m->n;

		if (!cpuset_empty(&m->cpus[node]))
			return (int)node;
	}
	return TOPO_NONE;
}

/* Into @cpus, one for each vCPU. */
static bool
take_each(struct rfc *m, unsigned int *cpus)
{
	const struct site_vm *vm = m->vm;
	int node = TOPO_NONE;

	for (unsigned int v = 0; v < vm->n_vcpus; v++) {
		if (m->n_virtual > 0)
			node = m->host_of[site_guest_node(vm, v)];
		else if (node == TOPO_NONE || cpuset_empty(&m->cpus[node]))
			node = random_node(m);
		if (node == TOPO_NONE || cpuset_empty(&m->cpus[node]))
			return false;
		cpus[v] = take_random(m, (unsigned int)node);
	}
	return true;
}

static void
one_on_event(struct run *r, const struct replay_event *e, struct site_vm *vm)
{
	auto_free unsigned int *cpus = NULL;
	struct rfc m;

	if (vm == NULL || e->kind != REPLAY_START)
		return;
	m = rfc_new(r, vm);
	cpus = xcalloc(vm->n_vcpus, sizeof(*cpus));
	if (!assign(&m) || !take_each(&m, cpus)) {
		r->refused++;
	} else {
		vm->pinned = true;
		for (unsigned int v = 0; v < vm->n_vcpus; v++)
			vm->masks[v] = cpuset_of(cpus[v]);
	}
	rfc_fini(&m);
}

const struct policy policy_rfc_numa = {
	.name = "rfc-numa",
	.what = "vCPUs on the host node of their virtual one (Proxmox RFC numa)",
	.on_event = numa_on_event,
};

const struct policy policy_rfc_one = {
	.name = "rfc-one",
	.what = "each vCPU on a free CPU of a node (Proxmox RFC one-to-one)",
	.on_event = one_on_event,
};

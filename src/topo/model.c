// SPDX-License-Identifier: MIT
/*
 * The model of a host, built from facts in any order. Every index that a PU carries is
 * valid or TOPO_NONE, every list is ascending, and nothing is assumed nested. Pure;
 * where the facts come from is the business of host/.
 */
#include "config.h"

#include "topo/model.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* The kinds of groups a PU may be in; nodes come with facts of their own. */
enum level { LEVEL_CORE, LEVEL_L2, LEVEL_L3, LEVEL_PACKAGE };

static int
check_cpus(const struct topo_facts *f, struct cpuset *online, struct err *e)
{
	if (f->n_cpus == 0)
		return err_set(e, -EINVAL, NULL, 0, "no CPU");
	for (unsigned int i = 0; i < f->n_cpus; i++) {
		const struct topo_cpu_facts *c = &f->cpus[i];

		if (c->cpu >= CPUSET_CAP)
			return err_set(e, -ERANGE, NULL, 0,
				"CPU %u: at most %u are known", c->cpu, CPUSET_CAP - 1);
		if (cpuset_has(online, c->cpu))
			return err_set(
				e, -EINVAL, NULL, 0, "CPU %u is there twice", c->cpu);
		if (c->package_id > INT32_MAX)
			return err_set(e, -ERANGE, NULL, 0, "CPU %u: package id %lld",
				c->cpu, (long long)c->package_id);
		cpuset_add(online, c->cpu);
	}
	return 0;
}

/* @ids: the set of node ids, for which a cpuset is large enough. */
static int
check_nodes(const struct topo_facts *f, struct cpuset *ids, struct err *e)
{
	static_assert(TOPO_NODE_ID_CAP <= CPUSET_CAP, "node ids fit a cpuset");

	for (unsigned int i = 0; i < f->n_nodes; i++) {
		unsigned int id = f->nodes[i].id;

		if (id >= TOPO_NODE_ID_CAP)
			return err_set(e, -ERANGE, NULL, 0,
				"node %u: at most %u are known", id,
				TOPO_NODE_ID_CAP - 1);
		if (cpuset_has(ids, id))
			return err_set(
				e, -EINVAL, NULL, 0, "node %u is there twice", id);
		cpuset_add(ids, id);
	}
	for (unsigned int i = 0; i < f->n_cpus; i++) {
		int id = f->cpus[i].node_id;

		if (id >= 0 && !cpuset_has(ids, (unsigned int)id))
			return err_set(e, -EINVAL, NULL, 0,
				"CPU %u is in node %d, which is not there",
				f->cpus[i].cpu, id);
	}
	return 0;
}

static void
set_pus(struct topo *t, const struct topo_facts *f)
{
	unsigned int at = 0;

	t->n_pus = f->n_cpus;
	t->pus = xcalloc(t->n_pus, sizeof(*t->pus));
	t->pu_of_cpu = xcalloc(CPUSET_CAP, sizeof(*t->pu_of_cpu));
	for (unsigned int cpu = 0; cpu < CPUSET_CAP; cpu++)
		t->pu_of_cpu[cpu] = TOPO_NONE;
	cpuset_foreach (cpu, &t->online) {
		t->pus[at].cpu = cpu;
		t->pu_of_cpu[cpu] = (int)at;
		at++;
	}
	for (unsigned int i = 0; i < f->n_cpus; i++)
		t->pus[t->pu_of_cpu[f->cpus[i].cpu]].kind = f->cpus[i].kind;
}

/* Cores go by siblings, not by core_id: that is not even unique in a package on several
 * machines. A CPU without siblings is a core of its own, by a key that no other has. */
static int64_t
key_of(const struct topo_cpu_facts *c, enum level level)
{
	int64_t key = TOPO_NONE;

	switch (level) {
	case LEVEL_CORE:
		return c->core_key >= 0 ? c->core_key : INT64_MIN + (int64_t)c->cpu;
	case LEVEL_L2:
		key = c->l2_key;
		break;
	case LEVEL_L3:
		key = c->l3_key;
		break;
	case LEVEL_PACKAGE:
		key = c->package_id;
		break;
	}
	return key >= 0 ? key : TOPO_NONE;
}

static uint64_t
size_of(const struct topo_cpu_facts *c, enum level level)
{
	if (level == LEVEL_L2)
		return c->l2_kib;
	return level == LEVEL_L3 ? c->l3_kib : 0;
}

static int *
slot_of(struct topo_pu *pu, enum level level)
{
	switch (level) {
	case LEVEL_CORE:
		return &pu->core;
	case LEVEL_L2:
		return &pu->l2;
	case LEVEL_L3:
		return &pu->l3;
	case LEVEL_PACKAGE:
		break;
	}
	return &pu->package;
}

/* Collect the PUs with equal keys. Groups come out in the order of their lowest CPU
 * because the PUs (@c, one for each) do. Returns how many there are. */
static unsigned int
set_groups(struct topo *t, const struct topo_cpu_facts *const *c, enum level level,
	struct topo_group **out)
{
	struct topo_group *groups = xcalloc(t->n_pus, sizeof(*groups));
	auto_free int64_t *keys = xcalloc(t->n_pus, sizeof(*keys));
	unsigned int n = 0;

	for (unsigned int i = 0; i < t->n_pus; i++) {
		int64_t key = key_of(c[i], level);
		unsigned int g = 0;

		*slot_of(&t->pus[i], level) = TOPO_NONE;
		if (key == TOPO_NONE)
			continue;
		while (g < n && keys[g] != key)
			g++;
		if (g == n) {
			keys[n++] = key;
			groups[g].id =
				level == LEVEL_PACKAGE ? (unsigned int)key : c[i]->cpu;
		}
		cpuset_add(&groups[g].cpus, c[i]->cpu);
		if (groups[g].size_kib == 0)
			groups[g].size_kib = size_of(c[i], level);
		*slot_of(&t->pus[i], level) = (int)g;
	}
	*out = xrealloc(groups, n, sizeof(*groups));
	return n;
}

static void
set_nodes(struct topo *t, const struct topo_facts *f, const struct cpuset *ids)
{
	auto_free unsigned int *at =
		xcalloc(f->n_nodes, sizeof(*at)); /* facts -> model */

	t->n_nodes = 0;
	t->nodes = xcalloc(f->n_nodes, sizeof(*t->nodes));
	cpuset_foreach (id, ids)
		t->nodes[t->n_nodes++].id = id;
	for (unsigned int i = 0; i < f->n_nodes; i++) {
		struct topo_node *node;

		at[i] = (unsigned int)topo_node_index(t, f->nodes[i].id);
		node = &t->nodes[at[i]];
		node->mem_kib = f->nodes[i].mem_kib;
		node->mem_known = f->nodes[i].mem_known;
		node->free_kib = f->nodes[i].free_kib;
	}
	for (unsigned int i = 0; i < f->n_cpus; i++) {
		const struct topo_cpu_facts *c = &f->cpus[i];
		struct topo_pu *pu = &t->pus[t->pu_of_cpu[c->cpu]];

		pu->node = TOPO_NONE;
		if (c->node_id < 0)
			continue;
		pu->node = topo_node_index(t, (unsigned int)c->node_id);
		cpuset_add(&t->nodes[pu->node].cpus, c->cpu);
	}
	if (f->distances == NULL || f->n_nodes == 0)
		return;
	t->distances = xcalloc((size_t)t->n_nodes * t->n_nodes, sizeof(*t->distances));
	for (unsigned int i = 0; i < f->n_nodes; i++) {
		for (unsigned int j = 0; j < f->n_nodes; j++)
			t->distances[at[i] * t->n_nodes + at[j]] =
				f->distances[i * f->n_nodes + j];
	}
}

/* Nodes @a and @b have CPUs of one package. */
static bool
share_package(const struct topo *t, unsigned int a, unsigned int b)
{
	cpuset_foreach (cpu, &t->nodes[a].cpus) {
		int package = t->pus[t->pu_of_cpu[cpu]].package;

		if (package != TOPO_NONE &&
			cpuset_overlap(&t->packages[package].cpus, &t->nodes[b].cpus))
			return true;
	}
	return false;
}

/* The least distances inside and between packages, to which others are compared. */
static void
set_base_distances(struct topo *t)
{
	for (unsigned int a = 0; t->distances != NULL && a < t->n_nodes; a++) {
		for (unsigned int b = 0; b < a; b++) {
			unsigned int d = topo_distance(t, a, b);
			unsigned int *least;

			if (d == 0 || cpuset_empty(&t->nodes[a].cpus) ||
				cpuset_empty(&t->nodes[b].cpus))
				continue;
			least = share_package(t, a, b) ? &t->near_distance
						       : &t->far_distance;
			if (*least == 0 || d < *least)
				*least = d;
		}
	}
}

int
topo_build(const struct topo_facts *facts, struct topo **out, struct err *e)
{
	auto_free const struct topo_cpu_facts **c = NULL; /* in the order of the PUs */
	struct cpuset online = CPUSET_NONE;
	struct cpuset node_ids = CPUSET_NONE;
	struct topo *t;
	int r;

	r = check_cpus(facts, &online, e);
	if (r == 0)
		r = check_nodes(facts, &node_ids, e);
	if (r < 0)
		return r;
	t = xcalloc(1, sizeof(*t));
	t->online = online;
	t->isolated = facts->isolated;
	t->offline = cpuset_minus(&facts->offline, &t->online);
	t->isolcpus = facts->isolcpus;
	set_pus(t, facts);
	c = xcalloc(t->n_pus, sizeof(*c));
	for (unsigned int i = 0; i < facts->n_cpus; i++)
		c[t->pu_of_cpu[facts->cpus[i].cpu]] = &facts->cpus[i];
	t->n_cores = set_groups(t, c, LEVEL_CORE, &t->cores);
	t->n_l2 = set_groups(t, c, LEVEL_L2, &t->l2);
	t->n_l3 = set_groups(t, c, LEVEL_L3, &t->l3);
	t->n_packages = set_groups(t, c, LEVEL_PACKAGE, &t->packages);
	set_nodes(t, facts, &node_ids);
	set_base_distances(t);
	*out = t;
	return 0;
}

void
topo_free(struct topo *t)
{
	if (t == NULL)
		return;
	free(t->pus);
	free(t->cores);
	free(t->l2);
	free(t->l3);
	free(t->packages);
	free(t->nodes);
	free(t->distances);
	free(t->pu_of_cpu);
	free(t);
}

void
topo_facts_fini(struct topo_facts *f)
{
	free(f->cpus);
	free(f->nodes);
	free(f->distances);
	*f = (struct topo_facts){0};
}

const struct topo_pu *
topo_pu_of(const struct topo *t, unsigned int cpu)
{
	if (cpu >= CPUSET_CAP || t->pu_of_cpu[cpu] == TOPO_NONE)
		return NULL;
	return &t->pus[t->pu_of_cpu[cpu]];
}

int
topo_node_index(const struct topo *t, unsigned int node_id)
{
	unsigned int low = 0;
	unsigned int high = t->n_nodes;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (t->nodes[mid].id == node_id)
			return (int)mid;
		if (t->nodes[mid].id < node_id)
			low = mid + 1;
		else
			high = mid;
	}
	return TOPO_NONE;
}

unsigned int
topo_distance(const struct topo *t, unsigned int a, unsigned int b)
{
	unsigned int there;
	unsigned int back;

	if (t->distances == NULL)
		return 0;
	there = t->distances[(size_t)a * t->n_nodes + b];
	back = t->distances[(size_t)b * t->n_nodes + a];
	return there > back ? there : back;
}

static bool
groups_equal(const struct topo_group *a, unsigned int n_a, const struct topo_group *b,
	unsigned int n_b)
{
	if (n_a != n_b)
		return false;
	for (unsigned int i = 0; i < n_a; i++) {
		if (a[i].id != b[i].id || a[i].size_kib != b[i].size_kib ||
			!cpuset_equal(&a[i].cpus, &b[i].cpus))
			return false;
	}
	return true;
}

static bool
nodes_equal(const struct topo *a, const struct topo *b)
{
	if (a->n_nodes != b->n_nodes ||
		(a->distances == NULL) != (b->distances == NULL))
		return false;
	for (unsigned int i = 0; i < a->n_nodes; i++) {
		const struct topo_node *x = &a->nodes[i];
		const struct topo_node *y = &b->nodes[i];

		if (x->id != y->id || x->mem_known != y->mem_known ||
			x->mem_kib != y->mem_kib || !cpuset_equal(&x->cpus, &y->cpus))
			return false;
	}
	return a->distances == NULL ||
	       memcmp(a->distances, b->distances,
		       (size_t)a->n_nodes * a->n_nodes * sizeof(*a->distances)) == 0;
}

bool
topo_equal(const struct topo *a, const struct topo *b)
{
	/* groups say all about the PUs but their kinds */
	if (!cpuset_equal(&a->online, &b->online) ||
		!cpuset_equal(&a->isolated, &b->isolated) ||
		!cpuset_equal(&a->isolcpus, &b->isolcpus))
		return false;
	for (unsigned int i = 0; i < a->n_pus; i++) {
		if (a->pus[i].kind != b->pus[i].kind)
			return false;
	}
	return groups_equal(a->cores, a->n_cores, b->cores, b->n_cores) &&
	       groups_equal(a->l2, a->n_l2, b->l2, b->n_l2) &&
	       groups_equal(a->l3, a->n_l3, b->l3, b->n_l3) &&
	       groups_equal(a->packages, a->n_packages, b->packages, b->n_packages) &&
	       nodes_equal(a, b);
}

unsigned int
topo_count_cores(const struct topo *t, const struct cpuset *cpus)
{
	struct cpuset seen = CPUSET_NONE; /* indices of cores, not CPUs */

	cpuset_foreach (cpu, cpus) {
		const struct topo_pu *pu = topo_pu_of(t, cpu);

		if (pu != NULL)
			cpuset_add(&seen, (unsigned int)pu->core);
	}
	return cpuset_count(&seen);
}

struct cpuset
topo_nodes_of(const struct topo *t, const struct cpuset *cpus)
{
	struct cpuset nodes = CPUSET_NONE;

	cpuset_foreach (cpu, cpus) {
		const struct topo_pu *pu = topo_pu_of(t, cpu);

		if (pu != NULL && pu->node != TOPO_NONE)
			cpuset_add(&nodes, (unsigned int)pu->node);
	}
	return nodes;
}

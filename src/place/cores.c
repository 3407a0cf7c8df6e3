// SPDX-License-Identifier: MIT
/*
 * The account of exclusive cores. owner, alone, left and the keeps' counts change only
 * together, here. Most plans only confirm what VMs have: others are looked at no sooner
 * than something is to be chosen.
 */
#include "config.h"

#include "place/cores.h"

#include <assert.h>
#include <stdlib.h>

#include "base/xalloc.h"

unsigned int
cores_node(const struct cores *c, unsigned int core)
{
	const struct topo *t = c->in->topo;
	unsigned int cpu = cpuset_next(&t->cores[core].cpus, 0);
	int node = t->pus[t->pu_of_cpu[cpu]].node;

	return node == TOPO_NONE ? c->n_nodes - 1 : (unsigned int)node;
}

struct cores *
cores_new(const struct plan_input *in, const struct entries *e,
	const struct cpuset *ordinary)
{
	struct cores *c = xcalloc(1, sizeof(*c));
	struct cpuset all = cpuset_and(&in->topo->isolated, &in->topo->online);
	unsigned int pct = in->policy->dedicated_max_pct;

	all = cpuset_and(&all, &in->policy->isolated_usable);
	all = cpuset_minus(&all, &in->policy->reserved);
	all = cpuset_or(&all, ordinary);
	c->in = in;
	c->entries = e;
	c->ordinary = *ordinary;
	c->tree = tree_new(in->topo, in->ranking, &in->latency, &all);
	c->n_nodes = in->topo->n_nodes + 1;
	c->owner = xcalloc(in->topo->n_cores, sizeof(*c->owner));
	c->left = xcalloc(c->n_nodes, sizeof(*c->left));
	for (unsigned int i = 0; i < in->topo->n_cores; i++) {
		c->owner[i] = -1;
		c->left[cores_node(c, i)]++;
	}
	for (unsigned int i = 0; i < c->n_nodes; i++)
		c->left[i] = c->left[i] * (pct < 100 ? pct : 100) / 100;
	return c;
}

void
cores_free(struct cores *c)
{
	if (c == NULL)
		return;
	harm_fini(&c->harm);
	tree_free(c->tree);
	free(c->keeps);
	free(c->owner);
	free(c->left);
	free(c);
}

bool
cores_may_take(const struct cores *c, unsigned int core)
{
	const struct cpuset *cpus = &c->in->topo->cores[core].cpus;

	/* a core of which the host has a part for its own work is nobody's alone */
	return c->owner[core] < 0 && !cpuset_has(cpus, 0) &&
	       !cpuset_overlap(cpus, &c->in->policy->reserved) &&
	       !cpuset_overlap(cpus, &c->single) && c->left[cores_node(c, core)] > 0;
}

static void
count_keeps(struct cores *c, unsigned int core, int sign)
{
	for (unsigned int i = 0; i < c->n_keeps; i++) {
		if (cpuset_overlap(&c->keeps[i].cpus, &c->in->topo->cores[core].cpus))
			c->keeps[i].left += (unsigned int)sign;
	}
}

void
cores_take(struct cores *c, unsigned int core, unsigned int owner)
{
	assert(cores_may_take(c, core));
	c->owner[core] = (int)owner;
	c->alone = cpuset_or(&c->alone, &c->in->topo->cores[core].cpus);
	c->left[cores_node(c, core)]--;
	count_keeps(c, core, -1);
}

void
cores_give_back(struct cores *c, unsigned int core)
{
	assert(c->owner[core] >= 0);
	c->owner[core] = -1;
	c->alone = cpuset_minus(&c->alone, &c->in->topo->cores[core].cpus);
	c->left[cores_node(c, core)]++;
	count_keeps(c, core, 1);
}

static void
keep(struct cores *c, const struct cpuset *cpus)
{
	const struct topo *t = c->in->topo;
	struct cores_keep *k;

	for (unsigned int i = 0; i < c->n_keeps; i++) {
		if (cpuset_equal(&c->keeps[i].cpus, cpus))
			return;
	}
	c->keeps = xgrow(c->keeps, c->n_keeps, &c->cap_keeps, sizeof(*c->keeps));
	k = &c->keeps[c->n_keeps++];
	*k = (struct cores_keep){.cpus = *cpus};
	for (unsigned int i = 0; i < t->n_cores; i++)
		k->left += c->owner[i] < 0 && cpuset_overlap(&t->cores[i].cpus, cpus);
}

/* What a VM that has no cores of its own needs a part of. */
static void
keep_for(struct cores *c, const struct world_vm *vm)
{
	struct cpuset limit;

	if (vm->exclusive || vm->in->off_by_admin)
		return;
	if (vm->role == WORLD_LEAVE) {
		limit = entry_limit(c->in, vm->in);
		keep(c, &limit);
	}
	for (unsigned int g = 0; g < vm->n_groups; g++)
		keep(c, &c->entries->groups[vm->first_group + g].allowed);
}

void
cores_survey(struct cores *c)
{
	if (c->surveyed)
		return;
	c->surveyed = true;
	c->harm = harm_of(c->in, c->entries);
	keep(c, &c->ordinary);
	for (unsigned int i = 0; i < c->in->n_vms; i++)
		keep_for(c, &c->entries->vms[i]);
}

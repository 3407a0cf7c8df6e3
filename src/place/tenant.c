// SPDX-License-Identifier: MIT
/* A VM from its start event. */
#include "config.h"

#include "place/tenant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "place/touch.h"

#define GUEST_NODES_MAX 128u /* QEMU's */
#define AMOUNT_MAX 1e9	     /* GiB, CPUs: nobody means more */

static bool
is_number(const char *id)
{
	return id[0] != '\0' && id[strspn(id, "0123456789")] == '\0';
}

static int
compare_values(const char *a, const char *b)
{
	size_t n_a;
	size_t n_b;

	a += strspn(a, "0");
	b += strspn(b, "0");
	n_a = strlen(a);
	n_b = strlen(b);
	if (n_a != n_b)
		return n_a < n_b ? -1 : 1;
	return strcmp(a, b);
}

int
tenant_compare_ids(const char *a, const char *b)
{
	int r = 0;

	if (is_number(a) != is_number(b))
		return is_number(a) ? -1 : 1;
	if (is_number(a))
		r = compare_values(a, b);
	return r != 0 ? r : strcmp(a, b); /* 7 and 07 are two VMs */
}

static bool
in_range(double value)
{
	return value >= 0 && value <= AMOUNT_MAX;
}

/* Returns false when the number makes no sense. */
static bool
check_amount(const char *name, double value, char *bad)
{
	if (in_range(value))
		return true;
	(void)snprintf(bad, PLAN_WHY_MAX, "its %s %g is out of range", name, value);
	return false;
}

static bool
check_amounts(const struct replay_start *s, const struct topo *topo, char *bad)
{
	if (!check_amount("memory", s->memory_gib, bad) ||
		!check_amount("weight", s->weight, bad) ||
		!check_amount("cpulimit", s->cpulimit, bad))
		return false;
	for (unsigned int i = 0; i < s->n_resident; i++) {
		const struct replay_amount *a = &s->resident[i];

		if (!check_amount("memory on a node", a->value, bad))
			return false;
		if (topo_node_index(topo, a->id) != TOPO_NONE)
			continue;
		(void)snprintf(bad, PLAN_WHY_MAX,
			"its memory is on node %u, which is not there", a->id);
		return false;
	}
	return true;
}

/* Each vCPU in one guest node at most, and none that there cannot be. */
static bool
check_guest_nodes(const struct replay_start *s, unsigned int max, char *bad)
{
	struct cpuset seen = CPUSET_NONE;

	if (s->n_guest_nodes > GUEST_NODES_MAX) {
		(void)snprintf(bad, PLAN_WHY_MAX, "%u guest nodes, at most %u",
			s->n_guest_nodes, GUEST_NODES_MAX);
		return false;
	}
	for (unsigned int g = 0; g < s->n_guest_nodes; g++) {
		struct cpuset twice = cpuset_and(&seen, &s->guest_vcpus[g]);
		unsigned int beyond = cpuset_next(&s->guest_vcpus[g], max);

		if (beyond < CPUSET_CAP) {
			(void)snprintf(bad, PLAN_WHY_MAX,
				"guest node %u has vCPU %u, but it has at most %u vCPUs",
				g, beyond, max);
			return false;
		}
		if (!cpuset_empty(&twice)) {
			(void)snprintf(bad, PLAN_WHY_MAX,
				"vCPU %u is in two guest nodes, the second is %u",
				cpuset_next(&twice, 0), g);
			return false;
		}
		seen = cpuset_or(&seen, &s->guest_vcpus[g]);
	}
	return true;
}

static void
check(struct tenant *g, const struct replay_start *s, const struct topo *topo)
{
	if (s->n_vcpus > g->max_vcpus)
		(void)snprintf(g->bad, sizeof(g->bad),
			"it starts with %u vCPUs, but has at most %u", s->n_vcpus,
			g->max_vcpus);
	else if (check_amounts(s, topo, g->bad))
		(void)check_guest_nodes(s, g->max_vcpus, g->bad);
}

/* vCPUs that no guest node names are in the first, as QEMU has it. */
static void
set_guest_nodes(struct tenant *g, const struct replay_start *s)
{
	unsigned int n = g->max_vcpus < PLAN_VCPUS_MAX ? g->max_vcpus : PLAN_VCPUS_MAX;

	g->nodes = xcalloc(s->n_guest_nodes, sizeof(*g->nodes));
	g->node_of = xcalloc(n, sizeof(*g->node_of));
	for (unsigned int i = 0; i < s->n_guest_nodes; i++) {
		if (s->host_nodes != NULL)
			g->nodes[i].host_nodes = s->host_nodes[i];
		cpuset_foreach (vcpu, &s->guest_vcpus[i]) {
			if (vcpu < n)
				g->node_of[vcpu] = (uint16_t)i;
		}
	}
	g->vm.n_guest_nodes = s->n_guest_nodes;
	g->vm.guest_nodes = g->nodes;
	g->vm.guest_node_of = g->node_of;
}

/* taskset narrows a VM to its affinity before we see it; one that names no CPU of this
 * host is refused by it. */
static void
set_limit(struct tenant *g, const struct replay_start *s, const struct scene *scene)
{
	g->vm.limit = scene->all;
	if (!s->has_affinity)
		return;
	g->affinity = s->affinity;
	g->vm.affinity = &g->affinity;
	if (cpuset_overlap(&g->affinity, &scene->all))
		g->vm.limit = cpuset_and(&g->affinity, &scene->all);
}

static unsigned int
rows_of(const struct tenant *g)
{
	return g->vm.n_guest_nodes > 0 ? g->vm.n_guest_nodes : 1;
}

/*
 * The rows of g->share say what was touched: bind them, and point the planner to them.
 * The guest nodes of a VM are taken as equal in size.
 */
static void
settle(struct tenant *g, const struct topo *topo)
{
	unsigned int n = topo->n_nodes;
	unsigned int rows = rows_of(g);
	double *own = g->share + (size_t)rows * n;
	struct cpuset none = CPUSET_NONE;
	bool known = false;

	for (unsigned int i = 0; i < rows; i++) {
		double *row = g->share + (size_t)i * n;
		const struct cpuset *bound =
			g->nodes != NULL ? &g->nodes[i].host_nodes : &none;

		if (!touch_settle(topo, bound, row))
			continue;
		if (g->nodes != NULL)
			g->nodes[i].memory_share = row;
		for (unsigned int node = 0; node < n; node++)
			own[node] += row[node];
		known = true;
	}
	if (known && touch_settle(topo, &none, own))
		g->vm.memory_share = own;
}

static void
make_rows(struct tenant *g, const struct topo *topo)
{
	g->share = xcalloc(((size_t)rows_of(g) + 1) * topo->n_nodes, sizeof(*g->share));
	g->memory_gib = xcalloc(topo->n_nodes, sizeof(*g->memory_gib));
}

/* Memory that is on nodes already: it was there when the host's free memory was read,
 * so it takes nothing now, but is given back. */
static void
set_resident(struct tenant *g, const struct replay_start *s, const struct topo *topo)
{
	double sum = 0;

	for (unsigned int i = 0; i < s->n_resident; i++)
		sum += s->resident[i].value;
	if (!(sum > 0))
		return;
	make_rows(g, topo);
	for (unsigned int i = 0; i < s->n_resident; i++) {
		unsigned int node =
			(unsigned int)topo_node_index(topo, s->resident[i].id);

		g->memory_gib[node] += s->resident[i].value;
		for (unsigned int row = 0; row < rows_of(g); row++)
			g->share[(size_t)row * topo->n_nodes + node] +=
				s->resident[i].value;
	}
	settle(g, topo);
}

struct tenant *
tenant_new(const struct replay_event *event, const struct replay_settings *defaults,
	const struct scene *scene)
{
	const struct replay_start *s = &event->start;
	struct tenant *g = xcalloc(1, sizeof(*g));

	str_copy(g->id, sizeof(g->id), event->id);
	g->max_vcpus = s->max_vcpus > 0 ? s->max_vcpus : s->n_vcpus;
	g->vm = (struct plan_vm){
		.id = g->id,
		.mode = s->has_mode ? s->mode : defaults->mode,
		.smt = s->has_smt ? s->smt : defaults->smt,
		.emulator = s->has_emulator ? s->emulator : defaults->emulator,
		.off_by_admin = true,
		.n_vcpus = s->n_vcpus,
		.threads_per_core = s->threads_per_core,
		.pci_nodes = s->pci_nodes,
		.changed_s = PLAN_NEVER_S,
	};
	set_limit(g, s, scene);
	check(g, s, scene->topo);
	if (g->bad[0] != '\0')
		return g;
	g->vm.demand_vcpus = s->weight;
	g->vm.cpulimit = s->cpulimit;
	g->vm.memory_gib = s->memory_gib;
	if (s->n_guest_nodes > 0)
		set_guest_nodes(g, s);
	set_resident(g, s, scene->topo);
	return g;
}

void
tenant_free(struct tenant *g)
{
	if (g == NULL)
		return;
	free(g->nodes);
	free(g->node_of);
	free(g->share);
	free(g->memory_gib);
	free(g);
}

struct cpuset
tenant_anywhere(const struct tenant *g, const struct topo *topo)
{
	struct cpuset cpus = cpuset_and(&g->vm.limit, &topo->online);

	/* as the kernel does it when the last CPU of a mask goes */
	return cpuset_empty(&cpus) ? topo->online : cpus;
}

void
tenant_touch(struct tenant *g, struct scene *scene, const struct cpuset *masks,
	unsigned int n_masks)
{
	const struct topo *topo = scene->topo;
	struct cpuset anywhere = tenant_anywhere(g, topo);
	unsigned int n =
		g->vm.n_vcpus < PLAN_VCPUS_MAX ? g->vm.n_vcpus : PLAN_VCPUS_MAX;

	if (g->memory_gib != NULL || n == 0)
		return;
	make_rows(g, topo);
	for (unsigned int v = 0; v < n; v++) {
		unsigned int row = g->node_of != NULL ? g->node_of[v] : 0;

		touch_add(topo, v < n_masks ? &masks[v] : &anywhere, 1,
			g->share + (size_t)row * topo->n_nodes);
	}
	settle(g, topo);
	if (g->vm.memory_share == NULL)
		return;
	for (unsigned int i = 0; i < topo->n_nodes; i++)
		g->memory_gib[i] = g->vm.memory_gib * g->vm.memory_share[i];
	scene_take(scene, g->memory_gib);
}

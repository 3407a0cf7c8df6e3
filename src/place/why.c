// SPDX-License-Identifier: MIT
/*
 * Reasons. Domains have the names an administrator knows from lscpu and lstopo; L3
 * groups are counted within their node, so those of several nodes have no name but
 * their CPUs. Texts fit PLAN_WHY_MAX with the domain first, so that a cut text loses
 * the least.
 */
#include "config.h"

#include "place/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/xalloc.h"
#include "place/candidates.h"
#include "place/homing.h"
#include "place/objective.h"
#include "place/pin.h"
#include "place/widen.h"

/* Demand that is less by this counts as less in words. */
#define SHOWN_CPUS 0.05

/* The groups among @groups that lie in @cpus, as a set of indices; empty when they do
 * not make up @cpus exactly. */
static struct cpuset
made_of(const struct topo_group *groups, unsigned int n, const struct cpuset *cpus)
{
	struct cpuset members = CPUSET_NONE;
	struct cpuset sum = CPUSET_NONE;

	for (unsigned int i = 0; i < n; i++) {
		if (!cpuset_within(&groups[i].cpus, cpus))
			continue;
		cpuset_add(&members, i);
		sum = cpuset_or(&sum, &groups[i].cpus);
	}
	return cpuset_equal(&sum, cpus) ? members : CPUSET_NONE;
}

static struct cpuset
made_of_nodes(const struct topo *t, const struct cpuset *cpus)
{
	struct cpuset ids = CPUSET_NONE;
	struct cpuset sum = CPUSET_NONE;

	for (unsigned int i = 0; i < t->n_nodes; i++) {
		const struct topo_node *node = &t->nodes[i];

		if (cpuset_empty(&node->cpus) || !cpuset_within(&node->cpus, cpus))
			continue;
		cpuset_add(&ids, node->id);
		sum = cpuset_or(&sum, &node->cpus);
	}
	return cpuset_equal(&sum, cpus) ? ids : CPUSET_NONE;
}

static char *
list(const char *one, const char *many, const struct cpuset *members, char *buf,
	size_t size)
{
	char numbers[32];

	(void)snprintf(buf, size, "%s %s", cpuset_count(members) == 1 ? one : many,
		cpuset_format(members, numbers, sizeof(numbers)));
	return buf;
}

/* L3 groups of one node, counted within it. */
static bool
l3_of_node(const struct topo *t, const struct cpuset *groups, char *buf, size_t size)
{
	unsigned int first = cpuset_next(groups, 0);
	int node = t->pus[t->pu_of_cpu[cpuset_next(&t->l3[first].cpus, 0)]].node;
	struct cpuset in_node = CPUSET_NONE;
	unsigned int index = 0;
	char text[WHY_DOMAIN_MAX];

	if (node == TOPO_NONE)
		return false;
	for (unsigned int i = 0; i < t->n_l3; i++) {
		bool inside = cpuset_within(&t->l3[i].cpus, &t->nodes[node].cpus);

		if (cpuset_has(groups, i) && !inside)
			return false;
		if (cpuset_has(groups, i))
			cpuset_add(&in_node, index);
		index += inside;
	}
	(void)list("L3 group", "L3 groups", &in_node, text, sizeof(text));
	(void)snprintf(buf, size, "%.40s of node %u", text, t->nodes[node].id);
	return true;
}

char *
why_domain(const struct topo *t, const struct cpuset *cpus, char *buf, size_t size)
{
	struct cpuset members;
	char numbers[40];

	if (cpuset_equal(cpus, &t->online)) {
		(void)snprintf(buf, size, "the host");
		return buf;
	}
	members = made_of_nodes(t, cpus);
	if (!cpuset_empty(&members))
		return list("node", "nodes", &members, buf, size);
	members = made_of(t->packages, t->n_packages, cpus);
	if (!cpuset_empty(&members))
		return list("package", "packages", &members, buf, size);
	members = made_of(t->l3, t->n_l3, cpus);
	if (!cpuset_empty(&members) && l3_of_node(t, &members, buf, size))
		return buf;
	if (!cpuset_empty(&members) && t->n_nodes == 0)
		return list("L3 group", "L3 groups", &members, buf, size);
	(void)snprintf(buf, size, "CPU%s %s", cpuset_count(cpus) == 1 ? "" : "s",
		cpuset_format(cpus, numbers, sizeof(numbers)));
	return buf;
}

/* The name of a node of the tree, found once for all VMs. */
static const char *
name_of(const struct world *w, unsigned int node)
{
	char text[WHY_DOMAIN_MAX];

	if (w->names[node] == NULL)
		w->names[node] = xstrdup(why_domain(
			w->in->topo, &w->tree->nodes[node].whole, text, sizeof(text)));
	return w->names[node];
}

/* The nodes that @cpus are on; empty when some are on none. */
static struct cpuset
nodes_around(const struct topo *t, const struct cpuset *cpus)
{
	struct cpuset sum = CPUSET_NONE;

	for (unsigned int i = 0; i < t->n_nodes; i++) {
		if (cpuset_overlap(&t->nodes[i].cpus, cpus))
			sum = cpuset_or(&sum, &t->nodes[i].cpus);
	}
	return cpuset_within(cpus, &sum) ? sum : CPUSET_NONE;
}

bool
why_around(const struct topo *t, const struct cpuset *cpus, char *buf, size_t size)
{
	struct cpuset around = nodes_around(t, cpus);

	(void)why_domain(t, cpus, buf, size);
	if (strncmp(buf, "CPU", 3) != 0)
		return true;
	for (unsigned int i = 0; i < t->n_l3; i++) {
		if (cpuset_within(cpus, &t->l3[i].cpus))
			around = t->l3[i].cpus;
	}
	if (cpuset_empty(&around) ||
		strncmp(why_domain(t, &around, buf, size), "CPU", 3) == 0)
		(void)why_domain(t, &t->online, buf, size);
	return false;
}

static void append(char *why, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
append(char *why, const char *fmt, ...)
{
	size_t used = strlen(why);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(why + used, PLAN_WHY_MAX - used, fmt, args);
	va_end(args);
}

static void
say_memory(const struct world *w, const struct world_vm *vm,
	const struct world_group *g, unsigned int node)
{
	if (g->memory_share == NULL || w->in->topo->n_nodes < 2)
		return;
	append(vm->out->why, ", memory %s%.0f %% local",
		vm->role == WORLD_OBSERVE ? "would be " : "",
		100 * candidates_local_share(w, g, node));
}

/* What there was on the domain when the VM came. */
static void
say_load(const struct world *w, const struct world_vm *vm, const struct world_group *g,
	unsigned int node)
{
	const struct tree_node *tn = &w->tree->nodes[node];
	double after = g->load_before + g->demand;

	if (after <= tn->n_cores)
		append(vm->out->why, ", free cores");
	else if (after <= tn->n_cpus)
		append(vm->out->why, ", free CPUs (load %.1f -> %.1f)", g->load_before,
			after);
	else
		append(vm->out->why, ", load %.1f -> %.1f", g->load_before, after);
}

static void
say_cause(const struct world *w, const struct world_vm *vm, const struct world_group *g,
	unsigned int node)
{
	char *why = vm->out->why;

	if (g->cores != NULL)
		append(why, ", narrowed to whole cores since nobody else is there");
	else if (g->narrowed && g->cause != WORLD_REBALANCED)
		append(why, ", no longer narrowed to whole cores");
	switch (g->cause) {
	case WORLD_NEW:
		say_load(w, vm, g, node);
		break;
	case WORLD_KEPT:
		if (!homing_say(vm->in, why) && vm->out->verdict == PLAN_KEEP)
			append(why, ", kept");
		break;
	case WORLD_CUT:
		append(why, ", without CPUs it may no longer use");
		break;
	case WORLD_GROWN:
		if (!g->narrowed)
			append(why, ", with CPUs it may use again");
		break;
	case WORLD_WIDENED: /* say_waited */
		break;
	case WORLD_PLUGGED:
		append(why, ", plugged %u", g->n_vcpus - g->n_current);
		break;
	case WORLD_REBALANCED:
		if (g->cores != NULL) {
			append(why, ": %.1f ns less, most of it %s", g->gain_ns,
				term_name(g->gain_term));
			return;
		}
		append(why, ", moved from %s: %.1f ns less, most of it %s",
			name_of(w, (unsigned int)g->first), g->gain_ns,
			term_name(g->gain_term));
		return;
	}
	if (g->role != WORLD_FLOAT || g->first == g->node)
		return;
	append(why, ", widened from %s", name_of(w, (unsigned int)g->first));
	if (world_room(w, g, (unsigned int)g->first) < g->n_vcpus)
		append(why, " to have a CPU for each");
	else
		append(why, " so that nobody waits while CPUs idle");
}

/* What has proved too narrow. */
static void
say_waited(
	const struct world *w, const struct world_vm *vm, const struct world_group *g)
{
	struct cpuset idle;
	char cpus[40];

	if (!widen_shows(w, g))
		return;
	idle = cpuset_and(&g->waited->idle, &g->allowed);
	append(vm->out->why, ", widened since it waited %.0f %% while CPU%s %s idled",
		100 * g->waited->share, cpuset_count(&idle) == 1 ? "" : "s",
		cpuset_format(&idle, cpus, sizeof(cpus)));
}

/* What the administrator should know about the limits of this placement. */
static void
say_limits(const struct world *w, const struct world_vm *vm,
	const struct world_group *g, unsigned int node)
{
	char *why = vm->out->why;
	unsigned int all = w->classes[g->cls].n_cpus;
	unsigned int stacked = g->role == WORLD_PIN ? pin_stacked(w, g) : 0;

	if (g->n_vcpus > all)
		append(why, ", its limit has no more");
	else if (!g->apart && world_room(w, g, node) < w->tree->nodes[node].n_cpus)
		append(why, ", cut by its limit");
	if (stacked > 0)
		append(why, ", %u of them share%s a %s with another %s", stacked,
			stacked == 1 ? "s" : "", g->whole_cores ? "core" : "CPU",
			g->whole_cores ? "guest core" : "vCPU");
}

void
why_planned(const struct world *w, const struct world_vm *vm,
	const struct world_group *g, unsigned int node)
{
	char apart[WHY_DOMAIN_MAX];
	struct cpuset mine = CPUSET_NONE;
	unsigned int cpus;

	for (unsigned int i = 0; i < g->n_vcpus; i++)
		mine = cpuset_or(&mine, &vm->out->vcpus[g->vcpus[i]]);
	cpus = cpuset_count(&mine);
	if (vm->n_groups > 1)
		append(vm->out->why,
			"%sguest node %u: ", vm->out->why[0] == '\0' ? "" : "; ",
			g->guest_node);
	append(vm->out->why, "%s: %u CPU%s for %u vCPU%s",
		g->apart ? why_domain(w->in->topo, &mine, apart, sizeof(apart))
			 : name_of(w, node),
		cpus, cpus == 1 ? "" : "s", g->n_vcpus, g->n_vcpus == 1 ? "" : "s");
	if (g->demand < g->n_vcpus - SHOWN_CPUS)
		append(vm->out->why, " that want %.1f", g->demand);
	say_cause(w, vm, g, node);
	say_waited(w, vm, g);
	say_memory(w, vm, g, node);
	say_limits(w, vm, g, node);
}

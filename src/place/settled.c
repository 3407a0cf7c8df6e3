// SPDX-License-Identifier: MIT
/* Results of the first stage. Others' places do not show in them, only their cores. */
#include "config.h"

#include "place/settled.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "place/entry.h"
#include "place/held.h"
#include "place/homing.h"
#include "place/why.h"

/* More VMs that may run on its cores, or nodes, than this are not named one by one. */
#define NAMED_VMS 3u
#define NAMED_NODES 8u

static void append(const struct seat *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
append(const struct seat *s, const char *fmt, ...)
{
	char *why = s->vm->out->why;
	size_t used = strlen(why);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(why + used, PLAN_WHY_MAX - used, fmt, args);
	va_end(args);
}

static const char *
plural(unsigned int n)
{
	return n == 1 ? "" : "s";
}

/* All CPUs of the cores that are the VM's alone. */
static struct cpuset
cores_of(const struct cores *c, const struct seat *s)
{
	struct cpuset cpus = CPUSET_NONE;

	for (unsigned int i = 0; i < s->n_owns; i++) {
		struct cpuset own = held_cores(c, &s->owns[i]);

		cpus = cpuset_or(&cpus, &own);
	}
	return cpus;
}

/* One core beside @mine in the smallest domain that has one; the last there. */
static struct cpuset
one_core_outside(const struct cores *c, const struct seat *s, const struct cpuset *mine)
{
	const struct topo *topo = c->in->topo;
	const struct tree *t = c->tree;
	struct cpuset out = CPUSET_NONE;

	for (int up = (int)tree_around(t, topo, mine); up >= 0 && cpuset_empty(&out);
		up = t->nodes[up].parent) {
		struct cpuset rest = cpuset_and(&t->nodes[up].cpus, &s->vm->allowed);

		rest = cpuset_minus(&rest, &c->alone);
		cpuset_foreach (cpu, &rest) {
			int core = topo->pus[topo->pu_of_cpu[cpu]].core;

			out = cpuset_and(&topo->cores[core].cpus, &rest);
		}
	}
	return out;
}

/* The CPUs nearest to isolated ones on which the kernel balances. */
static struct cpuset
near_isolated(const struct cores *c, const struct seat *s, const struct cpuset *mine)
{
	const struct tree *t = c->tree;
	struct cpuset cpus;

	for (int up = (int)tree_around(t, c->in->topo, mine); up >= 0;
		up = t->nodes[up].parent) {
		cpus = cpuset_and(&t->nodes[up].cpus, &s->vm->allowed);
		cpus = cpuset_minus(&cpus, &c->alone);
		if (!cpuset_empty(&cpus))
			return cpus;
	}
	return CPUSET_NONE;
}

static struct cpuset
reserved_for(const struct cores *c, const struct seat *s)
{
	struct cpuset cpus = entry_limit(c->in, s->vm->in);
	struct cpuset own = cores_of(c, s);
	struct cpuset others = cpuset_minus(&c->alone, &own);

	cpus = cpuset_and(&cpus, &c->in->policy->reserved);
	cpus = cpuset_minus(&cpus, &others);
	return cpuset_minus(&cpus, &c->in->topo->isolated);
}

/* Cores of its own without a vCPU, else all of them; not isolated CPUs, where nothing
 * is balanced, as long as there are others. */
static struct cpuset
emulator_near(const struct cores *c, const struct seat *s, const struct cpuset *vcpus)
{
	struct cpuset cores = cores_of(c, s);
	struct cpuset own = cpuset_and(&cores, &s->vm->allowed);
	struct cpuset idle = CPUSET_NONE;

	cpuset_foreach (cpu, &own) {
		const struct topo *topo = c->in->topo;
		int core = topo->pus[topo->pu_of_cpu[cpu]].core;

		if (!cpuset_overlap(&topo->cores[core].cpus, vcpus))
			cpuset_add(&idle, cpu);
	}
	if (!cpuset_empty(&idle))
		return idle;
	if (!cpuset_empty(&own))
		return own;
	own = near_isolated(c, s, vcpus);
	if (cpuset_empty(&own))
		own = reserved_for(c, s);
	return cpuset_empty(&own) ? *vcpus : own;
}

static struct cpuset
emulator(const struct cores *c, const struct seat *s, const struct cpuset *vcpus)
{
	struct cpuset apart = CPUSET_NONE;

	if (s->vm->in->emulator == PLACE_EMULATOR_FOLLOW)
		return *vcpus;
	if (s->vm->in->emulator == PLACE_EMULATOR_ISOLATE) {
		apart = reserved_for(c, s);
		if (cpuset_empty(&apart))
			apart = one_core_outside(c, s, vcpus);
	}
	return cpuset_empty(&apart) ? emulator_near(c, s, vcpus) : apart;
}

static struct cpuset
cpus_of(const struct cores *c, const struct own *o)
{
	struct cpuset cpus = CPUSET_NONE;

	for (unsigned int v = 0; v < o->g->n_vcpus; v++) {
		struct cpuset mask = own_mask(c, o, v);

		cpus = cpuset_or(&cpus, &mask);
	}
	return cpus;
}

/* vCPUs of other VMs that had some of its CPUs in their masks. */
static unsigned int
others_on(const struct cores *c, const struct cpuset *cpus)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < c->harm.n_masks; i++) {
		if (cpuset_overlap(&c->harm.masks[i].cpus, cpus))
			n += c->harm.masks[i].n_vcpus;
	}
	return n;
}

static void
say_cause(const struct cores *c, const struct seat *s, const struct own *o,
	const struct cpuset *cpus)
{
	unsigned int others;

	switch (o->g->cause) {
	case WORLD_NEW:
		others = o->alone ? others_on(c, cpus) : 0;
		if (others > 0)
			append(s, ", %u vCPU%s of other VMs give%s way", others,
				plural(others), others == 1 ? "s" : "");
		break;
	case WORLD_KEPT:
		if (!homing_say(s->vm->in, s->vm->out->why) &&
			s->vm->out->verdict == PLAN_KEEP)
			append(s, ", kept");
		break;
	case WORLD_CUT:
		append(s, ", without CPUs it may no longer use");
		break;
	case WORLD_GROWN:
		append(s, ", with more CPUs than it had");
		break;
	case WORLD_PLUGGED:
		append(s, ", plugged %u", o->g->n_vcpus - o->g->n_current);
		break;
	case WORLD_REBALANCED: /* moves float VMs only */
	case WORLD_WIDENED:
		break;
	}
}

/* vCPUs that share what each should have for itself. */
static unsigned int
count_shared(const struct cores *c, const struct own *o)
{
	const struct topo *topo = c->in->topo;
	unsigned int n = 0;

	for (unsigned int v = 0; v < o->g->n_vcpus; v++) {
		bool shared = false;

		if (!o->g->whole_cores) {
			n += o->used[o->g->pins[v]] > 1;
			continue;
		}
		for (unsigned int k = 0; k < o->g->n_vcpus && !shared; k++)
			shared = o->guest.of[k] != o->guest.of[v] &&
				 topo->pus[o->g->pins[k]].core ==
					 topo->pus[o->g->pins[v]].core;
		n += shared;
	}
	return n;
}

static void
say_limits(const struct cores *c, const struct seat *s, const struct own *o,
	const struct cpuset *cpus)
{
	unsigned int shared;

	if (o->floats) {
		if (cpuset_count(cpus) < o->g->n_vcpus)
			append(s, ", which have %u CPU%s: there are no more for it",
				cpuset_count(cpus), plural(cpuset_count(cpus)));
		return;
	}
	shared = count_shared(c, o);
	if (shared > 0)
		append(s, ", %u of them share a %s with another %s: there are no more",
			shared, o->g->whole_cores ? "core" : "CPU",
			o->g->whole_cores ? "guest core" : "vCPU");
}

static void
say_memory(const struct cores *c, const struct seat *s, const struct own *o,
	const struct cpuset *cpus)
{
	const struct topo *topo = c->in->topo;
	double local = 0;

	if (o->g->memory_share == NULL || topo->n_nodes < 2)
		return;
	cpuset_foreach (cpu, cpus) {
		int node = topo->pus[topo->pu_of_cpu[cpu]].node;

		if (node != TOPO_NONE)
			local += o->g->memory_share[node] / cpuset_count(cpus);
	}
	append(s, ", memory %.0f %% local", 100 * local);
}

static void
say_group(const struct cores *c, const struct seat *s, const struct own *o)
{
	const struct topo *topo = c->in->topo;
	struct cpuset cpus = cpus_of(c, o);
	unsigned int n = topo_count_cores(topo, &cpus);
	unsigned int vcpus = o->g->n_vcpus;
	char text[WHY_DOMAIN_MAX];

	if (s->n_owns > 1)
		append(s, "%sguest node %u: ", s->vm->out->why[0] == '\0' ? "" : "; ",
			o->g->guest_node);
	if (o->alone)
		append(s, "%s: %u core%s of its own for %u vCPU%s",
			why_domain(topo,
				&c->tree->nodes[tree_around(c->tree, topo, &cpus)]
					 .whole,
				text, sizeof(text)),
			n, plural(n), vcpus, plural(vcpus));
	else
		append(s, "isolated CPU%s %s for %u vCPU%s",
			plural(cpuset_count(&cpus)),
			cpuset_format(&cpus, text, sizeof(text)), vcpus, plural(vcpus));
	say_cause(c, s, o, &cpus);
	say_memory(c, s, o, &cpus);
	say_limits(c, s, o, &cpus);
}

/* It is not ours to keep this VM away from @cpus, and it may run there. */
static bool
can_still_run(const struct world_vm *vm, const struct cpuset *cpus)
{
	if ((vm->role != WORLD_LEAVE && vm->role != WORLD_OBSERVE) ||
		vm->out->n_vcpus > 0 || vm->in->n_vcpus == 0)
		return false;
	for (unsigned int v = 0; v < vm->in->n_current; v++) {
		if (cpuset_overlap(&vm->in->current[v], cpus))
			return true;
	}
	return vm->in->n_current == 0 && cpuset_overlap(&vm->in->limit, cpus);
}

static void
say_intruders(const struct cores *c, const struct seat *s)
{
	struct cpuset cpus = cores_of(c, s);
	unsigned int n = 0;

	if (cpuset_empty(&cpus))
		return;
	for (unsigned int i = 0; i < c->in->n_vms; i++) {
		const struct world_vm *vm = &c->entries->vms[i];

		if (!can_still_run(vm, &cpus) || vm == s->vm || n++ >= NAMED_VMS)
			continue;
		append(s, "%s%s", n == 1 ? "; can still run there: " : ", ",
			vm->in->id);
	}
	if (n > NAMED_VMS)
		append(s, " and %u more", n - NAMED_VMS);
}

void
settled_write(const struct cores *c, const struct seat *s)
{
	struct plan_result *out = s->vm->out;

	out->n_vcpus = s->vm->in->n_vcpus;
	out->vcpus = xcalloc(out->n_vcpus, sizeof(*out->vcpus));
	for (unsigned int i = 0; i < s->n_owns; i++) {
		const struct own *o = &s->owns[i];
		struct cpuset cpus = cpus_of(c, o);

		out->domain = cpuset_or(&out->domain, &cpus);
		for (unsigned int v = 0; v < o->g->n_vcpus; v++)
			out->vcpus[o->g->vcpus[v]] = own_mask(c, o, v);
	}
	out->tier =
		c->tree->nodes[tree_around(c->tree, c->in->topo, &out->domain)].tier;
	out->emulator = emulator(c, s, &out->domain);
	out->apply = true;
	out->verdict = s->vm->in->placed && entry_has_masks(s->vm->in, out)
			       ? PLAN_KEEP
			       : PLAN_PLACE;
	for (unsigned int i = 0; i < s->n_owns; i++)
		say_group(c, s, &s->owns[i]);
	say_intruders(c, s);
}

/* "nodes 0-3 can give 3, 2, 0, 0" */
static void
say_nodes(const struct cores *c, const struct seat *s, const unsigned int *by_node)
{
	const struct topo *topo = c->in->topo;
	struct cpuset ids = CPUSET_NONE;
	unsigned int n = 0;
	char text[40];

	for (unsigned int i = 0; i < topo->n_nodes; i++) {
		if (!cpuset_empty(&topo->nodes[i].cpus))
			cpuset_add(&ids, topo->nodes[i].id);
	}
	if (cpuset_empty(&ids)) {
		append(s, "the host can give %u", by_node[c->n_nodes - 1]);
		return;
	}
	append(s, "node%s %s can give", plural(cpuset_count(&ids)),
		cpuset_format(&ids, text, sizeof(text)));
	for (unsigned int i = 0; i < topo->n_nodes && n < NAMED_NODES; i++) {
		if (!cpuset_empty(&topo->nodes[i].cpus))
			append(s, "%s %u", n++ == 0 ? "" : ",", by_node[i]);
	}
	if (cpuset_count(&ids) > NAMED_NODES)
		append(s, " ...");
}

static unsigned int
sum_of(const struct cores *c, const unsigned int *by_node)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < c->n_nodes; i++)
		n += by_node[i];
	return n;
}

/* CPUs it is to be refused by: isolated ones only when it may use no others. */
static const struct cpuset *
pool_of(const struct cpuset *allowed, const struct cpuset *isolated)
{
	return cpuset_empty(allowed) ? isolated : allowed;
}

static void
refuse_alone(struct cores *c, const struct seat *s)
{
	auto_free unsigned int *by_node = xcalloc(c->n_nodes, sizeof(*by_node));
	const struct cpuset *pool = pool_of(&s->vm->allowed, &s->vm->isolated);
	unsigned int pct = c->in->policy->dedicated_max_pct;
	unsigned int needs = 0;
	unsigned int cpus = 0;
	int guest_node = -1;

	for (unsigned int i = 0; i < s->n_owns && guest_node < 0; i++) {
		const struct own *o = &s->owns[i];
		unsigned int n = own_count(
			c, o, pool_of(&o->g->allowed, &o->g->isolated), by_node, &cpus);

		needs += n;
		if (n <= sum_of(c, by_node) || s->n_owns == 1)
			continue;
		guest_node = (int)o->g->guest_node; /* that one is enough */
		needs = n;
	}
	if (guest_node < 0)
		(void)own_count(c, &s->owns[0], pool, by_node, &cpus);
	else
		append(s, "guest node %d: ", guest_node);
	append(s, "%s needs %u core%s of its own: ",
		s->vm->in->mode == PLACE_DEDICATED ? "dedicated" : "smt=isolate", needs,
		plural(needs));
	say_nodes(c, s, by_node);
	if (sum_of(c, by_node) >= needs)
		append(s, " with %u CPU%s for %u vCPUs", cpus, plural(cpus),
			s->vm->in->n_vcpus);
	append(s, " (%u %% of each node, CPU 0's core never)", pct < 100 ? pct : 100);
}

void
settled_refuse(struct cores *c, const struct seat *s)
{
	struct cpuset free = cpuset_minus(&s->vm->isolated, &c->alone);
	char text[60];

	s->vm->out->why[0] = '\0';
	if (s->owns[0].alone && !s->adopted) {
		refuse_alone(c, s);
		return;
	}
	free = cpuset_minus(&free, &c->single);
	append(s, "%u vCPUs need an isolated CPU each: of CPUs %s %u are free",
		s->vm->in->n_vcpus, cpuset_format(&s->vm->isolated, text, sizeof(text)),
		cpuset_count(&free));
}

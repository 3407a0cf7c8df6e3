// SPDX-License-Identifier: MIT
/* What a group of the first stage has, piece by piece. Pure. */
#include "config.h"

#include "place/held.h"

#include <limits.h>

unsigned int
held_core(const struct cores *c, int pu)
{
	return (unsigned int)c->in->topo->pus[pu].core;
}

/* All CPUs it may have, where it has to choose no longer. */
struct cpuset
held_may(const struct own *o)
{
	if (!o->alone)
		return o->g->isolated;
	return cpuset_or(&o->g->allowed, &o->g->isolated);
}

/* CPUs of a core that it may have. */
struct cpuset
held_part(const struct cores *c, const struct own *o, unsigned int core)
{
	struct cpuset may = held_may(o);

	return cpuset_and(&may, &c->in->topo->cores[core].cpus);
}

static unsigned int
vcpus_on_core(const struct cores *c, const struct own *o, unsigned int core)
{
	const struct topo *t = c->in->topo;
	unsigned int n = 0;

	cpuset_foreach (cpu, &t->cores[core].cpus)
		n += o->used[t->pu_of_cpu[cpu]];
	return n;
}

/* The core becomes its own. Returns false when it is somebody else's or must not. */
bool
held_take(struct cores *c, const struct own *o, unsigned int core)
{
	if (c->owner[core] == (int)o->number)
		return true;
	if (!cores_may_take(c, core))
		return false;
	cores_take(c, core, o->number);
	return true;
}

void
held_pin(struct cores *c, const struct own *o, unsigned int v, int pu)
{
	o->g->pins[v] = pu;
	o->used[pu]++;
	if (!o->alone)
		cpuset_add(&c->single, c->in->topo->pus[pu].cpu);
}

/* The CPU that stands for the @v-th vCPU on a core: those of a guest core take its CPUs
 * in turn. */
int
held_turn(const struct cores *c, const struct own *o, unsigned int v, unsigned int core)
{
	struct cpuset cpus = held_part(c, o, core);
	unsigned int turn = 0;
	unsigned int cpu;

	for (unsigned int k = 0; k < v; k++)
		turn += o->guest.of[k] == o->guest.of[v];
	turn %= cpuset_count(&cpus);
	cpu = cpuset_next(&cpus, 0);
	for (; turn > 0; turn--)
		cpu = cpuset_next(&cpus, cpu + 1);
	return c->in->topo->pu_of_cpu[cpu];
}

/* The core that the vCPU's guest core has already, or -1. */
int
held_siblings(const struct cores *c, const struct own *o, unsigned int v)
{
	for (unsigned int k = 0; k < o->g->n_vcpus; k++) {
		if (o->guest.of[k] == o->guest.of[v] && o->g->pins[k] >= 0)
			return (int)held_core(c, o->g->pins[k]);
	}
	return -1;
}

/* A CPU of the core that no vCPU has, or -1. */
int
held_idle(const struct cores *c, const struct own *o, unsigned int core)
{
	struct cpuset part = held_part(c, o, core);

	part = cpuset_minus(&part, &c->single);
	if (!o->alone)
		part = cpuset_minus(&part, &c->alone);
	cpuset_foreach (cpu, &part) {
		if (o->used[c->in->topo->pu_of_cpu[cpu]] == 0)
			return c->in->topo->pu_of_cpu[cpu];
	}
	return -1;
}

/* The core of its own with the fewest vCPUs for each CPU that is not isolated, or -1.
 */
int
held_least_core(const struct cores *c, const struct own *o)
{
	unsigned int least = UINT_MAX;
	int best = -1;

	for (unsigned int core = 0; core < c->in->topo->n_cores; core++) {
		unsigned int n;

		if (c->owner[core] != (int)o->number)
			continue;
		n = vcpus_on_core(c, o, core);
		if (n < least) {
			least = n;
			best = (int)core;
		}
	}
	return best;
}

/* The CPU of its cores with the fewest vCPUs, or -1. */
int
held_least_pu(const struct cores *c, const struct own *o)
{
	unsigned int least = UINT_MAX;
	int best = -1;

	cpuset_foreach (cpu, &o->g->allowed) {
		int pu = c->in->topo->pu_of_cpu[cpu];
		unsigned int n;

		if (c->owner[held_core(c, pu)] != (int)o->number)
			continue;
		n = o->used[pu];
		if (n < least) {
			least = n;
			best = pu;
		}
	}
	return best;
}

struct cpuset
held_cores(const struct cores *c, const struct own *o)
{
	struct cpuset cpus = CPUSET_NONE;

	for (unsigned int core = 0; core < c->in->topo->n_cores; core++) {
		if (c->owner[core] == (int)o->number)
			cpus = cpuset_or(&cpus, &c->in->topo->cores[core].cpus);
	}
	return cpus;
}

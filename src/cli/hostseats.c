// SPDX-License-Identifier: MIT
/*
 * Nodes and L3 groups need not be nested: only a group that lies within a node is a
 * part of it. vCPUs with the same mask are seated together.
 */
#include "config.h"

#include "cli/hostseats.h"

#include <stdlib.h>

#include "base/xalloc.h"

static struct hostseats_unit *
add_unit(struct hostseats *s, const struct cpuset *cpus, unsigned int id, int parent)
{
	struct hostseats_unit *u = &s->units[s->n++];
	struct cpuset usable = cpuset_minus(cpus, &s->reserved);

	*u = (struct hostseats_unit){.cpus = *cpus,
		.n_cpus = cpuset_count(&usable),
		.id = id,
		.parent = parent};
	return u;
}

/* The parts of a node, if it has several. */
static void
add_groups(struct hostseats *s, int node)
{
	const struct cpuset whole = s->units[node].cpus;
	const struct topo *t = s->topo;
	unsigned int first = s->n;

	for (unsigned int i = 0; i < t->n_l3; i++) {
		if (cpuset_within(&t->l3[i].cpus, &whole))
			(void)add_unit(s, &t->l3[i].cpus, s->n - first, node);
	}
	if (s->n == first + 1 && cpuset_equal(&s->units[first].cpus, &whole))
		s->n = first;
}

static void
add_units(struct hostseats *s)
{
	const struct topo *t = s->topo;
	struct cpuset rest = t->online;

	s->units = xcalloc((size_t)t->n_nodes + t->n_l3 + 1, sizeof(*s->units));
	for (unsigned int i = 0; i < t->n_nodes; i++) {
		const struct cpuset *cpus = &t->nodes[i].cpus;

		if (cpuset_empty(cpus))
			continue;
		(void)add_unit(s, cpus, t->nodes[i].id, -1);
		add_groups(s, (int)s->n - 1);
		rest = cpuset_minus(&rest, cpus);
	}
	if (cpuset_empty(&rest))
		return;
	(void)add_unit(s, &rest, HOSTSEATS_NO_NODE, -1);
	add_groups(s, (int)s->n - 1);
}

/* The L3 group or node that holds it, or -1. */
static int
seat_of(const struct hostseats *s, const struct cpuset *mask)
{
	int found = -1;

	for (unsigned int i = 0; i < s->n; i++) {
		if (cpuset_within(mask, &s->units[i].cpus))
			found = (int)i; /* groups come after their node */
	}
	return found;
}

/* @n vCPUs that have the same mask. */
static void
seat(struct hostseats *s, const struct cpuset *mask, unsigned int n)
{
	unsigned int all = cpuset_count(mask);
	int own = seat_of(s, mask);

	cpuset_foreach (cpu, mask)
		s->load[cpu] += (double)n / all;
	for (unsigned int i = 0; i < s->n; i++) {
		struct hostseats_unit *u = &s->units[i];
		struct cpuset part = cpuset_and(mask, &u->cpus);
		struct cpuset usable;

		if (cpuset_empty(&part))
			continue;
		usable = cpuset_minus(&part, &s->reserved);
		u->load += (double)n * cpuset_count(&usable) / all;
		if ((int)i == own || (own < 0 && u->parent < 0)) {
			u->here += n;
			u->part = cpuset_or(&u->part, &part);
		}
		if (own < 0 && u->parent < 0)
			u->wide = true;
	}
}

void
hostseats_init(struct hostseats *s, const struct topo *t, const struct cpuset *reserved)
{
	*s = (struct hostseats){.topo = t,
		.reserved = *reserved,
		.load = xcalloc(CPUSET_CAP, sizeof(*s->load))};
	add_units(s);
}

void
hostseats_fini(struct hostseats *s)
{
	for (unsigned int i = 0; i < s->n; i++)
		strbuf_fini(&s->units[i].vms);
	free(s->units);
	free(s->load);
	*s = (struct hostseats){.topo = NULL};
}

void
hostseats_add(struct hostseats *s, const struct cpuset *vcpus, unsigned int n)
{
	unsigned int first = 0;

	for (unsigned int i = 0; i < s->n; i++) {
		s->units[i].here = 0;
		s->units[i].part = CPUSET_NONE;
		s->units[i].wide = false;
	}
	for (unsigned int v = 1; v <= n; v++) {
		if (v < n && cpuset_equal(&vcpus[first], &vcpus[v]))
			continue;
		seat(s, &vcpus[first], v - first);
		first = v;
	}
}

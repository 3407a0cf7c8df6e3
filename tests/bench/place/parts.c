// SPDX-License-Identifier: MIT
/* Parts and groups, and how they fill the host. */
#include "config.h"

#include "parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pour.h"

/* Add a vCPU to the parts of its VM, which begin at @first. */
static void
add_vcpu(struct parts *p, unsigned int first, const struct part *new)
{
	for (unsigned int i = p->n; i > first; i--) {
		struct part *old = &p->parts[i - 1];

		if (old->guest_node == new->guest_node &&
			cpuset_equal(&old->mask, &new->mask)) {
			old->n += new->n;
			return;
		}
	}
	p->parts[p->n] = *new;
	p->parts[p->n++].width = cpuset_count(&new->mask);
}

static int
by_width(const void *a, const void *b)
{
	const struct part *x = *(struct part *const *)a;
	const struct part *y = *(struct part *const *)b;

	if (x->width != y->width)
		return x->width < y->width ? -1 : 1;
	return cpuset_compare(&x->mask, &y->mask);
}

static void
new_group(const struct site *s, struct parts *p, const struct part *of)
{
	struct group *g = &p->groups[p->n_groups++];

	g->n = 0;
	g->pus = xcalloc(of->width, sizeof(*g->pus));
	g->got = xcalloc(of->width, sizeof(*g->got));
	cpuset_foreach (cpu, &of->mask)
		g->pus[g->n++] = (unsigned short)s->topo->pu_of_cpu[cpu];
}

static void
group(const struct site *s, struct parts *p)
{
	auto_free struct part **sorted = xcalloc(p->n, sizeof(struct part *));

	p->groups = xcalloc(p->n, sizeof(*p->groups));
	for (unsigned int i = 0; i < p->n; i++)
		sorted[i] = &p->parts[i];
	qsort(sorted, p->n, sizeof(struct part *), by_width);
	for (unsigned int i = 0; i < p->n; i++) {
		if (i == 0 || !cpuset_equal(&sorted[i]->mask, &sorted[i - 1]->mask))
			new_group(s, p, sorted[i]);
		sorted[i]->group = p->n_groups - 1;
	}
}

struct parts
parts_of_masks(const struct site *s)
{
	struct parts p = {.parts = xcalloc(site_vcpus(s), sizeof(*p.parts))};

	for (unsigned int i = 0; i < s->n; i++) {
		const struct site_vm *vm = &s->vms[i];
		unsigned int first = p.n;

		for (unsigned int v = 0; v < vm->n_vcpus; v++) {
			struct part one = {.vm = i, .n = 1, .mask = vm->masks[v]};

			one.guest_node = site_guest_node(vm, v);
			add_vcpu(&p, first, &one);
		}
	}
	group(s, &p);
	return p;
}

struct parts
parts_of_limits(const struct site *s)
{
	struct parts p = {.parts = xcalloc(s->n, sizeof(*p.parts))};

	for (unsigned int i = 0; i < s->n; i++) {
		const struct site_vm *vm = &s->vms[i];
		struct part all = {.vm = i, .n = vm->n_vcpus};

		all.mask = site_limit(s, vm);
		add_vcpu(&p, p.n, &all);
	}
	group(s, &p);
	return p;
}

void
parts_fini(struct parts *p)
{
	for (unsigned int i = 0; i < p->n_groups; i++) {
		free(p->groups[i].pus);
		free(p->groups[i].got);
	}
	free(p->groups);
	free(p->parts);
}

double
parts_fill(const struct parts *p, unsigned int n_pus, const bool *busy, bool keep,
	double *load)
{
	double lost = 0;

	memset(load, 0, n_pus * sizeof(*load));
	for (unsigned int k = 0; k < p->n_groups; k++)
		p->groups[k].demand = 0;
	for (unsigned int i = 0; i < p->n; i++) {
		if (busy == NULL || busy[p->parts[i].vm])
			p->groups[p->parts[i].group].demand += p->parts[i].n;
	}
	for (unsigned int k = 0; k < p->n_groups; k++) {
		struct group *g = &p->groups[k];

		if (g->demand > 0)
			pour(g->pus, g->n, g->demand, load, keep ? g->got : NULL);
	}
	for (unsigned int i = 0; i < n_pus; i++)
		lost += load[i] > 1 ? load[i] - 1 : 0;
	return lost;
}

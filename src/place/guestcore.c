// SPDX-License-Identifier: MIT
/*
 * Guest cores numbered from 0, in the order in which their first vCPUs come, so that a
 * core plugged later changes no other number.
 */
#include "config.h"

#include "place/guestcore.h"

#include <stdlib.h>

#include "base/xalloc.h"

struct member {
	uint32_t core; /* as the VM names it */
	unsigned int vcpu;
};

static int
by_core(const void *a, const void *b)
{
	const struct member *x = a;
	const struct member *y = b;

	if (x->core != y->core)
		return x->core < y->core ? -1 : 1;
	return x->vcpu < y->vcpu ? -1 : x->vcpu > y->vcpu;
}

static uint32_t
core_name(const struct plan_vm *in, unsigned int vcpu)
{
	return in->guest_core_of != NULL ? in->guest_core_of[vcpu]
					 : vcpu / in->threads_per_core;
}

/* of[i]: at first the core's first vCPU, then its number. */
static void
number_cores(const struct world_group *g, struct guest_cores *c)
{
	struct member *all = xcalloc(g->n_vcpus, sizeof(*all));

	for (unsigned int i = 0; i < g->n_vcpus; i++)
		all[i] = (struct member){core_name(g->in, g->vcpus[i]), i};
	qsort(all, g->n_vcpus, sizeof(*all), by_core);
	for (unsigned int i = 0; i < g->n_vcpus; i++) {
		bool same = i > 0 && all[i].core == all[i - 1].core;

		c->of[all[i].vcpu] = same ? c->of[all[i - 1].vcpu] : all[i].vcpu;
	}
	for (unsigned int i = 0; i < g->n_vcpus; i++)
		c->of[i] = c->of[i] == i ? c->n++ : c->of[c->of[i]];
	free(all);
}

struct guest_cores
guestcore_list(const struct world_group *g)
{
	struct guest_cores c = {.threads = g->in->threads_per_core > 1};

	c.of = xcalloc(g->n_vcpus, sizeof(*c.of));
	c.size = xcalloc(g->n_vcpus, sizeof(*c.size));
	if (c.threads) {
		number_cores(g, &c);
	} else {
		for (unsigned int i = 0; i < g->n_vcpus; i++)
			c.of[i] = c.n++;
	}
	for (unsigned int i = 0; i < g->n_vcpus; i++)
		c.size[c.of[i]]++;
	return c;
}

void
guestcore_fini(struct guest_cores *c)
{
	free(c->of);
	free(c->size);
	*c = (struct guest_cores){0};
}

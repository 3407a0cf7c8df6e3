// SPDX-License-Identifier: MIT
/* Where vCPUs are, and memory that is touched for the first time. */
#include "config.h"

#include "filled.h"

#include <stdlib.h>

#include "base/xalloc.h"

static void
spread_over_nodes(struct filled *f)
{
	const struct topo *t = f->site->topo;

	for (unsigned int k = 0; k < f->parts.n_groups; k++) {
		const struct group *g = &f->parts.groups[k];

		for (unsigned int i = 0; i < g->n; i++) {
			int node = t->pus[g->pus[i]].node;

			if (node != TOPO_NONE)
				f->nodes[(size_t)k * t->n_nodes + (size_t)node] +=
					g->got[i] / g->demand;
		}
	}
}

/* A guest node whose vCPUs are all elsewhere or unplugged has its memory where the VM
 * is: on part @first's nodes. */
static void
touch_vm(struct filled *f, unsigned int first, unsigned int last)
{
	struct site_vm *vm = &f->site->vms[f->parts.parts[first].vm];
	unsigned int n = f->site->topo->n_nodes;

	vm->touched = true;
	free(vm->memory);
	vm->memory = xcalloc((size_t)vm->n_nodes * n, sizeof(*vm->memory));
	for (unsigned int k = 0; k < vm->n_nodes; k++) {
		double vcpus = 0;

		for (unsigned int i = first; i < last; i++)
			vcpus += f->parts.parts[i].guest_node == k ? f->parts.parts[i].n
								   : 0;
		for (unsigned int i = first; i < last; i++) {
			const struct part *p = &f->parts.parts[i];
			double share = p->guest_node == k ? p->n / vcpus : 0;

			if (vcpus <= 0)
				share = i == first ? 1 : 0;
			for (unsigned int m = 0; m < n; m++)
				vm->memory[k * n + m] +=
					share * f->nodes[(size_t)p->group * n + m];
		}
	}
}

/* End of the parts of the VM whose parts begin at @first. */
unsigned int
filled_end_of_vm(const struct filled *f, unsigned int first)
{
	const struct parts *p = &f->parts;
	unsigned int last = first;

	while (last < p->n && p->parts[last].vm == p->parts[first].vm)
		last++;
	return last;
}

static void
touch_all(struct filled *f)
{
	unsigned int last;

	for (unsigned int first = 0; first < f->parts.n; first = last) {
		last = filled_end_of_vm(f, first);
		if (!f->site->vms[f->parts.parts[first].vm].touched)
			touch_vm(f, first, last);
	}
}

struct filled
filled_new(struct site *s)
{
	struct filled f = {.site = s, .parts = parts_of_masks(s)};

	f.vcpus = site_vcpus(s);
	f.load = xcalloc(s->topo->n_pus, sizeof(*f.load));
	f.nodes =
		xcalloc((size_t)f.parts.n_groups * s->topo->n_nodes, sizeof(*f.nodes));
	f.lost = parts_fill(&f.parts, s->topo->n_pus, NULL, true, f.load);
	spread_over_nodes(&f);
	touch_all(&f);
	return f;
}

void
filled_fini(struct filled *f)
{
	parts_fini(&f->parts);
	free(f->load);
	free(f->nodes);
}

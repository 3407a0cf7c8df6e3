// SPDX-License-Identifier: MIT
/*
 * The waiting model laid out once more, in draws that nothing was fitted to: all that
 * world has put into the first one, and nothing else.
 */
#include "config.h"

#include "place/unseen.h"

#include <assert.h>

#include "base/xalloc.h"

/* What each group and each fixed load wants in the other draws; made once, it takes as
 * long as a dozen trials. */
static void
draw_others(struct world *w)
{
	w->others = xcalloc((size_t)w->n_groups + w->n_vms, sizeof(*w->others));
	for (unsigned int i = 0; i < w->n_groups; i++)
		w->others[i] = wait_need_other(w->groups[i].in->id,
			(int32_t)(w->groups[i].demand * WAIT_UNIT));
	for (unsigned int i = 0; i < w->n_vms; i++) {
		const struct world_vm *vm = &w->vms[i];

		if (!cpuset_empty(&vm->fixed.cpus))
			w->others[w->n_groups + i] = wait_need_other(
				vm->in->id, (int32_t)(vm->fixed.demand * WAIT_UNIT));
	}
}

static void
lay_pins_again(
	struct world *w, const struct world_group *g, const struct wait_need *other)
{
	double each = g->demand / g->n_vcpus;
	struct wait_need need = wait_need_scaled(other, (int32_t)(each * WAIT_UNIT));

	for (unsigned int v = 0; v < g->n_vcpus; v++) {
		int leaf = g->pins[v] < 0 ? -1 : w->tree->leaf_of_pu[g->pins[v]];

		if (leaf < 0)
			continue;
		wait_pin(w->wait, world_slot(w, 0, (unsigned int)leaf), &need, 1);
	}
}

/* Everything that world_enter, world_pin and world_fix have laid into the waiting
 * model, in the other draws. */
static void
lay_again(struct world *w)
{
	for (unsigned int i = 0; i < w->n_groups; i++) {
		const struct world_group *g = &w->groups[i];
		const struct wait_need *need = &w->others[i];

		if (g->entered)
			wait_enter(w->wait,
				world_slot(w, g->cls, w->classes[g->cls].top), need);
		if (g->entered && g->node >= 0)
			wait_put(w->wait, world_slot(w, g->cls, (unsigned int)g->node),
				need);
		if (g->pins != NULL)
			lay_pins_again(w, g, need);
	}
	for (unsigned int i = 0; i < w->n_vms; i++) {
		const struct world_load_on *load = &w->vms[i].fixed;
		unsigned int cls;
		unsigned int slot;

		if (cpuset_empty(&load->cpus))
			continue;
		cls = world_class_of(w, &load->cpus);
		slot = world_slot(w, cls, w->classes[cls].top);
		wait_enter(w->wait, slot, &w->others[w->n_groups + i]);
		wait_put(w->wait, slot, &w->others[w->n_groups + i]);
	}
}

struct wait_cost
unseen_check(struct world *w)
{
	struct wait *fitted = w->wait;
	struct wait_cost cost;

	if (w->others == NULL)
		draw_others(w);
	w->wait = wait_empty_copy(fitted);
	if (w->in->background != NULL)
		world_lay_background(w);
	lay_again(w);
	assert(w->wait->n == fitted->n); /* classes name slots of the one that stays */
	wait_settle(w->wait);
	cost = wait_measure(w->wait);
	wait_free(w->wait);
	w->wait = fitted;
	return cost;
}

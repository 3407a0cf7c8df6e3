// SPDX-License-Identifier: MIT
/*
 * The order of a plan: check the input, lay out what cannot move, put back what was
 * placed, place what is new (the largest first), repair waiting, plan the observed ones
 * for the report, write the results. VMs are worked on in the order of their ids, so
 * the order of the input cannot show.
 */
#include "config.h"

#include "place/planner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "place/adopt.h"
#include "place/emulator.h"
#include "place/entry.h"
#include "place/exclusive.h"
#include "place/explain.h"
#include "place/float.h"
#include "place/homing.h"
#include "place/narrow.h"
#include "place/pin.h"
#include "place/pinsearch.h"
#include "place/reason.h"
#include "place/rebalance.h"
#include "place/search.h"
#include "place/why.h"
#include "place/widen.h"
#include "place/world.h"

struct plan_policy
plan_policy_default(void)
{
	/* inside the public bound (mean 0.01, 95th percentile 0.05): a plan fits its
	 * own draws better than the load to come. 0.035: eight of 256 */
	struct plan_policy p = {
		.dedicated_max_pct = 75,
		.wait_mean_max = 0.008,
		.wait_tail_max = 0.035,
		.rebalance_gain_pct = 10,
		.rebalance_dwell_s = 300,
	};

	for (unsigned int t = 0; t < N_TERMS; t++)
		p.weights[t] = 1;
	return p;
}

/* CPUs it has now, those that count: all its masks, or where it may run. */
static struct cpuset
current_cpus(const struct world_vm *world_vm)
{
	const struct plan_vm *vm = world_vm->in;
	struct cpuset cpus = CPUSET_NONE;

	if (world_vm->out->n_vcpus > 0) /* kept off others' cores */
		return world_vm->out->domain;
	if (vm->n_current == 0)
		return vm->limit;
	for (unsigned int i = 0; i < vm->n_current; i++)
		cpus = cpuset_or(&cpus, &vm->current[i]);
	return cpus;
}

/* Load of a VM whose masks are not ours: the part of it that meets usable CPUs. */
static void
lay_fixed(struct world *w, struct world_vm *vm)
{
	struct cpuset has = current_cpus(vm);
	struct world_load_on *load = &vm->fixed;

	if (vm->in->n_vcpus == 0)
		return;
	has = cpuset_and(&has, &w->in->topo->online);
	load->cpus = cpuset_and(&has, &w->usable);
	if (cpuset_empty(&load->cpus))
		return;
	/* no more than its CPUs can run */
	load->demand =
		vm->demand < cpuset_count(&has) ? vm->demand : cpuset_count(&has);
	load->demand *= (double)cpuset_count(&load->cpus) / cpuset_count(&has);
	load->need = wait_need_of(vm->in->id, (int32_t)(load->demand * WAIT_UNIT));
	world_enter_fixed(w, load);
}

static void
set_up(struct world *w, struct world_group *g)
{
	g->cls = world_class_of(w, &g->allowed);
	g->n_allowed = w->classes[g->cls].n_cpus;
	g->need = wait_need_of(g->in->id, (int32_t)(g->demand * WAIT_UNIT));
	if (g->role != WORLD_PIN || g->pins != NULL)
		return;
	g->pins = xcalloc(g->n_vcpus, sizeof(*g->pins));
	for (unsigned int i = 0; i < g->n_vcpus; i++)
		g->pins[i] = -1;
}

/* Put back what was placed; the others come to @todo. Returns how many. */
static unsigned int
put_back(struct world *w, struct world_group **todo, bool *changed)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n_groups; i++) {
		struct world_group *g = &w->groups[i];
		bool placed = true;

		if (g->role == WORLD_FLOAT)
			placed = adopt_float(w, g);
		else if (g->role == WORLD_PIN)
			placed = adopt_pin(w, g);
		if (!placed)
			todo[n++] = g;
		/* nor is a wider domain for one a reason to widen others */
		*changed |= !placed ||
			    (g->cause != WORLD_KEPT && g->cause != WORLD_WIDENED);
	}
	wait_settle(w->wait);
	for (unsigned int i = 0; i < w->n_groups; i++) {
		if (w->groups[i].role == WORLD_FLOAT && w->groups[i].node >= 0)
			float_fit(w, &w->groups[i]);
	}
	return n;
}

/* Who has the least choice comes first: the others can make room. Then the largest. */
static int
by_choice(const void *a, const void *b)
{
	const struct world_group *x = *(struct world_group *const *)a;
	const struct world_group *y = *(struct world_group *const *)b;

	if (x->n_allowed != y->n_allowed)
		return x->n_allowed < y->n_allowed ? -1 : 1;
	if (x->n_vcpus != y->n_vcpus)
		return x->n_vcpus > y->n_vcpus ? -1 : 1;
	return x < y ? -1 : x > y; /* by id, then by guest node */
}

static void
place(struct world *w, struct world_group *g)
{
	if (g->role == WORLD_PIN) {
		pin_place(w, g);
		return;
	}
	g->cause = WORLD_NEW;
	world_enter(w, g);
	float_place(w, g);
}

/* Keep the float groups of a list. */
static unsigned int
floats_of(struct world_group **list, unsigned int n)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (list[i]->role == WORLD_FLOAT)
			list[kept++] = list[i];
	}
	return kept;
}

static void
place_all(struct world *w)
{
	auto_free struct world_group **todo =
		xcalloc(w->n_groups, sizeof(struct world_group *));
	bool changed = false;
	unsigned int n = put_back(w, todo, &changed);

	qsort(todo, n, sizeof(struct world_group *), by_choice);
	for (unsigned int i = 0; i < n; i++)
		place(w, todo[i]);
	pinsearch_settle(w, todo, n);
	/* a world in which nothing happened is left alone, whatever it looks like */
	if (changed)
		search_settle(w, todo, floats_of(todo, n));
	narrow_review(w);
	if (w->in->policy->rebalance)
		rebalance_run(w);
}

/* The domain of a group that has its place. */
static unsigned int
node_of(const struct world *w, const struct world_group *g)
{
	struct cpuset cpus;

	if (g->role != WORLD_PIN)
		return (unsigned int)g->node;
	cpus = pin_cpus(w, g);
	if (cpuset_empty(&cpus)) /* isolated ones only */
		return w->classes[g->cls].top;
	return tree_around(w->tree, w->in->topo, &cpus);
}

/* The masks of a group's vCPUs; @domain, @vcpus grow by what they have. */
static void
write_masks(const struct world *w, const struct world_group *g, struct plan_result *out,
	struct cpuset *domain, struct cpuset *vcpus)
{
	struct cpuset here = world_mask(w, g, node_of(w, g));

	*domain = cpuset_or(domain, &here);
	for (unsigned int i = 0; i < g->n_vcpus; i++) {
		struct cpuset *mask = &out->vcpus[g->vcpus[i]];

		*mask = g->role == WORLD_PIN ? pin_mask(w, g, i) : here;
		if (g->cores != NULL)
			*mask = g->cores[i];
		*vcpus = cpuset_or(vcpus, mask);
	}
}

/* The result of a VM whose groups have their places: masks, emulator, verdict, reason.
 */
static void
write_result(const struct world *w, const struct world_vm *vm,
	const struct world_group *groups)
{
	struct plan_result *out = vm->out;
	struct cpuset domain = CPUSET_NONE;
	struct cpuset all = CPUSET_NONE;
	struct cpuset here;
	unsigned int node;

	out->n_vcpus = vm->in->n_vcpus;
	out->vcpus = xcalloc(out->n_vcpus, sizeof(*out->vcpus));
	for (unsigned int g = 0; g < vm->n_groups; g++) {
		write_masks(w, &groups[g], out, &domain, &all);
		out->rebalanced |= groups[g].cause == WORLD_REBALANCED;
		out->widened |= widen_shows(w, &groups[g]);
	}
	here = cpuset_and(&all, &w->usable);
	node = vm->n_groups == 1 || cpuset_empty(&here)
		       ? node_of(w, groups)
		       : tree_around(w->tree, w->in->topo, &here);
	out->domain = all;
	out->tier = groups->apart ? TOPO_NONE : w->tree->nodes[node].tier;
	out->emulator = emulator_mask(w, vm, &domain, &all);
	out->apply = vm->in->mode != PLACE_OBSERVE;
	out->verdict = PLAN_PLACE;
	if (entry_has_masks(vm->in, out) && (vm->in->placed || !out->apply))
		out->verdict = PLAN_KEEP;
	for (unsigned int g = 0; g < vm->n_groups; g++)
		why_planned(w, vm, &groups[g], node_of(w, &groups[g]));
}

/* What the VM would be given, with all others as they are; then it is as it was. */
static void
observe(struct world *w, const struct world_vm *vm)
{
	struct world_group *groups = &w->groups[vm->first_group];
	bool laid = !cpuset_empty(&vm->fixed.cpus);

	if (laid)
		world_fix(w, &vm->fixed, -1);
	for (unsigned int g = 0; g < vm->n_groups; g++) {
		groups[g].cause = WORLD_NEW;
		float_place(w, &groups[g]);
	}
	write_result(w, vm, groups);
	reason_observed(w, vm);
	for (unsigned int g = 0; g < vm->n_groups; g++)
		world_put(w, &groups[g], -1);
	if (laid)
		world_fix(w, &vm->fixed, 1);
}

static void
run(struct world *w)
{
	for (unsigned int i = 0; i < w->n_groups; i++)
		set_up(w, &w->groups[i]);
	for (unsigned int i = 0; i < w->n_vms; i++) {
		struct world_vm *vm = &w->vms[i];

		if (vm->role == WORLD_LEAVE || vm->role == WORLD_OBSERVE)
			lay_fixed(w, vm);
	}
	place_all(w);
	for (unsigned int i = 0; i < w->n_vms; i++) {
		const struct world_vm *vm = &w->vms[i];

		if (vm->role == WORLD_OBSERVE)
			observe(w, vm);
		else if (vm->role == WORLD_FLOAT || vm->role == WORLD_PIN)
			write_result(w, vm, &w->groups[vm->first_group]);
	}
}

/* A plan of @in, which is checked. With @h: who may return, or that they do harm. */
static int
make(const struct plan_input *in, struct homing *h, struct plan **out, bool *ok,
	struct err *e)
{
	struct cpuset usable = entry_usable(in);
	struct plan *p = xcalloc(1, sizeof(*p));
	struct entries entries;
	struct cpuset alone;
	struct world *w = NULL;
	int r;

	p->n = in->n_vms;
	p->results = xcalloc(in->n_vms, sizeof(*p->results));
	for (unsigned int i = 0; i < p->n; i++)
		p->results[i].tier = TOPO_NONE;
	r = entry_list(in, &usable, p->results, &entries, e);
	if (r < 0) {
		plan_free(p);
		return r;
	}
	exclusive_settle(in, &entries, &usable, &alone);
	if (!cpuset_empty(&usable)) { /* else every other VM has said so */
		w = world_new(
			in, &usable, entries.vms, entries.groups, entries.n_groups);
		w->alone = alone;
		run(w);
	}
	reason_all(in, w, entries.vms, &alone);
	if (h->n == 0)
		homing_find(h, in, w, entries.vms, p);
	else
		*ok = w == NULL || homing_waits_ok(h, w);
	if (w != NULL)
		world_free(w);
	else
		entry_free(&entries, in->n_vms);
	*out = p;
	return 0;
}

/* The plan again, with those back who may return, if that works out. */
static void
bring_back(struct homing *h, struct plan **p)
{
	struct plan *with;
	struct err unused = ERR_NONE;
	bool ok = false;

	if (make(&h->in, h, &with, &ok, &unused) < 0)
		return;
	if (!ok || !homing_is_done(h, *p, with)) {
		plan_free(with);
		return;
	}
	plan_free(*p);
	*p = with;
	for (unsigned int i = 0; i < with->n; i++)
		with->results[i].rebalanced |= h->masks[i] != NULL;
}

int
planner_run(const struct plan_input *in, struct plan **out, struct err *e)
{
	struct homing h = {.n = 0};
	bool unused;
	int r = entry_check(in, e);

	if (r == 0)
		r = make(in, &h, out, &unused, e);
	if (r < 0)
		return r;
	if (h.n > 0)
		bring_back(&h, out);
	homing_fini(&h);
	homing_note(in, *out);
	return 0;
}

void
plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	for (unsigned int i = 0; i < p->n; i++) {
		free(p->results[i].vcpus);
		free(p->results[i].home);
		free(p->results[i].explain);
	}
	free(p->results);
	free(p);
}

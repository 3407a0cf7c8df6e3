// SPDX-License-Identifier: MIT
/*
 * Options are compared by what the search compares: own cost, what others pay more,
 * waiting of all. Waiting is the VM's as far as it is more than with the VM on its
 * whole limit. A VM of several groups is compared with one of them elsewhere; for that
 * it is put there and back, and the sums that rounding could change are kept aside.
 */
#include "config.h"

#include "place/reason.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "place/better.h"
#include "place/bounds.h"
#include "place/candidates.h"
#include "place/float.h"
#include "place/narrow.h"
#include "place/pin.h"
#include "place/pinned.h"
#include "place/rebalance.h"
#include "place/total.h"

/* Differences below are not shown: a tenth of a nanosecond. */
#define SHOWN_NS 0.05

/* Sums that are not exact when a group is put somewhere and back. */
struct kept_sums {
	double *own;
	double *below;
	double *cut;
	double *free_gib;
	double *taken_gib;
};

/* Another place for one of the groups. */
struct other {
	struct world_group *g;
	unsigned int node;
	double gain; /* ns x vCPUs, of all, without waiting */
};

struct look {
	struct world *w;
	const struct total *total; /* NULL: nobody else's costs count */
	const struct world_vm *vm;
	struct world_group *groups;
	struct explain *e;
	struct wait_cost now;	/* waiting as it is */
	struct wait_cost least; /* with the VM on its whole limit */
	unsigned int n;
	struct other *others;
};

static void *
copy(const void *from, size_t n, size_t size)
{
	void *to;

	if (from == NULL)
		return NULL;
	to = xcalloc(n, size);
	memcpy(to, from, n * size);
	return to;
}

static struct kept_sums
keep_sums(const struct world *w, const struct world_group *g)
{
	unsigned int n_nodes = w->in->topo->n_nodes;

	return (struct kept_sums){
		.own = copy(w->own, w->tree->n, sizeof(double)),
		.below = copy(w->below, w->tree->n, sizeof(double)),
		.cut = copy(w->cut, w->in->topo->n_pus, sizeof(double)),
		.free_gib = copy(w->free_gib, n_nodes, sizeof(double)),
		.taken_gib = copy(g->taken_gib, n_nodes, sizeof(double)),
	};
}

static void
put_back(double *to, double *kept, size_t n)
{
	if (kept != NULL)
		memcpy(to, kept, n * sizeof(double));
	free(kept);
}

static void
restore_sums(struct world *w, struct world_group *g, struct kept_sums *k)
{
	unsigned int n_nodes = w->in->topo->n_nodes;

	put_back(w->own, k->own, w->tree->n);
	put_back(w->below, k->below, w->tree->n);
	put_back(w->cut, k->cut, w->in->topo->n_pus);
	put_back(w->free_gib, k->free_gib, n_nodes);
	put_back(g->taken_gib, k->taken_gib, n_nodes);
}

static struct cpuset
nodes_of(const struct topo *t, const struct cpuset *cpus)
{
	struct cpuset ids = CPUSET_NONE;

	for (unsigned int i = 0; i < t->n_nodes; i++) {
		if (cpuset_overlap(&t->nodes[i].cpus, cpus))
			cpuset_add(&ids, t->nodes[i].id);
	}
	return ids;
}

/* Load of others on the CPUs that the group has on @node. */
static double
load_on(const struct world *w, const struct world_group *g, unsigned int node)
{
	double load = world_load_of_others(w, g, node);

	load *= (double)world_room(w, g, node) / w->tree->nodes[node].n_cpus;
	return load > 0 ? load : 0; /* rounding */
}

/* The node with most of the VM's memory, where that is known. */
static void
find_home(const struct topo *t, const struct plan_vm *vm, struct explain_option *o)
{
	for (unsigned int n = 0; vm->memory_share != NULL && n < t->n_nodes; n++) {
		if (vm->memory_share[n] <= o->home_share)
			continue;
		o->home_share = vm->memory_share[n];
		o->home = t->nodes[n].id;
	}
}

/* What a group adds to an option where it is now. @part: of the VM's demand. */
static void
add_group(const struct world *w, const struct world_group *g, double part,
	struct explain_option *o)
{
	unsigned int node = (unsigned int)g->node;
	const struct tree_node *tn = &w->tree->nodes[node];
	const float *small = w->classes[g->cls].small;
	struct cpuset cpus = narrow_cpus(w, g);
	double load = world_load_of_others(w, g, node) + g->demand;
	double shared = objective_sharing(tn->n_cpus, tn->n_cores, load);
	struct terms terms;

	if (g->cores != NULL) {
		narrow_terms(w, g, g->cores, &terms);
		shared = narrow_sharing(w, g, g->cores);
	} else {
		candidates_terms(w, g, node, &terms);
	}
	for (unsigned int t = 0; t < N_TERMS; t++)
		o->terms.ns[t] += part * terms.ns[t];
	if (!cpuset_within(&cpus, &o->cpus))
		o->load_cpus += load_on(w, g, node);
	o->cpus = cpuset_or(&o->cpus, &cpus);
	o->shared_share += part * shared;
	if (small != NULL)
		o->small_share += part * (double)small[node];
	if (g->memory_share == NULL)
		o->local_share = -1;
	if (o->local_share >= 0)
		o->local_share += part * candidates_local_share(w, g, node);
}

/* The option that the places of the groups are. */
static struct explain_option
option(const struct look *l, const struct wait_cost *wait)
{
	struct explain_option o = {.wait_mean = wait->mean, .wait_tail = wait->tail};
	double demand = 0;

	for (unsigned int i = 0; i < l->vm->n_groups; i++)
		demand += l->groups[i].demand;
	for (unsigned int i = 0; i < l->vm->n_groups; i++)
		add_group(l->w, &l->groups[i], l->groups[i].demand / demand, &o);
	o.nodes = nodes_of(l->w->in->topo, &o.cpus);
	o.imagined = l->vm->role == WORLD_OBSERVE;
	find_home(l->w->in->topo, l->vm->in, &o);
	o.terms.ns[TERM_WAITING] =
		(float_wait_cost(l->w, wait) - float_wait_cost(l->w, &l->least)) /
		demand;
	if (o.terms.ns[TERM_WAITING] < 0) /* parts of domains may wait less */
		o.terms.ns[TERM_WAITING] = 0;
	o.total_ns = terms_sum(&o.terms);
	return o;
}

/* The option with a group on another node. */
static struct explain_option
option_with(struct look *l, struct world_group *g, unsigned int node)
{
	struct wait_cost wait = world_try(l->w, g, node);
	struct kept_sums sums = keep_sums(l->w, g);
	struct cpuset *cores = g->cores;
	struct explain_option o;
	int now = g->node;

	g->cores = NULL;
	world_put(l->w, g, (int)node);
	o = option(l, &wait);
	world_put(l->w, g, now);
	g->cores = cores;
	restore_sums(l->w, g, &sums);
	return o;
}

/* ---- what came second ---- */

/* The VM would have the same CPUs with the group on @node. */
static bool
same_cpus(const struct look *l, const struct world_group *g, unsigned int node)
{
	struct cpuset cpus = world_mask(l->w, g, node);

	for (unsigned int i = 0; i < l->vm->n_groups; i++) {
		const struct world_group *o = &l->groups[i];
		struct cpuset here = world_mask(l->w, o, (unsigned int)o->node);

		if (o != g)
			cpus = cpuset_or(&cpus, &here);
	}
	return cpuset_equal(&cpus, &l->e->chosen.cpus);
}

static void
list_others(struct look *l)
{
	const struct world *w = l->w;

	l->others = xcalloc((size_t)l->vm->n_groups * w->tree->n, sizeof(*l->others));
	for (unsigned int i = 0; i < l->vm->n_groups; i++) {
		struct world_group *g = &l->groups[i];
		double own = candidates_cost(w, g, (unsigned int)g->node);
		double lost = g->cores != NULL ? narrow_gain(w, g, g->cores) : 0;

		for (unsigned int n = 0; n < w->tree->n; n++) {
			struct other o = {g, n, 0};

			if (!candidates_has(w, g, n) || same_cpus(l, g, n))
				continue;
			o.gain = l->total != NULL ? total_gain(l->total, g, n)
						  : own - candidates_cost(w, g, n);
			o.gain -= lost;
			l->others[l->n++] = o;
		}
	}
}

static int
by_gain(const void *a, const void *b)
{
	const struct other *x = a;
	const struct other *y = b;

	if (x->gain < y->gain - COST_SAME_NS || x->gain > y->gain + COST_SAME_NS)
		return x->gain > y->gain ? -1 : 1;
	if (x->g != y->g)
		return x->g < y->g ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

/* The one with the largest gain, waiting included; NULL: there is no other. */
static const struct other *
find_best(const struct look *l, double *gain)
{
	double waiting = float_wait_cost(l->w, &l->now);
	const struct other *best = NULL;

	*gain = -DBL_MAX;
	for (unsigned int i = 0; i < l->n; i++) {
		const struct other *o = &l->others[i];
		struct wait_cost wait;
		double value;

		if (o->gain + waiting <= *gain)
			break;
		wait = world_try(l->w, o->g, o->node);
		value = o->gain + waiting - float_wait_cost(l->w, &wait);
		if (value > *gain + COST_SAME_NS) {
			*gain = value;
			best = o;
		}
	}
	return best;
}

/* Waits more than the policy allows, and more than now. */
static bool
breaks_bound(const struct look *l, const struct wait_cost *wait)
{
	return world_wait_penalty(l->w, wait) >
	       world_wait_penalty(l->w, &l->now) + 1e-9;
}

static enum explain_verdict
verdict_on(const struct look *l, const struct explain_option *o,
	const struct wait_cost *wait, double gain)
{
	const struct explain_option *c = &l->e->chosen;
	double more = o->total_ns - c->total_ns;
	double waiting = o->terms.ns[TERM_WAITING] - c->terms.ns[TERM_WAITING];

	if (breaks_bound(l, wait) && more - waiting < 0)
		return EXPLAIN_WAITS;
	if (more > -SHOWN_NS)
		return EXPLAIN_DEARER;
	return gain > 0 ? EXPLAIN_STAYS : EXPLAIN_HARMS;
}

/* It is compared with parts of what it has only. */
static bool
is_apart(const struct look *l)
{
	bool apart = false;

	for (unsigned int i = 0; i < l->vm->n_groups; i++)
		apart |= l->groups[i].apart;
	return apart;
}

static enum explain_hold
hold_of(const struct look *l, const struct other *o)
{
	struct kept_sums sums;
	enum explain_hold hold;

	if (l->total == NULL)
		return EXPLAIN_OBSERVED;
	sums = keep_sums(l->w, o->g);
	hold = rebalance_hold(l->total, o->g, o->node);
	restore_sums(l->w, o->g, &sums);
	return hold;
}

static void
find_second(struct look *l)
{
	struct explain *e = l->e;
	double gain;
	const struct other *o;
	struct wait_cost wait;
	double own;

	if (l->n > 0)
		qsort(l->others, l->n, sizeof(*l->others), by_gain);
	o = find_best(l, &gain);
	if (o == NULL) {
		e->rules |= 1u << (is_apart(l) ? EXPLAIN_EARLIER : EXPLAIN_ONLY);
		return;
	}
	wait = world_try(l->w, o->g, o->node);
	e->has_runner_up = true;
	e->runner_up = option_with(l, o->g, o->node);
	own = (e->runner_up.total_ns - e->chosen.total_ns) * l->vm->demand;
	if (l->total != NULL)
		e->runner_up.others_ns = -gain - own;
	e->runner_up.verdict = verdict_on(l, &e->runner_up, &wait, gain);
	if (e->runner_up.verdict != EXPLAIN_STAYS)
		return;
	e->hold = hold_of(l, o);
	if (e->hold == EXPLAIN_RESTS && o->g->cause == WORLD_KEPT)
		e->rules |= 1u << EXPLAIN_DWELL;
}

/* A part of what it has would cost less, and make somebody wait. */
static void
find_widening(struct look *l)
{
	for (unsigned int i = 0; i < l->n; i++) {
		const struct other *o = &l->others[i];
		struct wait_cost wait;

		if (o->gain <= 0) /* the best come first */
			return;
		if (!tree_within(l->w->tree, o->node, (unsigned int)o->g->node))
			continue;
		wait = world_try(l->w, o->g, o->node);
		if (breaks_bound(l, &wait))
			l->e->rules |= 1u << EXPLAIN_WAITING;
		return;
	}
}

/* ---- the whole answer ---- */

static void
find_least(struct look *l)
{
	l->now = wait_measure(l->w->wait);
	l->least = l->now;
	for (unsigned int i = 0; i < l->vm->n_groups; i++) {
		const struct world_group *g = &l->groups[i];
		struct wait_cost wide = world_try(l->w, g, l->w->classes[g->cls].top);

		if (float_wait_cost(l->w, &wide) < float_wait_cost(l->w, &l->least))
			l->least = wide;
	}
}

static void
explain_float(struct look *l)
{
	struct explain *e = l->e;

	find_least(l);
	e->chosen = option(l, &l->now);
	list_others(l);
	find_second(l);
	find_widening(l);
	if (l->groups->cores != NULL)
		e->rules |= 1u << EXPLAIN_CORES;
	if (l->vm->n_groups == 1 && !is_apart(l) &&
		better_find(l->w, l->groups, e) >= 0) {
		e->better.nodes = nodes_of(l->w->in->topo, &e->better.cpus);
		e->better.total_ns = terms_sum(&e->better.terms);
		e->better.local_share = -1;
	}
	free(l->others);
}

/* An option of masks, with what the world says of it. */
static struct explain_option
option_of_masks(const struct pinned_host *h, const struct world_vm *vm,
	const struct cpuset *masks)
{
	const struct world *w = h->w;
	struct explain_option o;
	struct cpuset here = CPUSET_NONE;

	pinned_option(h, vm, masks, &o);
	find_home(h->in->topo, vm->in, &o);
	o.nodes = nodes_of(h->in->topo, &o.cpus);
	if (w != NULL) {
		struct wait_cost now = wait_measure(w->wait);

		o.wait_mean = now.mean;
		o.wait_tail = now.tail;
		here = cpuset_and(&o.cpus, &w->usable);
	}
	if (w != NULL && vm->role == WORLD_PIN && vm->n_groups == 1 &&
		!cpuset_empty(&here)) {
		struct terms terms;

		candidates_terms(w, &w->groups[vm->first_group],
			tree_around(w->tree, w->in->topo, &here), &terms);
		o.terms.ns[TERM_FRAGMENTATION] = terms.ns[TERM_FRAGMENTATION];
	}
	o.total_ns = terms_sum(&o.terms);
	return o;
}

/* CPUs to which rebalance takes it back. */
static struct cpuset
home_of(const struct plan_input *in, const struct world_vm *vm)
{
	struct cpuset home = CPUSET_NONE;

	for (unsigned int v = 0; vm->in->home != NULL && v < vm->in->n_current; v++) {
		if (!cpuset_within(&vm->in->home[v], &vm->out->vcpus[v]))
			home = cpuset_or(&home, &vm->in->home[v]);
	}
	return in->policy->rebalance ? home : CPUSET_NONE;
}

static void
explain_masks(const struct pinned_host *h, const struct world_vm *vm, struct explain *e)
{
	struct world *w = h->w;
	struct cpuset *masks;
	double *fixed;

	e->chosen = option_of_masks(h, vm, vm->out->vcpus);
	e->home = home_of(h->in, vm);
	e->hold = cpuset_empty(&e->home) ? EXPLAIN_PINNED : EXPLAIN_AWAY;
	if (vm->role != WORLD_PIN)
		e->rules |= 1u << EXPLAIN_SETTLED;
	else if (vm->n_groups > 1)
		e->rules |= 1u << EXPLAIN_NODE_BY_NODE;
	if (vm->role != WORLD_PIN || vm->n_groups > 1)
		return;
	masks = xcalloc(vm->in->n_vcpus, sizeof(*masks));
	fixed = copy(w->fixed, h->in->topo->n_pus, sizeof(*fixed));
	e->has_runner_up = pin_elsewhere(w, &w->groups[vm->first_group], masks);
	put_back(w->fixed, fixed, h->in->topo->n_pus);
	if (e->has_runner_up) {
		e->runner_up = option_of_masks(h, vm, masks);
		e->runner_up.verdict =
			e->runner_up.total_ns > e->chosen.total_ns - SHOWN_NS
				? EXPLAIN_DEARER
				: EXPLAIN_STAYS;
	} else {
		e->rules |= 1u << EXPLAIN_ONLY;
	}
	free(masks);
}

static bool
is_asked_for(const struct plan_input *in, const struct world_vm *vm)
{
	if (in->explain == PLAN_EXPLAIN_NONE || vm->in->mode == PLACE_OFF)
		return false;
	if (in->explain == PLAN_EXPLAIN_NEW && vm->out->verdict != PLAN_PLACE)
		return false;
	return in->explain_id == NULL || str_equal(in->explain_id, vm->in->id);
}

/* An answer with what all have. */
static struct explain *
new_explain(const struct plan_input *in, const struct world_vm *vm,
	const struct cpuset *alone)
{
	struct explain *e = xcalloc(1, sizeof(*e));

	e->wait_mean_max = in->policy->wait_mean_max;
	e->wait_tail_max = in->policy->wait_tail_max;
	bounds_find(in, vm, alone, e);
	vm->out->explain = e;
	return e;
}

void
reason_observed(struct world *w, const struct world_vm *vm)
{
	struct look l = {.w = w, .vm = vm, .groups = &w->groups[vm->first_group]};

	if (!is_asked_for(w->in, vm))
		return;
	l.e = new_explain(w->in, vm, &w->alone);
	explain_float(&l);
}

struct reasons {
	const struct plan_input *in;
	struct pinned_host host;
	struct total total; /* where there is a world */
	const struct cpuset *alone;
};

static void
explain_one(struct reasons *r, const struct world_vm *vm)
{
	struct world *w = r->host.w;
	struct look l = {.w = w, .total = &r->total, .vm = vm};

	if (!is_asked_for(r->in, vm) || vm->role == WORLD_OBSERVE)
		return;
	l.e = new_explain(r->in, vm, r->alone);
	if (vm->out->n_vcpus == 0) /* it is left alone */
		return;
	if (vm->role == WORLD_FLOAT) {
		l.groups = &w->groups[vm->first_group];
		explain_float(&l);
	} else {
		explain_masks(&r->host, vm, l.e);
	}
}

void
reason_all(const struct plan_input *in, struct world *w, const struct world_vm *vms,
	const struct cpuset *alone)
{
	struct reasons r = {.in = in, .alone = alone};

	if (in->explain == PLAN_EXPLAIN_NONE)
		return;
	r.host = pinned_host_of(in, w);
	if (w != NULL)
		total_init(&r.total, w);
	for (unsigned int i = 0; i < in->n_vms; i++)
		explain_one(&r, &vms[i]);
	if (w != NULL)
		total_fini(&r.total);
	pinned_fini(&r.host);
}

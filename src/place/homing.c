// SPDX-License-Identifier: MIT
/*
 * A vCPU was displaced when no CPU of its mask is online any more; so were those of its
 * VM that the same plan moved with it. What it gains to return is told by the masks
 * alone. Memory that nobody can see counts as where the vCPUs were before: there it was
 * touched.
 */
#include "config.h"

#include "place/homing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "place/entry.h"
#include "place/pinned.h"
#include "place/touch.h"

static bool
is_pinned(const struct plan_vm *vm)
{
	return vm->mode == PLACE_PIN || vm->mode == PLACE_CORE ||
	       vm->mode == PLACE_DEDICATED;
}

/* ---- who returns ---- */

/* It has its place, and has rested. */
static bool
may_return(const struct plan_policy *p, const struct plan_vm *vm,
	const struct plan_result *out)
{
	return vm->home != NULL && vm->placed && out->verdict == PLAN_KEEP &&
	       out->apply && is_pinned(vm) &&
	       p->now_s - vm->changed_s >= p->rebalance_dwell_s;
}

static struct cpuset
cpus_of(const struct plan_vm *vm, const struct plan_result *out)
{
	struct cpuset cpus = out->domain;

	for (unsigned int v = 0; out->n_vcpus == 0 && v < vm->n_current; v++)
		cpus = cpuset_or(&cpus, &vm->current[v]);
	return cpus;
}

/* CPUs that have pinned vCPUs of other VMs, or are on cores that are these VMs' alone.
 */
static struct cpuset
taken_by_others(const struct homing *h, const struct plan_input *in,
	const struct plan *p, unsigned int vm)
{
	const struct topo *t = in->topo;
	struct cpuset taken = CPUSET_NONE;

	for (unsigned int i = 0; i < p->n; i++) {
		struct cpuset cpus = cpus_of(&in->vms[i], &p->results[i]);

		if (i == vm || (!is_pinned(&in->vms[i]) && !p->results[i].own))
			continue;
		taken = cpuset_or(&taken, &cpus);
		taken = cpuset_or(&taken, &h->back[i]);
		for (unsigned int k = 0; p->results[i].own && k < t->n_cores; k++) {
			if (cpuset_overlap(&cpus, &t->cores[k].cpus))
				taken = cpuset_or(&taken, &t->cores[k].cpus);
		}
	}
	return taken;
}

/* A core of both its threads is none for a vCPU that has got a CPU of its own since. */
static bool
is_of_mode(const struct plan_vm *vm, const struct cpuset *home)
{
	return vm->mode == PLACE_CORE || cpuset_count(home) == 1;
}

/* Where a vCPU returns to: all it may have of its core in mode core, of which CPUs may
 * have gone one by one. Empty: it is not away. */
static struct cpuset
home_now(const struct plan_input *in, const struct plan_vm *vm, unsigned int vcpu)
{
	struct cpuset limit = entry_limit(in, vm);
	const struct cpuset *home = &vm->home[vcpu];
	const struct topo_pu *pu = topo_pu_of(in->topo, cpuset_next(home, 0));

	if (!is_of_mode(vm, home))
		return CPUSET_NONE;
	if (vm->mode != PLACE_CORE || pu == NULL)
		return *home;
	return cpuset_and(&in->topo->cores[pu->core].cpus, &limit);
}

/* Another vCPU of the VM is there, which is not a thread of the same guest core. */
static bool
is_own_taken(const struct plan_vm *vm, const struct cpuset *masks, unsigned int vcpu,
	const struct cpuset *home)
{
	for (unsigned int v = 0; v < vm->n_vcpus; v++) {
		if (v == vcpu || !cpuset_overlap(&masks[v], home))
			continue;
		if (vm->mode != PLACE_CORE || !cpuset_equal(&masks[v], home))
			return true;
	}
	return false;
}

/* The masks with all those back that can be. Returns how many. */
static unsigned int
bring_back(const struct plan_input *in, const struct plan_vm *vm,
	const struct cpuset *taken, struct cpuset *masks, struct cpuset *back)
{
	struct cpuset may = entry_limit(in, vm);
	unsigned int n = 0;

	may = cpuset_minus(&may, &in->policy->reserved);
	may = cpuset_minus(&may, taken);
	for (unsigned int v = 0; v < vm->n_current; v++) {
		struct cpuset home = home_now(in, vm, v);

		if (cpuset_empty(&home) || !cpuset_within(&home, &may) ||
			is_own_taken(vm, masks, v, &home))
			continue;
		masks[v] = home;
		*back = cpuset_or(back, &home);
		n++;
	}
	return n;
}

/* What each of its vCPUs pays with these masks, but for load around them. */
static double
price(const struct pinned_host *host, const struct world_vm *vm,
	const struct cpuset *masks)
{
	struct explain_option o;

	pinned_option(host, vm, masks, &o);
	return terms_sum(&o.terms);
}

/* It gains enough, by the rules of rebalance, for each of the @n vCPUs that return. */
static bool
is_worth_it(const struct pinned_host *host, const struct world_vm *vm,
	const struct cpuset *masks, unsigned int n)
{
	const struct plan_policy *p = host->in->policy;
	unsigned int n_nodes = host->in->topo->n_nodes;
	auto_free double *share = xcalloc(n_nodes, sizeof(*share));
	struct plan_vm in = *vm->in;
	struct world_vm copy = *vm;
	double now;
	double each;

	for (unsigned int v = 0; v < in.n_vcpus; v++)
		touch_add(host->in->topo, &masks[v], 1, share);
	if (in.memory_share == NULL &&
		touch_settle(host->in->topo, &CPUSET_NONE, share))
		in.memory_share = share;
	copy.in = &in;
	now = price(host, &copy, vm->out->vcpus);
	each = (now - price(host, &copy, masks)) * in.n_vcpus / n;
	return each > now * p->rebalance_gain_pct / 100 &&
	       each > p->weights[TERM_MOVING] * COST_MOVING * host->worst_ns;
}

static void
try_vm(struct homing *h, const struct pinned_host *host, const struct world_vm *vm,
	const struct plan *p)
{
	unsigned int at = (unsigned int)(vm->in - host->in->vms);
	struct cpuset taken = taken_by_others(h, host->in, p, at);
	struct cpuset back = CPUSET_NONE;
	struct cpuset *masks = xcalloc(vm->in->n_vcpus, sizeof(*masks));
	unsigned int n;

	memcpy(masks, vm->out->vcpus, vm->in->n_vcpus * sizeof(*masks));
	n = bring_back(host->in, vm->in, &taken, masks, &back);
	if (n == 0 || n > h->policy.rebalance_vcpus || h->policy.rebalance_vms == 0 ||
		!is_worth_it(host, vm, masks, n)) {
		free(masks);
		return;
	}
	h->policy.rebalance_vcpus -= n;
	h->policy.rebalance_vms--;
	h->masks[at] = masks;
	h->back[at] = back;
	h->vms[at].current = masks;
	h->vms[at].back = &h->back[at];
	h->n++;
}

static bool
is_any_away(const struct plan_input *in)
{
	for (unsigned int i = 0; in->policy->rebalance && i < in->n_vms; i++) {
		if (in->vms[i].home != NULL)
			return true;
	}
	return false;
}

void
homing_find(struct homing *h, const struct plan_input *in, struct world *w,
	const struct world_vm *vms, const struct plan *p)
{
	struct pinned_host host;

	if (!is_any_away(in))
		return;
	h->policy = *in->policy;
	h->vms = xcalloc(in->n_vms, sizeof(*h->vms));
	h->masks = xcalloc(in->n_vms, sizeof(struct cpuset *));
	h->back = xcalloc(in->n_vms, sizeof(*h->back));
	memcpy(h->vms, in->vms, in->n_vms * sizeof(*h->vms));
	h->in = *in;
	h->in.policy = &h->policy;
	h->in.vms = h->vms;
	if (w != NULL)
		h->wait = wait_measure(w->wait);
	host = pinned_host_of(in, w);
	for (unsigned int i = 0; i < in->n_vms; i++) {
		if (may_return(in->policy, vms[i].in, vms[i].out))
			try_vm(h, &host, &vms[i], p);
	}
	pinned_fini(&host);
}

void
homing_fini(struct homing *h)
{
	for (unsigned int i = 0; h->masks != NULL && i < h->in.n_vms; i++)
		free(h->masks[i]);
	free(h->masks);
	free(h->vms);
	free(h->back);
}

/* ---- the plan with them back ---- */

bool
homing_waits_ok(const struct homing *h, const struct world *w)
{
	struct wait_cost now = wait_measure(w->wait);

	return world_waits_ok(w, &now) ||
	       (now.mean <= h->wait.mean && now.tail <= h->wait.tail &&
		       now.over <= h->wait.over);
}

static bool
has_masks(const struct plan_result *r, const struct cpuset *masks, unsigned int n)
{
	for (unsigned int v = 0; v < n && v < r->n_vcpus; v++) {
		if (!cpuset_equal(&r->vcpus[v], &masks[v]))
			return false;
	}
	return r->n_vcpus == n;
}

bool
homing_is_done(
	const struct homing *h, const struct plan *without, const struct plan *with)
{
	for (unsigned int i = 0; i < with->n; i++) {
		const struct plan_result *was = &without->results[i];
		const struct plan_result *now = &with->results[i];
		bool pinned = is_pinned(&h->vms[i]) || was->own;

		if (h->masks[i] != NULL && !has_masks(now, h->masks[i], was->n_vcpus))
			return false;
		if (h->masks[i] == NULL && pinned &&
			!has_masks(now, was->vcpus, was->n_vcpus))
			return false;
		if (was->verdict != PLAN_LEAVE && now->verdict == PLAN_LEAVE)
			return false;
	}
	return true;
}

bool
homing_say(const struct plan_vm *vm, char *why)
{
	size_t used = strlen(why);
	char cpus[40];
	bool one;

	if (vm->back == NULL)
		return false;
	one = cpuset_count(vm->back) == 1;
	(void)snprintf(why + used, PLAN_WHY_MAX - used,
		one ? ", returned as CPU %s is back" : ", returned as CPUs %s are back",
		cpuset_format(vm->back, cpus, sizeof(cpus)));
	return true;
}

/* ---- who is away ---- */

static bool
has_lost(const struct plan_input *in, const struct plan_vm *vm)
{
	for (unsigned int v = 0; v < vm->n_current; v++) {
		if (!cpuset_overlap(&vm->current[v], &in->topo->online))
			return true;
	}
	return false;
}

/* Where it was before, empty: it is not away. */
static struct cpuset
home_of(const struct plan_vm *vm, const struct plan_result *r, unsigned int v,
	bool lost)
{
	struct cpuset home = vm->home != NULL ? vm->home[v] : CPUSET_NONE;

	if (lost && cpuset_empty(&home) &&
		!cpuset_overlap(&r->vcpus[v], &vm->current[v]))
		home = vm->current[v];
	if (!is_of_mode(vm, &home) || cpuset_within(&home, &r->vcpus[v]))
		home = CPUSET_NONE;
	return home;
}

void
homing_note(const struct plan_input *in, struct plan *p)
{
	for (unsigned int i = 0; i < p->n; i++) {
		const struct plan_vm *vm = &in->vms[i];
		struct plan_result *r = &p->results[i];
		bool lost = vm->placed && has_lost(in, vm);
		bool any = false;

		if (!is_pinned(vm) || !vm->placed || !r->apply ||
			(vm->home == NULL && !lost) || r->n_vcpus < vm->n_current)
			continue;
		r->home = xcalloc(r->n_vcpus, sizeof(*r->home));
		for (unsigned int v = 0; v < vm->n_current; v++) {
			r->home[v] = home_of(vm, r, v, lost);
			any |= !cpuset_empty(&r->home[v]);
		}
		if (!any)
			free(take_ptr(&r->home));
	}
}

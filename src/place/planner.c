// SPDX-License-Identifier: MIT
/*
 * The order of a plan: check the input, lay out what cannot move, put back what was
 * placed, place what is new (the largest first), repair waiting, plan the observed ones
 * for the report, write the results. VMs are worked on in the order of their ids, so
 * the order of the input cannot show.
 */
#include "config.h"

#include "place/planner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "place/adopt.h"
#include "place/emulator.h"
#include "place/explain.h"
#include "place/float.h"
#include "place/pin.h"
#include "place/why.h"
#include "place/world.h"

struct plan_policy
plan_policy_default(void)
{
	/* inside the public bound (mean 0.01, 95th percentile 0.05): a plan fits its
	 * own draws better than the load to come, which shows two to three times as
	 * many bad ones. 0.016: four of 256 */
	struct plan_policy p = {
		.dedicated_max_pct = 75,
		.wait_mean_max = 0.006,
		.wait_tail_max = 0.016,
		.rebalance_gain_pct = 10,
		.rebalance_dwell_s = 300,
	};

	for (unsigned int t = 0; t < N_TERMS; t++)
		p.weights[t] = 1;
	return p;
}

static int
by_id(const void *a, const void *b)
{
	const struct world_vm *x = a;
	const struct world_vm *y = b;

	return strcmp(x->in->id, y->in->id);
}

static int
check_input(const struct plan_input *in, struct err *e)
{
	if (in->topo->n_pus == 0)
		return err_set(e, -EINVAL, "", 0, "the host has no online CPU");
	if (in->latency.n != in->topo->n_pus)
		return err_set(e, -EINVAL, "", 0,
			"latencies of %u CPUs for a host of %u", in->latency.n,
			in->topo->n_pus);
	if (in->n_vms > PLAN_VMS_MAX)
		return err_set(e, -EINVAL, "", 0, "%u VMs, at most %u", in->n_vms,
			PLAN_VMS_MAX);
	return 0;
}

static int
check_ids(const struct world_vm *vms, unsigned int n, struct err *e)
{
	for (unsigned int i = 1; i < n; i++) {
		if (strcmp(vms[i - 1].in->id, vms[i].in->id) == 0)
			return err_set(e, -EINVAL, "", 0, "two VMs with the id %s",
				vms[i].in->id);
	}
	return 0;
}

/* Why no CPU is left for the VM, in numbers. */
static void
say_no_cpu(const struct plan_input *in, const struct plan_vm *vm, char *why)
{
	struct cpuset online = cpuset_and(&vm->limit, &in->topo->online);
	struct cpuset reserved = cpuset_and(&online, &in->policy->reserved);
	struct cpuset isolated = cpuset_and(&online, &in->topo->isolated);
	char cpus[48];

	cpuset_format(&vm->limit, cpus, sizeof(cpus));
	if (cpuset_empty(&vm->limit))
		(void)snprintf(why, PLAN_WHY_MAX, "its limit is empty");
	else if (cpuset_empty(&online))
		(void)snprintf(
			why, PLAN_WHY_MAX, "its limit %s has no online CPU", cpus);
	else
		(void)snprintf(why, PLAN_WHY_MAX,
			"its limit %s has no usable CPU: %u online, %u reserved, "
			"%u isolated",
			cpus, cpuset_count(&online), cpuset_count(&reserved),
			cpuset_count(&isolated));
}

/* Returns false, with the reason, when there is nothing to plan for the VM. */
static bool
can_plan(const struct plan_input *in, const struct cpuset *usable,
	const struct plan_vm *vm, char *why)
{
	if ((unsigned int)vm->mode >= PLACE_N_MODES)
		(void)snprintf(why, PLAN_WHY_MAX, "unknown mode %d", (int)vm->mode);
	else if (vm->mode == PLACE_OFF)
		(void)snprintf(why, PLAN_WHY_MAX, "mode off");
	else if (!place_mode_supported(vm->mode))
		(void)snprintf(why, PLAN_WHY_MAX,
			"mode %s is not supported by this version",
			place_mode_name(vm->mode));
	else if (vm->n_vcpus == 0)
		(void)snprintf(why, PLAN_WHY_MAX, "it has no vCPU");
	else if (vm->n_vcpus > PLAN_VCPUS_MAX)
		(void)snprintf(why, PLAN_WHY_MAX, "%u vCPUs, at most %u", vm->n_vcpus,
			PLAN_VCPUS_MAX);
	else if (vm->n_current > vm->n_vcpus)
		(void)snprintf(why, PLAN_WHY_MAX, "masks of %u vCPUs, but it has %u",
			vm->n_current, vm->n_vcpus);
	else if (!cpuset_overlap(&vm->limit, usable))
		say_no_cpu(in, vm, why);
	else
		return true;
	return false;
}

static enum world_role
role_of(enum place_mode mode)
{
	if (mode == PLACE_PIN)
		return WORLD_PIN;
	return mode == PLACE_OBSERVE ? WORLD_OBSERVE : WORLD_FLOAT;
}

/* In sixteenths of a CPU, so that sums of demands are exact. */
static double
demand_of(const struct plan_vm *vm)
{
	unsigned int n = vm->n_vcpus < PLAN_VCPUS_MAX ? vm->n_vcpus : PLAN_VCPUS_MAX;
	double demand = n;
	double units;

	if (vm->demand_vcpus > 0 && vm->demand_vcpus < n)
		demand = vm->demand_vcpus;
	units = (double)(int32_t)(demand * WAIT_UNIT + 0.5);
	return (units > 1 ? units : 1) / WAIT_UNIT;
}

/* CPUs it has now, those that count: all its masks, or where it may run. */
static struct cpuset
current_cpus(const struct plan_vm *vm)
{
	struct cpuset cpus = CPUSET_NONE;

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
	struct cpuset has = current_cpus(vm->in);
	struct cpuset counts;

	has = cpuset_and(&has, &w->in->topo->online);
	counts = cpuset_and(&has, &w->usable);
	if (vm->in->n_vcpus == 0 || cpuset_empty(&counts))
		return;
	/* no more than its CPUs can run */
	if (vm->demand > cpuset_count(&has))
		vm->demand = cpuset_count(&has);
	vm->demand *= (double)cpuset_count(&counts) / cpuset_count(&has);
	vm->need = wait_need_of(vm->in->id, (int32_t)(vm->demand * WAIT_UNIT));
	world_enter_fixed(w, vm, &counts);
}

static void
set_up(struct world *w, struct world_vm *vm)
{
	struct cpuset allowed = cpuset_and(&vm->in->limit, &w->usable);

	vm->cls = world_class_of(w, &allowed);
	vm->n_allowed = w->classes[vm->cls].n_cpus;
	vm->need = wait_need_of(vm->in->id, (int32_t)(vm->demand * WAIT_UNIT));
	if (vm->role != WORLD_PIN)
		return;
	vm->pins = xcalloc(vm->in->n_vcpus, sizeof(*vm->pins));
	for (unsigned int v = 0; v < vm->in->n_vcpus; v++)
		vm->pins[v] = -1;
}

/* Put back what was placed; the others come to @todo. Returns how many. */
static unsigned int
put_back(struct world *w, struct world_vm **todo, bool *changed)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n_vms; i++) {
		struct world_vm *vm = &w->vms[i];
		bool placed = true;

		if (vm->role == WORLD_FLOAT)
			placed = adopt_float(w, vm);
		else if (vm->role == WORLD_PIN)
			placed = adopt_pin(w, vm);
		if (!placed)
			todo[n++] = vm;
		*changed |= !placed || vm->cause != WORLD_KEPT;
	}
	wait_settle(w->wait);
	for (unsigned int i = 0; i < w->n_vms; i++) {
		if (w->vms[i].role == WORLD_FLOAT && w->vms[i].node >= 0)
			float_fit(w, &w->vms[i]);
	}
	return n;
}

/* Who has the least choice comes first: the others can make room. Then the largest. */
static int
by_choice(const void *a, const void *b)
{
	const struct world_vm *x = *(struct world_vm *const *)a;
	const struct world_vm *y = *(struct world_vm *const *)b;

	if (x->n_allowed != y->n_allowed)
		return x->n_allowed < y->n_allowed ? -1 : 1;
	if (x->in->n_vcpus != y->in->n_vcpus)
		return x->in->n_vcpus > y->in->n_vcpus ? -1 : 1;
	return by_id(x, y);
}

static void
place(struct world *w, struct world_vm *vm)
{
	if (vm->role == WORLD_PIN) {
		pin_place(w, vm);
		return;
	}
	vm->cause = WORLD_NEW;
	world_enter(w, vm);
	float_place(w, vm);
}

static void
place_all(struct world *w)
{
	auto_free struct world_vm **todo = xcalloc(w->n_vms, sizeof(struct world_vm *));
	bool changed = false;
	unsigned int n = put_back(w, todo, &changed);

	qsort(todo, n, sizeof(struct world_vm *), by_choice);
	for (unsigned int i = 0; i < n; i++)
		place(w, todo[i]);
	/* a world in which nothing happened is left alone, whatever it looks like */
	if (changed)
		float_repair(w);
}

static bool
same_masks(const struct plan_vm *in, const struct plan_result *out)
{
	if (in->n_current != out->n_vcpus)
		return false;
	for (unsigned int i = 0; i < in->n_current; i++) {
		if (!cpuset_equal(&in->current[i], &out->vcpus[i]))
			return false;
	}
	return true;
}

/* The result of a VM that has its place: masks, emulator, verdict, reason. */
static void
write_result(const struct world *w, struct world_vm *vm)
{
	const struct topo *topo = w->in->topo;
	struct plan_result *out = vm->out;
	struct cpuset all = vm->role == WORLD_PIN
				    ? pin_cpus(w, vm)
				    : world_mask(w, vm, (unsigned int)vm->node);
	unsigned int node = vm->role == WORLD_PIN ? tree_around(w->tree, topo, &all)
						  : (unsigned int)vm->node;

	out->n_vcpus = vm->in->n_vcpus;
	out->vcpus = xcalloc(out->n_vcpus, sizeof(*out->vcpus));
	for (unsigned int v = 0; v < out->n_vcpus; v++)
		out->vcpus[v] = vm->role == WORLD_PIN
					? cpuset_of(topo->pus[vm->pins[v]].cpu)
					: all;
	out->domain = all;
	out->tier = vm->apart ? TOPO_NONE : w->tree->nodes[node].tier;
	out->emulator = emulator_mask(w, vm, node, &all);
	out->apply = vm->in->mode != PLACE_OBSERVE;
	out->verdict = PLAN_PLACE;
	if (same_masks(vm->in, out) && (vm->in->placed || !out->apply))
		out->verdict = PLAN_KEEP;
	why_planned(w, vm, node);
}

/* What the VM would be given, with all others as they are; then it is as it was. */
static void
observe(struct world *w, struct world_vm *vm)
{
	struct cpuset has = current_cpus(vm->in);
	struct cpuset counts = cpuset_and(&has, &w->usable);
	struct world_vm trial = *vm;

	if (!cpuset_empty(&counts))
		world_fix(w, vm, &counts, -1);
	trial.cause = WORLD_NEW;
	trial.demand = demand_of(vm->in);
	trial.need = wait_need_of(vm->in->id, (int32_t)(trial.demand * WAIT_UNIT));
	float_place(w, &trial);
	write_result(w, &trial);
	world_put(w, &trial, -1);
	if (!cpuset_empty(&counts))
		world_fix(w, vm, &counts, 1);
}

static void
run(struct world *w)
{
	for (unsigned int i = 0; i < w->n_vms; i++) {
		struct world_vm *vm = &w->vms[i];

		if (vm->role == WORLD_LEAVE)
			lay_fixed(w, vm);
		else
			set_up(w, vm);
		if (vm->role == WORLD_OBSERVE)
			lay_fixed(w, vm);
	}
	place_all(w);
	for (unsigned int i = 0; i < w->n_vms; i++) {
		if (w->vms[i].role == WORLD_OBSERVE)
			observe(w, &w->vms[i]);
		else if (w->vms[i].role != WORLD_LEAVE)
			write_result(w, &w->vms[i]);
	}
}

/* The VMs in the order of their ids, each with its role or the reason why it has none.
 */
static void
list_vms(const struct plan_input *in, const struct cpuset *usable, struct plan *p,
	struct world_vm *vms)
{
	for (unsigned int i = 0; i < in->n_vms; i++) {
		struct plan_result *out = &p->results[i];

		vms[i] = (struct world_vm){
			.in = &in->vms[i],
			.out = out,
			.role = WORLD_LEAVE,
			.node = -1,
			.first = -1,
			.demand = demand_of(&in->vms[i]),
		};
		out->verdict = PLAN_LEAVE;
		out->tier = TOPO_NONE;
		if (can_plan(in, usable, &in->vms[i], out->why))
			vms[i].role = role_of(in->vms[i].mode);
	}
	qsort(vms, in->n_vms, sizeof(*vms), by_id);
}

int
planner_run(const struct plan_input *in, struct plan **out, struct err *e)
{
	auto_free struct world_vm *vms = NULL;
	struct cpuset usable;
	struct world *w;
	struct plan *p;
	int r;

	r = check_input(in, e);
	if (r < 0)
		return r;
	usable = cpuset_minus(&in->topo->online, &in->policy->reserved);
	usable = cpuset_minus(&usable, &in->topo->isolated);
	p = xcalloc(1, sizeof(*p));
	p->n = in->n_vms;
	p->results = xcalloc(in->n_vms, sizeof(*p->results));
	vms = xcalloc(in->n_vms, sizeof(*vms));
	list_vms(in, &usable, p, vms);
	r = check_ids(vms, in->n_vms, e);
	if (r < 0) {
		plan_free(p);
		return r;
	}
	if (!cpuset_empty(&usable)) { /* else every VM says so */
		w = world_new(in, &usable, take_ptr(&vms));
		run(w);
		world_free(w);
	}
	*out = p;
	return 0;
}

void
plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	for (unsigned int i = 0; i < p->n; i++) {
		free(p->results[i].vcpus);
		free(p->results[i].explain);
	}
	free(p->results);
	free(p);
}

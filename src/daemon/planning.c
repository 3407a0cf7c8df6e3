// SPDX-License-Identifier: MIT
/*
 * Between the daemon's VMs and the pure planner. vCPUs are handed over in a fixed
 * order, placed ones first, so that "the last ones are new" holds also when QEMU fills
 * a gap in the cpu-index.
 */
#include "config.h"

#include "daemon/planning.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/adopt.h"
#include "daemon/engine.h"
#include "place/planner.h"

/* A VM's part of the planner's input; the arrays are the planner's for the call. */
struct seat {
	struct vm *vm;
	struct vm_task **vcpus;
	struct cpuset *current;
	unsigned int n;
};

/* vCPUs by index, those that already have a place first. */
static void
order_vcpus(struct seat *seat)
{
	struct vm *vm = seat->vm;
	struct vm_task **all = xcalloc(vm->n_tasks, sizeof(struct vm_task *));
	size_t n = vm_vcpus(vm, all);

	seat->vcpus = xcalloc(n, sizeof(struct vm_task *));
	for (size_t i = 0; i < n; i++) {
		if (all[i]->wanted)
			seat->vcpus[seat->n++] = all[i];
	}
	for (size_t i = 0; i < n; i++) {
		if (!all[i]->wanted)
			seat->vcpus[seat->n++] = all[i];
	}
	free(all);
}

/* Masks the planner shall take for given: what we want of placed vCPUs, else what the
 * kernel has. Returns how many. */
static unsigned int
current_masks(struct seat *seat, bool keep_wants)
{
	unsigned int n = 0;

	seat->current = xcalloc(seat->n, sizeof(struct cpuset));
	for (unsigned int i = 0; i < seat->n; i++) {
		const struct vm_task *t = seat->vcpus[i];

		if (keep_wants && !t->wanted)
			break; /* newly plugged: inherited a mask that means nothing */
		seat->current[n++] = keep_wants ? t->want : t->have;
	}
	return n;
}

static enum place_mode
effective_mode(const struct engine *e, const struct vm *vm)
{
	if (vm->foreign || adopt_waits(e, vm))
		return PLACE_OFF;
	return settings_mode(&e->config, vm->id, NULL);
}

static void
take_seat(const struct engine *e, struct vm *vm, struct seat *seat, struct plan_vm *out)
{
	bool keep_wants;

	seat->vm = vm;
	order_vcpus(seat);
	/* what is only thought of (observe, dry run) is not where it runs */
	keep_wants = vm->placed && seat->n > 0 && seat->vcpus[0]->wanted;
	*out = (struct plan_vm){
		.id = vm->id,
		.mode = effective_mode(e, vm),
		.smt = settings_smt(&e->config, vm->id),
		.emulator = settings_emulator(&e->config, vm->id),
		.n_vcpus = seat->n,
		.limit = vm->record.limit,
		.placed = vm->placed,
	};
	out->n_current = current_masks(seat, keep_wants);
	out->current = seat->current;
}

/* Set what is wanted of one task. Returns true when that is new. */
static bool
want(struct vm_task *t, const struct cpuset *cpus)
{
	struct cpuset target = cpuset_and(cpus, &t->limit);
	bool wanted = !cpuset_empty(&target);
	bool changed =
		wanted != t->wanted || (wanted && !cpuset_equal(&target, &t->want));

	t->wanted = wanted;
	t->want = target;
	t->applied = t->applied && !changed;
	return changed;
}

static bool
want_nothing(struct vm *vm)
{
	for (size_t i = 0; i < vm->n_tasks; i++)
		vm->tasks[i].wanted = false;
	vm->domain = CPUSET_NONE;
	vm->emulator = CPUSET_NONE;
	vm->placed = false;
	return false;
}

/* A trouble that lasts is worth more than what the plan says. */
static void
set_note(struct vm *vm, const char *note)
{
	if (vm->said[0] == '\0' || (vm->fresh && vm->peace_until_us == 0))
		str_copy(vm->note, sizeof(vm->note), note);
}

static bool
take_result(struct seat *seat, const struct plan_result *result)
{
	struct vm *vm = seat->vm;
	bool changed = false;

	str_copy(vm->why, sizeof(vm->why), result->why);
	if (result->verdict == PLAN_LEAVE) {
		set_note(vm, result->why);
		return want_nothing(vm);
	}
	set_note(vm, "");
	vm->domain = result->domain;
	vm->emulator = result->emulator;
	for (unsigned int i = 0; i < seat->n && i < result->n_vcpus; i++)
		changed |= want(seat->vcpus[i], &result->vcpus[i]);
	for (size_t i = 0; i < vm->n_tasks; i++) {
		if (vm->tasks[i].thread.class != THREAD_VCPU)
			changed |= want(&vm->tasks[i], &result->emulator);
	}
	return changed;
}

static void
note_of_unplanned(const struct engine *e, struct vm *vm)
{
	if (vm->foreign)
		set_note(vm, "left alone: its vCPUs already had masks of their own");
	else if (adopt_waits(e, vm))
		set_note(vm, "ran before qmpind: waits for its turn (adopt = gradual)");
}

/* A VM that is not looked at in this pass has new wants. What it had before us, its
 * limit, may have changed since it was looked at: look again before the first set. */
static void
join_pass(struct engine *e, struct vm *vm)
{
	if (vm->fresh)
		return;
	if (vm->touched)
		vm->fresh = true;
	else
		engine_kick(e, vm, CAUSE_NEIGHBOUR);
}

static int
plan_seats(struct engine *e, const struct plan_vm *vms, struct seat *seats,
	unsigned int n, struct err *err)
{
	struct plan_policy policy = plan_policy_default();
	struct plan_input in = {.topo = e->host.topo,
		.ranking = e->host.ranking,
		.latency = hostmodel_latency(&e->host),
		.policy = &policy,
		.n_vms = n,
		.vms = vms};
	struct plan *plan;
	int r;

	policy.reserved = e->config.reserved_cpus;
	r = planner_run(&in, &plan, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < n; i++) {
		if (take_result(&seats[i], &plan->results[i]))
			join_pass(e, seats[i].vm);
		seats[i].vm->observe_only = !plan->results[i].apply;
		note_of_unplanned(e, seats[i].vm);
	}
	plan_free(plan);
	return 0;
}

int
planning_run(struct engine *e, struct err *err)
{
	struct plan_vm *vms = xcalloc(e->n_vms, sizeof(*vms));
	struct seat *seats = xcalloc(e->n_vms, sizeof(*seats));
	unsigned int n = 0;
	int r;

	for (size_t i = 0; i < e->n_vms; i++) {
		if (e->vms[i]->surveyed) {
			take_seat(e, e->vms[i], &seats[n], &vms[n]);
			n++;
		}
	}
	r = plan_seats(e, vms, seats, n, err);
	for (unsigned int i = 0; i < n; i++) {
		free(seats[i].vcpus);
		free(seats[i].current);
	}
	free(seats);
	free(vms);
	return r;
}

// SPDX-License-Identifier: MIT
/* What the planner's answer means for each VM and thread. */
#include "config.h"

#include "daemon/planning.h"

#include "base/str.h"
#include "daemon/adopt.h"
#include "daemon/engine.h"
#include "daemon/rebalancing.h"
#include "daemon/recall.h"
#include "daemon/seating.h"
#include "daemon/survey.h"
#include "daemon/undo.h"
#include "daemon/vmmode.h"
#include "place/allowance.h"
#include "place/entry.h"

/* Set what is wanted of one task. Returns true when that is new. */
static bool
want(const struct engine *e, struct vm_task *t, const struct cpuset *cpus,
	const struct cpuset *limit)
{
	struct cpuset may = survey_reach(e, limit);
	struct cpuset target = cpuset_and(cpus, &may);
	bool wanted = !cpuset_empty(&target) && !t->thread.fixed;
	bool changed =
		wanted != t->wanted || (wanted && !cpuset_equal(&target, &t->want));

	t->wanted = wanted;
	t->want = target;
	t->applied = t->applied && !changed;
	return changed;
}

static void
want_nothing(struct vm *vm)
{
	for (size_t i = 0; i < vm->n_tasks; i++)
		vm->tasks[i].wanted = false;
	vm->domain = CPUSET_NONE;
	vm->emulator = CPUSET_NONE;
	vm->placed = false;
}

/* A trouble that lasts is worth more than what the plan says. */
static void
set_note(struct vm *vm, const char *note)
{
	if (vm->said[0] == '\0' || (vm->fresh && vm->peace_until_us == 0))
		str_copy(vm->note, sizeof(vm->note), note);
}

/* What is wanted of the vCPUs. Returns true when that is new; the place has changed
 * where a vCPU had one. */
static bool
want_vcpus(const struct engine *e, struct seat *seat, const struct plan_result *result)
{
	struct vm *vm = seat->vm;
	struct cpuset limit = vm_vcpu_limit(vm);
	bool changed = false;

	for (unsigned int k = 0; k < seat->n && k < result->n_vcpus; k++) {
		bool newly = !seat->vcpus[k]->wanted && vm->placed;

		if (!want(e, seat->vcpus[k], &result->vcpus[k], &limit))
			continue;
		changed = true;
		if (!newly)
			vm->changed_us = clock_now_us(e->clock);
	}
	return changed;
}

/* What an earlier plan wanted has not been carried out yet. Its reason stays: the plan
 * after it only says that the VM is to stay there. */
static bool
is_pending(const struct vm *vm)
{
	bool pending = false;

	for (size_t i = 0; i < vm->n_tasks; i++)
		pending |= vm->tasks[i].wanted && !vm->tasks[i].applied;
	return pending && vm->why[0] != '\0';
}

/* Where pinned vCPUs were before host CPUs went is in the record, for as long as their
 * threads live. */
static void
note_homes(const struct seat *seat, const struct plan_result *result)
{
	struct vm *vm = seat->vm;

	for (unsigned int k = 0; k < seat->n; k++) {
		const struct vm_thread *t = &seat->vcpus[k]->thread;
		const struct cpuset *home = &CPUSET_NONE;

		if (result->home != NULL && k < result->n_vcpus)
			home = &result->home[k];
		if (record_set_home(&vm->record, t->tid, t->start_ticks, home))
			vm->record_dirty = true;
	}
}

/* Returns true when something new is wanted of a thread. */
static bool
take_result(const struct engine *e, struct seat *seat, const struct plan_result *result)
{
	struct vm *vm = seat->vm;
	bool changed;

	vm->observe_only = !result->apply;
	vm->own = result->own;
	vm->own_known = true;
	note_homes(seat, result);
	if (result->verdict == PLAN_LEAVE) {
		str_copy(vm->why, sizeof(vm->why), result->why);
		set_note(vm, result->why);
		want_nothing(vm);
		return false;
	}
	set_note(vm, "");
	vm->domain = result->domain;
	vm->emulator = result->emulator;
	changed = want_vcpus(e, seat, result);
	for (size_t i = 0; i < vm->n_tasks; i++) {
		if (vm->tasks[i].thread.class != THREAD_VCPU)
			changed |= want(e, &vm->tasks[i], &result->emulator,
				vm_task_limit(vm, &vm->tasks[i]));
	}
	if (changed || result->verdict != PLAN_KEEP || !is_pending(vm))
		str_copy(vm->why, sizeof(vm->why), result->why);
	return changed;
}

static void
note_of_unplanned(const struct engine *e, struct vm *vm)
{
	const char *off = wishes_why_off(e, vm);

	if (vm->foreign)
		set_note(vm, "left alone: its vCPUs already had masks of their own");
	else if (undo_holds(vm))
		set_note(vm, UNDO_NOTE);
	else if (vm->wishes.unheard)
		set_note(vm, RECALL_NOTE);
	else if (adopt_waits(e, vm))
		set_note(vm, "ran before qmpind: waits for its turn (adopt = gradual)");
	else if (off != NULL && vmmode_of(e, vm, NULL) == PLACE_OFF)
		set_note(vm, off);
}

/* A VM that is not looked at in this pass has new wants. What it had before us, its
 * limit, may have changed since it was looked at: look again before the first set. */
static void
join_pass(struct engine *e, struct vm *vm)
{
	if (vm->fresh)
		return;
	if (vm->touched)
		vm->fresh = vm->looked = true;
	else
		engine_kick(e, vm, CAUSE_NEIGHBOUR);
}

static void
take_plan(struct engine *e, struct seating *s, const struct plan *plan)
{
	for (unsigned int i = 0; i < plan->n; i++) {
		struct vm *vm = s->seats[i].vm;
		bool changed = take_result(e, &s->seats[i], &plan->results[i]);

		vm->kept_off = s->vms[i].mode == PLACE_OFF;
		if (!s->late)
			vm->could = entry_limit(&s->in, &s->vms[i]);
		squeeze_planned(e, vm, &plan->results[i], changed);
		if (changed && plan->results[i].rebalanced) {
			vm->active |= cause_bit(CAUSE_REBALANCE);
			e->stats.rebalanced++;
		}
		if (changed && (vm->active & cause_bit(CAUSE_REBALANCE)) != 0)
			rebalancing_count_gain(vm);
		if (changed)
			join_pass(e, vm);
		note_of_unplanned(e, vm);
	}
}

int
planning_run(struct engine *e, bool rebalance, struct err *err)
{
	struct seating s;
	struct plan *plan;
	int r;

	if (rebalance)
		squeeze_end_rests(e);
	seating_init(&s, e);
	if (rebalance) {
		s.policy.rebalance = e->config.rebalance == SETTINGS_REBALANCE_YES;
		allowance_give(&e->allowance, s.policy.now_s,
			e->config.rebalance_moves_per_min,
			e->config.rebalance_vcpus_per_min, &s.policy);
	}
	r = planner_run(&s.in, &plan, err);
	if (r == 0) {
		e->late = s.late;
		allowance_take(&e->allowance, &s.in, plan);
		take_plan(e, &s, plan);
		plan_free(plan);
	}
	seating_fini(&s);
	return r;
}

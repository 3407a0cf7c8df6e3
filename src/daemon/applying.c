// SPDX-License-Identifier: MIT
/* Plan and Apply: a plan that nobody carries out, and a pass that somebody waits for.
 */
#include "config.h"

#include "daemon/applying.h"

#include <stdlib.h>

#include "act/affinity.h"
#include "base/err.h"
#include "ctl/server.h"
#include "daemon/engine.h"
#include "daemon/report.h"
#include "daemon/seating.h"
#include "daemon/survey.h"
#include "daemon/undo.h"

struct pending_list
applying_none(void)
{
	return (struct pending_list){.done = "moves",
		.late = "no answer yet: its monitor is in use, or QEMU hangs"};
}

static void
mark(struct vm *const *vms, size_t n, enum vm_asked asked)
{
	for (size_t i = 0; i < n; i++)
		vms[i]->asked = asked;
}

/* What one thread would get. */
static void
add_move(const struct engine *e, json_t *moves, struct vm *vm, const struct vm_task *t,
	struct cpuset cpus, const char *why)
{
	bool is_vcpu = t->thread.class == THREAD_VCPU;
	struct cpuset limit = is_vcpu ? vm_vcpu_limit(vm) : *vm_task_limit(vm, t);
	struct cpuset may = survey_reach(e, &limit);
	struct move move = {t->thread, t->have, cpuset_and(&cpus, &may)};

	if (!t->thread.fixed && !cpuset_empty(&move.to) &&
		!affinity_is_kept(&move.to, &move.from))
		json_array_append_new(
			moves, report_move_json(vm->id, &move, CAUSE_REQUEST, why));
}

static void
add_moves(const struct engine *e, json_t *moves, const struct seat *seat,
	const struct plan_result *result)
{
	struct vm *vm = seat->vm;

	if (result->verdict == PLAN_LEAVE || !result->apply)
		return;
	for (unsigned int k = 0; k < seat->n && k < result->n_vcpus; k++)
		add_move(e, moves, vm, seat->vcpus[k], result->vcpus[k], result->why);
	for (size_t i = 0; i < vm->n_tasks; i++) {
		if (vm->tasks[i].thread.class != THREAD_VCPU)
			add_move(e, moves, vm, &vm->tasks[i], result->emulator,
				result->why);
	}
}

static void
answer_plan(struct engine *e, struct ctl_call *call, struct vm *const *vms, size_t n)
{
	struct err why = ERR_NONE;
	struct seating s;
	struct plan *plan;
	json_t *moves;

	seating_init(&s, e);
	if (planner_run(&s.in, &plan, &why) < 0) {
		ctl_failed_by(call, &why);
		seating_fini(&s);
		return;
	}
	moves = json_array();
	for (size_t i = 0; i < n; i++) {
		int seat = seating_find(&s, vms[i]);

		if (seat >= 0)
			add_moves(e, moves, &s.seats[seat], &plan->results[seat]);
	}
	ctl_reply(call, json_pack("{s:o}", "moves", moves), false);
	plan_free(plan);
	seating_fini(&s);
}

void
applying_on_plan(void *owner, struct ctl_call *call, const json_t *params)
{
	struct engine *e = owner;
	struct vm **vms;
	size_t n;

	if (!pending_vms(e, call, params, &vms, &n))
		return;
	mark(vms, n,
		json_is_array(json_object_get(params, "ids")) ? VM_ASKED_BY_NAME
							      : VM_ASKED);
	answer_plan(e, call, vms, n);
	mark(vms, n, VM_NOT_ASKED);
	free(vms);
}

void
applying_clear_way(struct engine *e, struct vm *vm, bool named)
{
	struct err why = ERR_NONE;

	if (undo_end(e, vm, &why) < 0)
		report_trouble(vm, &why);
	vm->preexisting = false;
	vm->overruled = vm->overruled || named;
	vm->foreign = vm->foreign && !vm->overruled;
	drifting_forgive(vm);
	vm_rested(vm);
	vm->told = CPUSET_NONE;
}

void
applying_on_apply(void *owner, struct ctl_call *call, const json_t *params)
{
	struct engine *e = owner;
	bool named = json_is_array(json_object_get(params, "ids"));
	struct pending *p;
	struct vm **vms;
	size_t n;

	if (!pending_changes(e, call, "apply", params, &vms, &n))
		return;
	p = pending_new(&e->applies, e, call, vms, n, e->apply_ms);
	for (size_t i = 0; i < n; i++) {
		if (!vms[i]->proven) {
			pending_close(&e->applies, vms[i]->id,
				vms[i]->note[0] != '\0' ? vms[i]->note
							: "no QEMU is known of it");
			continue;
		}
		applying_clear_way(e, vms[i], named);
		engine_kick(e, vms[i], CAUSE_REQUEST);
	}
	pending_begin(p);
	free(vms);
}

void
applying_moved(struct engine *e, const struct vm *vm, const struct move *moves,
	size_t n, enum cause cause)
{
	if (!pending_has(&e->applies, vm->id))
		return;
	for (size_t i = 0; i < n; i++)
		pending_add(&e->applies, vm->id,
			report_move_json(vm->id, &moves[i], cause, vm->why));
}

/* Nothing is under way for it. */
static bool
is_settled(const struct vm *vm)
{
	return vm->causes == 0 && vm->delayed == 0 && !vm->awaiting && !vm->fresh;
}

void
applying_passed(struct engine *e)
{
	for (size_t i = 0; e->applies.first != NULL && i < e->n_vms; i++) {
		const struct vm *vm = e->vms[i];

		if (is_settled(vm))
			pending_close(&e->applies, vm->id,
				vm->said[0] != '\0' ? vm->said : NULL);
	}
}

void
applying_lost(struct engine *e, const struct vm *vm)
{
	pending_close(&e->applies, vm->id, "it ended");
}

// SPDX-License-Identifier: MIT
/*
 * One pass, in slices. A VM that becomes fresh anew while the pass goes on is no longer
 * "looked" at: it is left to the next pass.
 */
#include "config.h"

#include "daemon/pass.h"

#include <errno.h>

#include "base/log.h"
#include "base/str.h"
#include "daemon/adopt.h"
#include "daemon/apply.h"
#include "daemon/drifting.h"
#include "daemon/engine.h"
#include "daemon/memory.h"
#include "daemon/planning.h"
#include "daemon/recall.h"
#include "daemon/report.h"
#include "daemon/survey.h"
#include "daemon/vmmode.h"

/* The VM cannot be looked at now: say so once, try again with the next audit. What was
 * known of it before still counts for plans, else others would get its cores; a thread
 * that has ended since then is not set. */
static void
give_up_for_now(struct engine *e, struct vm *vm, int r, const struct err *why)
{
	/* a thread may have ended since QMP named it, as an unplugged vCPU's does */
	bool again = r == -ESTALE && vm->surveyed && vm->rests == 0;

	vm->fresh = vm->looked = false;
	vm->active = 0;
	if (r == -ESRCH || r == -EAGAIN)
		return; /* ended: its pidfd tells; or QMP is asked again */
	vm_rest(vm);
	if (again) {
		engine_kick(e, vm, CAUSE_THREADS);
		return;
	}
	vm->retry = true;
	report_trouble(vm, why);
}

static bool
is_over(const struct engine *e, uint64_t until_us)
{
	return clock_now_us(e->clock) >= until_us;
}

static void
survey_one(struct engine *e, struct vm *vm)
{
	struct err why = ERR_NONE;
	int r;

	vm->looked = true;
	r = survey_vm(e, vm, &why);
	if (r < 0) {
		give_up_for_now(e, vm, r, &why);
		return;
	}
	recall_keep(e, vm);
	memory_see(e, vm);
	wishes_look(e, vm);
	adopt_ask(e, vm);
}

/* It is not looked at yet; one whose configuration is awaited is not touched. */
static bool
is_due(const struct engine *e, const struct vm *vm)
{
	return vm->fresh && !vm->looked && !wishes_wait(e, vm);
}

/* Returns false when the time is over and some are left. */
static bool
survey_fresh(struct engine *e, uint64_t until_us)
{
	bool over = false;

	for (size_t i = 0; i < e->n_vms; i++) {
		struct vm *vm = e->vms[i];

		if (!is_due(e, vm))
			continue;
		if (over)
			return false;
		survey_one(e, vm);
		over = is_over(e, until_us);
	}
	return true;
}

/* Who gets cores of its own comes when the others have left them. */
static bool
comes_late(const struct engine *e, const struct vm *vm)
{
	return vmmode_of(e, vm, NULL) == PLACE_DEDICATED;
}

/* As survey_fresh. */
static bool
apply_fresh(struct engine *e, bool late, uint64_t until_us)
{
	bool over = false;

	for (size_t i = 0; i < e->n_vms; i++) {
		struct vm *vm = e->vms[i];

		if (!vm->fresh || !vm->looked || comes_late(e, vm) != late)
			continue;
		if (over)
			return false;
		apply_vm(e, vm);
		vm->fresh = vm->looked = false;
		vm->active = 0;
		over = is_over(e, until_us);
	}
	return true;
}

bool
pass_is_due(const struct engine *e)
{
	for (size_t i = 0; i < e->n_vms; i++) {
		if (is_due(e, e->vms[i]))
			return true;
	}
	return false;
}

static bool
begin(struct engine *e)
{
	bool event = e->replan_due || pass_is_due(e);
	/* An event is answered without moving others, where events ever end. */
	bool rebalance = e->rebalance_due && (!event || e->rebalance_late);

	if (!event && !rebalance)
		return false;
	e->replan_due = false;
	e->rebalance_due = e->rebalance_due && !rebalance;
	e->pass = (struct pass){PASS_SURVEY, .rebalance = rebalance,
		.began_us = clock_now_us(e->clock)};
	for (size_t i = 0; i < e->n_vms; i++)
		e->vms[i]->looked = false;
	return true;
}

static enum pass_phase
plan(struct engine *e)
{
	struct err why = ERR_NONE;
	char text[512];

	if (planning_run(e, e->pass.rebalance, &why) == 0) {
		drifting_look(e);
		return PASS_APPLY;
	}
	log_error("no plan: %s", err_format(&why, text, sizeof(text)));
	return PASS_IDLE;
}

enum pass_step
pass_run(struct engine *e)
{
	uint64_t until_us = clock_now_us(e->clock) + PASS_SLICE_US;

	if (e->pass.phase == PASS_IDLE && !begin(e))
		return PASS_NOTHING;
	if (e->pass.phase == PASS_SURVEY) {
		if (!survey_fresh(e, until_us))
			return PASS_MORE;
		e->pass.phase = plan(e);
	}
	if (e->pass.phase == PASS_APPLY) {
		if (!apply_fresh(e, false, until_us))
			return PASS_MORE;
		e->pass.phase = PASS_APPLY_LATE;
	}
	if (e->pass.phase == PASS_APPLY_LATE && !apply_fresh(e, true, until_us))
		return PASS_MORE;
	e->pass.phase = PASS_IDLE;
	return PASS_DONE;
}

void
pass_drop(struct engine *e)
{
	e->pass.phase = PASS_IDLE;
}

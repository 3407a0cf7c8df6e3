// SPDX-License-Identifier: MIT
/* One pass: survey the VMs that are due, plan for all, apply what differs, report. */
#include "config.h"

#include "daemon/pass.h"

#include <errno.h>

#include "base/log.h"
#include "base/str.h"
#include "daemon/adopt.h"
#include "daemon/apply.h"
#include "daemon/engine.h"
#include "daemon/memory.h"
#include "daemon/planning.h"
#include "daemon/report.h"
#include "daemon/survey.h"

/* The VM cannot be looked at now: say so once, try again with the next audit. */
static void
give_up_for_now(struct vm *vm, int r, const struct err *why)
{
	vm->fresh = false;
	vm->active = 0;
	if (r == -ESRCH || r == -EAGAIN)
		return; /* ended: its pidfd tells; or QMP is asked again */
	vm->surveyed = false;
	vm_rest(vm);
	report_trouble(vm, why);
}

static void
survey_fresh(struct engine *e)
{
	for (size_t i = 0; i < e->n_vms; i++) {
		struct vm *vm = e->vms[i];
		struct err why = ERR_NONE;
		int r;

		if (!vm->fresh)
			continue;
		r = survey_vm(e, vm, &why);
		if (r < 0)
			give_up_for_now(vm, r, &why);
		else {
			memory_see(e, vm);
			adopt_ask(e, vm);
		}
	}
}

/* Who gets cores of its own comes when the others have left them. */
static bool
comes_late(const struct engine *e, const struct vm *vm)
{
	return settings_mode(&e->config, vm->id, NULL) == PLACE_DEDICATED;
}

static void
apply_fresh(struct engine *e, bool late)
{
	for (size_t i = 0; i < e->n_vms; i++) {
		struct vm *vm = e->vms[i];

		if (!vm->fresh || comes_late(e, vm) != late)
			continue;
		apply_vm(e, vm);
		vm->fresh = false;
		vm->active = 0;
	}
}

static bool
any_fresh(const struct engine *e)
{
	for (size_t i = 0; i < e->n_vms; i++) {
		if (e->vms[i]->fresh)
			return true;
	}
	return false;
}

bool
pass_run(struct engine *e)
{
	struct err why = ERR_NONE;
	char text[512];
	bool event = e->replan_due || any_fresh(e);
	/* An event is answered without moving others. */
	bool rebalance = e->rebalance_due && !event;

	if (!event && !rebalance)
		return false;
	e->replan_due = false;
	e->rebalance_due = e->rebalance_due && !rebalance;
	survey_fresh(e);
	if (planning_run(e, rebalance, &why) < 0) {
		log_error("no plan: %s", err_format(&why, text, sizeof(text)));
		return true;
	}
	apply_fresh(e, false);
	apply_fresh(e, true);
	return true;
}

// SPDX-License-Identifier: MIT
/*
 * Calls of Restore. It is noted first that the VM is to be left alone: whatever happens
 * between, nothing is pinned again.
 */
#include "config.h"

#include "daemon/undo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/server.h"
#include "daemon/engine.h"
#include "daemon/giveback.h"
#include "daemon/pending.h"
#include "daemon/report.h"
#include "daemon/telling.h"

#define REASON "the mask it had before qmpind"

/* One VM's turn. */
struct turn {
	struct vm *vm;
	struct move *moves; /* those that were made */
	size_t n_moves;
	size_t cap_moves;
	struct strbuf failed; /* "worker 4711: why" */
};

bool
undo_holds(const struct vm *vm)
{
	return vm->has_record && vm->record.restored;
}

static int
note(const struct engine *e, struct vm *vm, bool restored, struct err *err)
{
	struct record *record = &vm->record;
	bool before = record->restored;
	int r;

	record->restored = restored;
	record->untouched = false;
	record->placed = record->placed && !restored;
	r = record_save(e->run_dirfd, record, err);
	if (r < 0) {
		record->restored = before;
		record->placed = vm->placed;
		return r;
	}
	vm->record_dirty = false;
	vm->touched = true;
	return 0;
}

int
undo_end(const struct engine *e, struct vm *vm, struct err *err)
{
	return undo_holds(vm) ? note(e, vm, false, err) : 0;
}

static void
take_step(void *arg, const struct giveback_step *step)
{
	struct turn *turn = arg;
	const struct vm_task *t = vm_task_find(turn->vm, step->tid);
	struct vm_thread thread = {
		.tid = step->tid, .class = THREAD_WORKER, .index = -1};

	if (t != NULL)
		thread = t->thread;
	if (step->r < 0) {
		strbuf_addf(&turn->failed, "%s%s %d: %s",
			turn->failed.len > 0 ? ", " : "",
			thread_class_name(thread.class), (int)step->tid,
			strerror(-step->r));
		return;
	}
	turn->moves = xgrow(
		turn->moves, turn->n_moves, &turn->cap_moves, sizeof(*turn->moves));
	turn->moves[turn->n_moves++] = (struct move){thread, step->from, step->to};
}

/* Nothing is wanted of it any more. */
static void
let_go(struct engine *e, struct vm *vm)
{
	for (size_t i = 0; i < vm->n_tasks; i++)
		vm->tasks[i].wanted = false;
	vm->placed = false;
	vm->domain = CPUSET_NONE;
	vm->told = CPUSET_NONE;
	vm->emulator = CPUSET_NONE;
	drifting_forgive(vm);
	vm->drift.text[0] = '\0';
	str_copy(vm->why, sizeof(vm->why), REASON);
	str_copy(vm->note, sizeof(vm->note), UNDO_NOTE);
	vm->last_cause = CAUSE_RESTORE;
	vm->last_move_us = clock_real_us(e->clock);
}

static int
restore(struct engine *e, struct turn *turn, struct err *err)
{
	struct vm *vm = turn->vm;
	bool touched = vm->touched;
	int r = note(e, vm, true, err);

	if (r < 0)
		return r;
	let_go(e, vm);
	if (!touched)
		return 0;
	r = giveback_process(
		e->procfd, vm->identity.pidfd, &vm->record, take_step, turn);
	if (r < 0 && r != -ESRCH)
		return err_set(
			err, r, NULL, 0, "cannot read its threads: %s", strerror(-r));
	if (turn->n_moves > 0) {
		report_moves(
			vm, turn->moves, turn->n_moves, LOG_INFO, CAUSE_RESTORE, NULL);
		telling_moves(e->telling, vm, turn->moves, turn->n_moves, CAUSE_RESTORE,
			NULL);
	} else {
		report_vm(vm, LOG_INFO, "restored: no mask of it was changed");
	}
	history_add(&vm->history, vm->last_move_us, CAUSE_RESTORE, UNDO_NOTE);
	if (turn->failed.len > 0)
		return err_set(err, -EIO, NULL, 0, "%s", strbuf_text(&turn->failed));
	return 0;
}

static void
restore_one(struct engine *e, struct vm *vm, json_t *moves, json_t *failed)
{
	struct turn turn = {.vm = vm};
	struct err why = ERR_NONE;

	if (vm->state == VM_GONE)
		return; /* there is nothing left to restore */
	if (!vm->surveyed)
		(void)err_set(&why, -EAGAIN, NULL, 0,
			"nothing is known of its threads yet: %s",
			vm->note[0] != '\0' ? vm->note : vm_state_name(vm->state));
	else
		(void)restore(e, &turn, &why);
	for (size_t i = 0; i < turn.n_moves; i++)
		json_array_append_new(moves, report_move_json(vm->id, &turn.moves[i],
						     CAUSE_RESTORE, REASON));
	if (err_is_set(&why)) {
		json_array_append_new(failed, json_sprintf("%s: %s", vm->id, why.text));
		report_vm(vm, LOG_WARNING, "not restored: %s", why.text);
	}
	free(turn.moves);
	strbuf_fini(&turn.failed);
}

void
undo_on_call(void *owner, struct ctl_call *call, const json_t *params)
{
	struct engine *e = owner;
	json_t *moves;
	json_t *failed;
	struct vm **vms;
	size_t n;

	if (!pending_changes(e, call, "restore", params, &vms, &n))
		return;
	moves = json_array();
	failed = json_array();
	for (size_t i = 0; i < n; i++)
		restore_one(e, vms[i], moves, failed);
	if (n > 0)
		engine_replan(e); /* others may have their room */
	ctl_reply(
		call, json_pack("{s:o, s:o}", "moves", moves, "failed", failed), false);
	free(vms);
}

// SPDX-License-Identifier: MIT
/*
 * Make masks what is wanted. A right mask is never touched; the record is on disk
 * before the first set; each set is verified by act/affinity.
 */
#include "config.h"

#include "daemon/apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "act/affinity.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "daemon/adopt.h"
#include "daemon/applying.h"
#include "daemon/audit.h"
#include "daemon/engine.h"
#include "daemon/proof.h"
#include "daemon/report.h"
#include "daemon/telling.h"

/* One VM's turn. */
struct turn {
	struct engine *e;
	struct vm *vm;
	enum cause cause;
	struct move *moves; /* done, or wanted in a dry run */
	size_t n_moves;
	size_t n_repairs; /* moves of threads that had the wanted mask before */
	bool again;	  /* something is left to do */
	bool all_done;	  /* no trouble */
};

/* Why nothing is set, NULL: it is. */
static const char *
pretence_of(const struct engine *e, const struct vm *vm)
{
	return e->dry_run ? "dry run" : vm->observe_only ? "observe" : NULL;
}

static bool
save_record(struct turn *turn)
{
	struct err why = ERR_NONE;

	if (!turn->vm->record_dirty && turn->vm->touched)
		return true;
	turn->vm->record.untouched = false;
	if (record_save(turn->e->run_dirfd, &turn->vm->record, &why) < 0) {
		report_trouble(turn->vm, &why);
		turn->all_done = false;
		turn->again = true;
		return false;
	}
	turn->vm->record_dirty = false;
	turn->vm->touched = true;
	return true;
}

/* Tell why a mask could not be set; the first thread speaks for the VM. */
static void
say_failure(struct turn *turn, const struct vm_task *t, const struct cpuset *had, int r)
{
	char want[256];
	char have[256];
	const char *class = thread_class_name(t->thread.class);

	cpuset_format(&t->want, want, sizeof(want));
	cpuset_format(had, have, sizeof(have));
	if (r == -EPERM)
		report_troublef(turn->vm,
			"no permission to set CPUs of %s %d (CAP_SYS_NICE)", class,
			(int)t->thread.tid);
	else if (r == -EINVAL)
		report_troublef(turn->vm,
			"%s %d: none of CPUs %s is online and allowed by its cpuset",
			class, (int)t->thread.tid, want);
	else if (r == -EAGAIN)
		report_troublef(turn->vm,
			"%s %d: the kernel keeps CPUs %s of the wanted %s: a cgroup cpuset is "
			"narrower or somebody else sets it",
			class, (int)t->thread.tid, have, want);
	else
		report_troublef(turn->vm, "cannot set CPUs of %s %d: %s", class,
			(int)t->thread.tid, strerror(-r));
}

static void
take_failure(
	struct turn *turn, const struct vm_task *t, const struct cpuset *had, int r)
{
	if (r == -ESRCH && t->pid != 0)
		return; /* helpers end when they like; the next audit files that */
	turn->again = turn->again || r == -ESRCH || r == -ESTALE || r == -EINVAL;
	if (r == -ESRCH)
		return;	    /* ended since the survey, or the id is a new thread's */
	if (r == -ESTALE) { /* another thread has the id now; it got its mask back */
		turn->e->stats.reverts++;
		return;
	}
	turn->e->stats.failures++;
	if (turn->all_done)
		say_failure(turn, t, had, r);
	turn->all_done = false;
}

static void
note_move(struct turn *turn, const struct vm_task *t, const struct cpuset *from)
{
	turn->moves[turn->n_moves++] = (struct move){t->thread, *from, t->want};
}

/* The kernel itself may have changed masks: nobody disagrees. */
static bool
is_explained(const struct turn *turn)
{
	return turn->cause == CAUSE_HOST || turn->cause == CAUSE_CGROUP;
}

static void
set_mask(struct turn *turn, struct vm_task *t)
{
	struct thread_ref ref = {.procfd = turn->e->procfd,
		.pidfd = turn->vm->identity.pidfd,
		.pid = turn->vm->identity.pid,
		.tid = t->thread.tid,
		.start_ticks = t->thread.start_ticks,
		.start_ticks_now = proof_start_ticks};
	struct cpuset had = t->have;
	int r = -ESRCH;

	if (t->pid == 0 || kin_refer(turn->vm, t, &ref))
		r = affinity_apply(&ref, &t->want, &had);
	if (r < 0) {
		take_failure(turn, t, &had, r);
		return;
	}
	turn->e->stats.sets++;
	turn->n_repairs += t->applied;
	if (t->applied && !is_explained(turn)) {
		turn->vm->repairs++;
		turn->e->stats.repairs++;
	}
	t->have = t->want;
	t->applied = true;
	note_move(turn, t, &had);
}

/* A task whose mask is not what is wanted and should be touched now. */
static bool
is_due(struct turn *turn, struct vm_task *t)
{
	if (!t->wanted || t->ended)
		return false;
	if (affinity_read(t->thread.tid, &t->have) < 0)
		return false;
	if (affinity_is_kept(&t->want, &t->have)) {
		t->applied = true;
		return false;
	}
	/* Somebody else set it, and is given way to. */
	if (t->applied && turn->vm->peace_until_us != 0)
		return false;
	/* Pool workers come and go within a second; those that stay are set later. */
	return !audit_is_passing(turn->e, t);
}

static void
apply_tasks(struct turn *turn)
{
	struct vm *vm = turn->vm;

	for (size_t i = 0; i < vm->n_tasks; i++) {
		struct vm_task *t = &vm->tasks[i];

		if (!is_due(turn, t))
			continue;
		if (pretence_of(turn->e, vm) != NULL)
			note_move(turn, t, &t->have);
		else if (!save_record(turn)) {
			turn->all_done = false;
			return; /* never touch what could not be recorded */
		} else {
			set_mask(turn, t);
		}
	}
}

/* The other threads follow; a trouble with one of them must not let the next plan take
 * the VM for new, and move it. */
static bool
are_vcpus_in_place(const struct vm *vm)
{
	for (size_t i = 0; i < vm->n_tasks; i++) {
		const struct vm_task *t = &vm->tasks[i];

		if (t->thread.class == THREAD_VCPU && t->wanted && !t->applied)
			return false;
	}
	return true;
}

/* The VM is where a plan wants it: a restart may take its masks for granted. One that
 * is off has got back what it may use: when it is on again it is a newcomer, and does
 * not stay there. Returns false when that could not be recorded. */
static bool
mark_placed(struct turn *turn)
{
	struct vm *vm = turn->vm;
	bool placed = !vm->kept_off;

	if (pretence_of(turn->e, vm) != NULL || cpuset_empty(&vm->domain))
		return true;
	vm->placed = placed;
	if (vm->record.placed != placed) {
		vm->record.placed = placed;
		vm->record_dirty = true;
	}
	if (save_record(turn))
		return true;
	turn->again = true;
	return false;
}

/* Nothing was decided: masks were put back, or a late thread was given the others'. */
static bool
is_repair(const struct turn *turn)
{
	return turn->cause == CAUSE_DRIFT || turn->cause == CAUSE_WORKERS ||
	       (turn->n_repairs > 0 && turn->n_repairs == turn->n_moves);
}

/* Late workers that were given the others' mask, and nothing else: a guest's I/O makes
 * them all the time. Somebody else's change of one that had it is not that. */
static bool
is_routine(const struct turn *turn)
{
	for (size_t i = 0; i < turn->n_moves; i++) {
		const struct vm_thread *t = &turn->moves[i].thread;

		if (t->class != THREAD_WORKER || threads_is_lasting(t->comm))
			return false;
	}
	return turn->n_repairs == 0;
}

/* For those who ask why it is where it is, and what happened to it. */
static void
remember(struct turn *turn, const char *pretence)
{
	struct vm *vm = turn->vm;
	uint64_t now_us = clock_real_us(turn->e->clock);
	auto_free char *text = NULL;

	if (is_repair(turn)) {
		if (vm->drift.text[0] != '\0')
			history_add_repair(
				&vm->history, now_us, turn->cause, vm->drift.text);
		return;
	}
	text = report_summary(vm, turn->moves, turn->n_moves, pretence);
	history_add(&vm->history, now_us, turn->cause, text);
}

/* Log what was done; what a dry run would do only when it is new. Routine is seen in
 * the log at level debug and nowhere else. */
static void
tell(struct turn *turn)
{
	struct vm *vm = turn->vm;
	const char *pretence = pretence_of(turn->e, vm);
	bool routine = is_routine(turn);

	if (turn->n_moves == 0)
		return;
	if (pretence != NULL && cpuset_equal(&vm->domain, &vm->told))
		return;
	if (!is_repair(turn) || turn->n_repairs == 0)
		vm->drift.text[0] = '\0'; /* the decision is what is to be told */
	report_moves(vm, turn->moves, turn->n_moves, routine ? LOG_DEBUG : LOG_INFO,
		turn->cause, pretence);
	if (pretence == NULL)
		applying_moved(turn->e, vm, turn->moves, turn->n_moves, turn->cause);
	if (routine)
		return;
	vm->told = vm->domain;
	telling_moves(turn->e->telling, vm, turn->moves, turn->n_moves, turn->cause,
		pretence);
	remember(turn, pretence);
	vm->last_cause = (int)turn->cause;
	if (pretence == NULL)
		vm->last_move_us = clock_real_us(turn->e->clock);
}

void
apply_vm(struct engine *e, struct vm *vm)
{
	bool unkept = vm->wishes.unkept;
	bool awaits = vm->retry; /* an audit's look, as it could not be looked at */
	struct turn turn = {.e = e, .vm = vm, .again = unkept, .all_done = !unkept};
	bool recorded;

	turn.cause = vm->active != 0 ? cause_first(vm->active) : CAUSE_NEIGHBOUR;
	turn.moves = xcalloc(vm->n_tasks, sizeof(struct move));
	apply_tasks(&turn);
	tell(&turn);
	adopt_note(e, vm, turn.n_moves);
	if (turn.n_repairs > 0)
		drifting_repaired(e, vm, is_explained(&turn));
	recorded = !are_vcpus_in_place(vm) || mark_placed(&turn);
	if (turn.all_done && recorded && vm->peace_until_us == 0 && !awaits)
		report_better(vm);
	vm->retry = vm->retry || turn.again;
	if (turn.again || !turn.all_done || !recorded)
		vm_rest(vm);
	else if (!awaits)
		vm_rested(vm);
	free(turn.moves);
}

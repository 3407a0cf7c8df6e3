// SPDX-License-Identifier: MIT
/* Looks at the world between events. What is checked while masks are set: sets.c. */
#include "config.h"

#include "judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act/record.h"
#include "act/recorddir.h"
#include "base/attr.h"
#include "daemon/engine.h"
#include "daemon/vmmode.h"
#include "loop.h"

static const char *const names[N_RULES] = {
	[RULE_STRANGER] = "only threads of VMs are set",
	[RULE_ALONE_LEFT] = "what is to be left alone is left alone",
	[RULE_LIMIT] = "masks stay within what threads had before",
	[RULE_RESERVED] = "reserved CPUs are left alone",
	[RULE_RECORD_FIRST] = "what a thread had is on disk before it is set",
	[RULE_NO_CAUSE] = "nothing is moved without a cause",
	[RULE_DWELL] = "a VM rests after it was moved for a gain",
	[RULE_RATE] = "so many VMs a minute are moved for a gain",
	[RULE_MOVES] = "so often a day a VM is moved for a gain",
	[RULE_SEEN] = "every VM and every thread is known",
	[RULE_MASK] = "masks are what is wanted",
	[RULE_PATIENCE] = "only to a quarrel way is given",
	[RULE_CORES] = "dedicated cores are nobody else's",
	[RULE_HOME] = "a pinned vCPU returns when the CPU it lost is back",
	[RULE_RESTORED] = "what was restored has what it had",
	[RULE_RECORD] = "records say what threads had",
	[RULE_LEFTOVER] = "there are no records of VMs that have ended",
	[RULE_MEMORY] = "memory does not grow",
	[RULE_PLAN] = "plans keep the rules of placement",
};

/* More is not a gain but to and fro. */
#define MOVES_A_DAY 24u
#define QUARREL 20u

const char *
judge_rule_name(enum rule rule)
{
	return names[rule];
}

void
judge_note(struct judge *j, struct guest *g, const char *fmt, ...)
{
	struct judge_line *line = &j->last[j->n_last++ % JUDGE_LAST];
	va_list ap;

	line->at_us = model_now_us(j->model);
	va_start(ap, fmt);
	(void)vsnprintf(line->text, sizeof(line->text), fmt, ap);
	va_end(ap);
	if (g != NULL)
		g->event_us = line->at_us;
	else
		j->disturbed_us = line->at_us;
	j->any_us = line->at_us;
	j->counts.events++;
	if (j->trace)
		fprintf(stderr, "%14.6f %s\n", (double)line->at_us / 1e6, line->text);
}

void
judge_break(struct judge *j, enum rule rule, const char *fmt, ...)
{
	va_list ap;

	if (j->broken)
		return;
	j->broken = true;
	j->rule = rule;
	va_start(ap, fmt);
	(void)vsnprintf(j->text, sizeof(j->text), fmt, ap);
	va_end(ap);
	loop_break(j->model->base);
}

bool
judge_check(struct judge *j, enum rule rule, bool ok)
{
	j->counts.checks[rule]++;
	return ok;
}

uint64_t
judge_settled_us(const struct judge *j)
{
	return 3 * j->audit_us + 10 * SECOND_US;
}

/* ---- masks ---- */

/* One VM while it is looked at. */
struct look {
	struct judge *j;
	const struct guest *g;
	struct vm *vm;
};

static bool
is_old(const struct judge *j, const struct thread *t)
{
	return model_now_us(j->model) - t->born_us > judge_settled_us(j);
}

static void
look_at_thread(const struct look *l, const struct thread *t)
{
	const struct model *m = l->j->model;
	const struct vm_task *task = vm_task_find(l->vm, t->tid);
	struct cpuset have = masks_shown(m, t);
	struct cpuset want;
	char a[64];
	char b[64];

	if (!judge_check(l->j, RULE_SEEN, task != NULL)) {
		judge_break(l->j, RULE_SEEN, "vm %s: thread %d (%s) is not known",
			l->g->id, (int)t->tid, t->comm);
		return;
	}
	if (!task->wanted)
		return;
	want = cpuset_and(&task->want, &m->online);
	if (!judge_check(l->j, RULE_MASK, cpuset_equal(&want, &have)))
		judge_break(l->j, RULE_MASK, "vm %s: thread %d (%s) has %s, not %s",
			l->g->id, (int)t->tid, t->comm,
			cpuset_format(&have, a, sizeof(a)),
			cpuset_format(&want, b, sizeof(b)));
}

static void
look_at_threads(const struct look *l, const struct process *p)
{
	for (size_t i = 0; p != NULL && i < p->n; i++) {
		if (is_old(l->j, p->threads[i]))
			look_at_thread(l, p->threads[i]);
	}
}

static void
look_at_restored(const struct look *l)
{
	const struct model *m = l->j->model;
	const struct process *p = l->g->qemu;
	char a[CPUSET_TEXT_MAX], b[CPUSET_TEXT_MAX];

	for (size_t i = 0; i < p->n; i++) {
		const struct thread *t = p->threads[i];
		struct cpuset may = masks_effective(m, l->g);
		struct cpuset had = cpuset_and(&t->limit, &may);
		struct cpuset have = masks_shown(m, t);

		/* with none of them left the kernel gives it others */
		if (!p->touched || !t->has_ours || l->g->drifts > 0 ||
			cpuset_empty(&had))
			continue;
		if (!judge_check(l->j, RULE_RESTORED, cpuset_equal(&had, &have)))
			judge_break(l->j, RULE_RESTORED,
				"vm %s: thread %d (%s) has %s, not %s", l->g->id,
				(int)t->tid, t->comm,
				cpuset_format(&have, a, sizeof(a)),
				cpuset_format(&had, b, sizeof(b)));
	}
}

static void
look_at_vm(const struct look *l)
{
	struct vm *vm = l->vm;

	if (!judge_check(l->j, RULE_SEEN, vm != NULL && vm->proven && vm->surveyed)) {
		judge_break(l->j, RULE_SEEN, "vm %s is not known: %s", l->g->id,
			vm != NULL ? vm->note : "no such VM");
		return;
	}
	if (l->g->restored) {
		look_at_restored(l);
		return;
	}
	if (vm->peace_until_us != 0) {
		l->j->counts.given_way++;
		if (!judge_check(l->j, RULE_PATIENCE, l->g->drifts >= QUARREL))
			judge_break(l->j, RULE_PATIENCE, "vm %s: after %u changes",
				l->g->id, l->g->drifts);
		return;
	}
	if (!vm->placed || vm->observe_only) {
		l->j->counts.unplaced++;
		return;
	}
	l->j->counts.placed++;
	look_at_threads(l, l->g->qemu);
	look_at_threads(l, l->g->tpm);
}

static bool
is_quiet(const struct judge *j, const struct guest *g)
{
	uint64_t now = model_now_us(j->model);
	uint64_t settled = judge_settled_us(j);

	return now - g->event_us > settled && now - j->disturbed_us > settled;
}

/* ---- cores of one's own ---- */

static struct cpuset
cores_of(const struct engine *e, const struct vm *vm)
{
	struct cpuset cores = CPUSET_NONE;

	cpuset_foreach (cpu, &vm->domain) {
		const struct topo_pu *pu = topo_pu_of(e->host.topo, cpu);

		if (pu != NULL)
			cores = cpuset_or(&cores, &e->host.topo->cores[pu->core].cpus);
	}
	return cores;
}

static void
look_at_others(struct judge *j, const struct vm *owner, const struct cpuset *cores)
{
	const struct engine *e = j->engine;

	for (size_t i = 0; i < e->n_vms; i++) {
		const struct vm *vm = e->vms[i];

		if (vm == owner || !vm->placed || vm->observe_only ||
			vm->peace_until_us != 0)
			continue;
		for (size_t k = 0; k < vm->n_tasks; k++) {
			const struct vm_task *t = &vm->tasks[k];
			bool out = !t->wanted || !cpuset_overlap(&t->want, cores);

			if (!judge_check(j, RULE_CORES, out))
				judge_break(j, RULE_CORES,
					"vm %s: %s of vm %s has some", owner->id,
					t->thread.comm, vm->id);
		}
	}
}

static void
look_at_cores(struct judge *j)
{
	const struct engine *e = j->engine;

	for (size_t i = 0; i < e->n_vms; i++) {
		const struct vm *vm = e->vms[i];
		struct cpuset cores;

		if (!vm->placed || !vm->own ||
			vmmode_of(e, vm, NULL) != PLACE_DEDICATED)
			continue;
		cores = cores_of(e, vm);
		look_at_others(j, vm, &cores);
	}
}

void
judge_look(struct judge *j)
{
	bool all = true;

	if (j->engine == NULL)
		return;
	for (unsigned int i = 0; i < j->model->n_guests; i++) {
		const struct guest *g = &j->model->guests[i];
		struct look l = {.j = j, .g = g};

		if (g->qemu != NULL && is_quiet(j, g)) {
			l.vm = engine_find(j->engine, g->id);
			look_at_vm(&l);
		} else {
			all = false;
		}
	}
	exile_look(j);
	if (all || model_now_us(j->model) - j->any_us > judge_settled_us(j))
		look_at_cores(j);
}

/* ---- records ---- */

static void
look_at_record(struct judge *j, const struct guest *g)
{
	struct record r;
	struct err why = ERR_NONE;

	if (!judge_check(
		    j, RULE_RECORD, record_load(j->run_dirfd, g->id, &r, &why) == 0)) {
		judge_break(j, RULE_RECORD, "vm %s: no record", g->id);
		return;
	}
	if (r.pid != g->qemu->pid || r.start_ticks != g->qemu->start_ticks)
		judge_break(j, RULE_RECORD, "vm %s: of another process", g->id);
	for (size_t i = 0; i < g->qemu->n; i++) {
		const struct thread *t = g->qemu->threads[i];
		const struct record_thread *had =
			record_find(&r, t->tid, t->start_ticks);
		bool ok = had != NULL ? cpuset_equal(had->cpus, &t->limit)
				      : !t->has_ours || g->restored;

		if (t->known && !judge_check(j, RULE_RECORD, ok))
			judge_break(j, RULE_RECORD, "vm %s: of thread %d (%s)", g->id,
				(int)t->tid, t->comm);
	}
	record_fini(&r);
}

static void
look_for_leftover(void *arg, const char *id)
{
	struct judge *j = arg;
	bool runs = false;

	for (unsigned int i = 0; i < j->model->n_guests; i++)
		runs |= strcmp(j->model->guests[i].id, id) == 0 &&
			j->model->guests[i].qemu != NULL;
	if (!judge_check(j, RULE_LEFTOVER, runs))
		judge_break(j, RULE_LEFTOVER, "vm %s", id);
}

void
judge_records(struct judge *j)
{
	for (unsigned int i = 0; i < j->model->n_guests; i++) {
		const struct guest *g = &j->model->guests[i];

		if (g->qemu != NULL && g->qemu->touched)
			look_at_record(j, g);
	}
	if (j->engine != NULL &&
		model_now_us(j->model) - j->any_us > judge_settled_us(j))
		(void)!recorddir_each(j->run_dirfd, look_for_leftover, j);
}

void
judge_moves(struct judge *j, struct guest *g)
{
	if (g->moves_today > j->counts.most_moves)
		j->counts.most_moves = g->moves_today;
	if (!judge_check(j, RULE_MOVES, g->moves_today <= MOVES_A_DAY))
		judge_break(j, RULE_MOVES, "vm %s: %u times", g->id, g->moves_today);
	g->moves_today = 0;
}

void
judge_day(struct judge *j)
{
	for (unsigned int i = 0; i < j->model->n_guests; i++)
		judge_moves(j, &j->model->guests[i]);
}

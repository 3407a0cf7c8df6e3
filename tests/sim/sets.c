// SPDX-License-Identifier: MIT
/* What is checked at each mask that the daemon sets, and each plan that it makes. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act/record.h"
#include "daemon/engine.h"
#include "judge.h"
#include "loop.h"
#include "place/planner.h"
#include "seam.h"

/* VMs that may be moved for a gain a minute, and minutes for which that is saved. */
#define GAINS_PER_MIN 2u
#define SAVED_MIN 10u
/* Sets of one VM within so long are of one pass. */
#define PASS_US (2 * SECOND_US)
#define PLANS_ONE_IN 16u

/* ---- before ---- */

/* A mask of all CPUs is no limit. CPUs that are offline are part of one. */
static struct cpuset
as_limit(const struct judge *j, const struct guest *g, const struct thread *t)
{
	struct cpuset all = masks_effective(j->model, g);
	struct cpuset have = masks_shown(j->model, t);

	return cpuset_within(&all, &have) ? cpuset_below(CPUSET_CAP) : t->mask;
}

static void
touch(const struct judge *j, const struct guest *g, struct process *p)
{
	for (size_t i = 0; p != NULL && i < p->n; i++) {
		struct thread *t = p->threads[i];

		t->limit = as_limit(j, g, t);
		t->known = true;
		if (t->class == THREAD_VCPU || t->class == THREAD_EMULATOR)
			p->limit = cpuset_or(&p->limit, &t->limit);
		if (t->class == THREAD_VCPU)
			p->vcpu_limit = cpuset_or(&p->vcpu_limit, &t->limit);
	}
	if (p != NULL)
		p->touched = true;
}

/* Its vCPUs have masks of their own: it is left alone, unless it is named. */
static bool
is_foreign(const struct guest *g)
{
	const struct thread *first = model_vcpu(g, 0);

	for (unsigned int i = 1; i < g->n_vcpus; i++) {
		if (!cpuset_equal(&first->limit, &model_vcpu(g, i)->limit))
			return true;
	}
	return false;
}

/* From now on the masks of the VM's threads are what threads of it may have. */
static void
touch_guest(const struct judge *j, struct guest *g)
{
	if (g->qemu->touched)
		return;
	touch(j, g, g->qemu);
	touch(j, g, g->tpm);
	g->foreign = !g->named && is_foreign(g);
}

int __real_record_save(int dirfd, const struct record *r, struct err *e);
int __wrap_record_save(int dirfd, const struct record *r, struct err *e);

/* The first record that is more than a mode is the first touch. */
int
__wrap_record_save(int dirfd, const struct record *r, struct err *e)
{
	struct process *p = model_process(seam()->model, r->pid);

	if (!seam_alive())
		return -EIO;
	if (!r->untouched && p != NULL && p->guest != NULL)
		touch_guest(seam()->judge, p->guest);
	return __real_record_save(dirfd, r, e);
}

/* One that nobody has looked at yet is given back what the VM had. */
static bool
is_recorded(const struct judge *j, const struct thread *t)
{
	const struct guest *g = t->of->guest;
	const struct record_thread *had;
	struct record r;
	struct err why = ERR_NONE;
	bool ok;

	if (record_load(j->run_dirfd, g->id, &r, &why) < 0)
		return false;
	had = record_find(&r, t->tid, t->start_ticks);
	if (had == NULL)
		ok = j->restoring && cpuset_equal(&r.limit, &t->limit);
	else
		ok = t->class == THREAD_HELPER || cpuset_equal(had->cpus, &t->limit);
	ok &= r.pid == g->qemu->pid;
	record_fini(&r);
	return ok;
}

static void
check_record(struct judge *j, const struct thread *t)
{
	struct thread *noted = model_thread(j->model, t->tid);

	if (t->recorded)
		return;
	noted->recorded = !seam_fails(FAULT_RECORD, 20) && is_recorded(j, t);
	if (!judge_check(j, RULE_RECORD_FIRST, noted->recorded))
		judge_break(j, RULE_RECORD_FIRST, "vm %s: thread %d (%s)",
			t->of->guest->id, (int)t->tid, t->comm);
}

static void
check_place(struct judge *j, const struct thread *t, const struct cpuset *want)
{
	const struct cpuset *limit =
		t->class == THREAD_VCPU ? &t->of->vcpu_limit : &t->limit;
	char a[64];
	char b[64];

	if (!judge_check(j, RULE_LIMIT, cpuset_within(want, limit)))
		judge_break(j, RULE_LIMIT, "vm %s: %s gets %s, had %s",
			t->of->guest->id, t->comm, cpuset_format(want, a, sizeof(a)),
			cpuset_format(limit, b, sizeof(b)));
	if (!j->restoring && !judge_check(j, RULE_RESERVED,
				     !cpuset_overlap(want, &j->model->reserved)))
		judge_break(j, RULE_RESERVED, "vm %s: %s gets %s", t->of->guest->id,
			t->comm, cpuset_format(want, a, sizeof(a)));
}

void
judge_set(struct judge *j, const struct thread *t, const struct cpuset *want)
{
	struct guest *g = t->of->guest;
	enum place_mode mode;
	bool may;

	j->counts.sets++;
	if (!judge_check(j, RULE_STRANGER, g != NULL && g->qemu != NULL && t->known)) {
		judge_break(j, RULE_STRANGER, "thread %d", (int)t->tid);
		return;
	}
	mode = g->has_mode ? g->hand : g->mode;
	may = mode != PLACE_OFF && mode != PLACE_OBSERVE && !g->restored && !g->foreign;
	if (!judge_check(j, RULE_ALONE_LEFT, j->restoring || may))
		judge_break(j, RULE_ALONE_LEFT, "vm %s: %s, mode %s%s", g->id, t->comm,
			place_mode_name(mode), g->restored ? ", restored" : "");
	check_record(j, t);
	check_place(j, t, want);
}

/* ---- after ---- */

static void
check_gain(struct judge *j, struct guest *g)
{
	uint64_t now = model_now_us(j->model);
	uint64_t dwell_us = (uint64_t)(j->engine->config.rebalance_dwell_s * 1e6);
	unsigned int most = GAINS_PER_MIN * (SAVED_MIN + SAVED_MIN);
	unsigned int n = 0;

	/* from plan to plan, while these are the moments at which it is set */
	if (!judge_check(j, RULE_DWELL,
		    g->moved_us == 0 || now - g->moved_us + PASS_US >= dwell_us))
		judge_break(j, RULE_DWELL, "vm %s: moved again after %.1f s", g->id,
			(double)(now - g->moved_us) / 1e6);
	g->moved_us = now;
	g->moves_today++;
	j->gains_us[j->n_gains++ % JUDGE_MOVES] = now;
	for (unsigned int i = 0; i < JUDGE_MOVES; i++)
		n += j->gains_us[i] > 0 && now - j->gains_us[i] < SAVED_MIN * MINUTE_US;
	if (!judge_check(j, RULE_RATE, n <= most))
		judge_break(j, RULE_RATE, "%u VMs in %u minutes", n, SAVED_MIN);
}

/* VMs that ran before the daemon are taken over a few a minute. */
static bool
is_adopting(struct judge *j)
{
	for (size_t i = 0; i < j->engine->n_vms; i++) {
		if (j->engine->vms[i]->preexisting && !j->engine->vms[i]->foreign)
			j->disturbed_us = model_now_us(j->model);
	}
	return j->disturbed_us == model_now_us(j->model);
}

static bool
is_excused(struct judge *j, const struct guest *g)
{
	uint64_t now = model_now_us(j->model);
	uint64_t settled = judge_settled_us(j);

	return now - g->event_us <= settled || now - j->disturbed_us <= settled ||
	       is_adopting(j);
}

/* A vCPU has to leave CPUs that it had. */
static void
note_move(struct judge *j, struct guest *g)
{
	const struct vm *vm = engine_find(j->engine, g->id);
	enum cause cause = vm->active != 0 ? cause_first(vm->active) : CAUSE_NEIGHBOUR;
	bool gain = (vm->active & cause_bit(CAUSE_REBALANCE)) != 0;

	if (model_now_us(j->model) - g->moved_us < PASS_US)
		return; /* another vCPU of this move */
	j->counts.moves[gain ? CAUSE_REBALANCE : cause]++;
	if (gain)
		check_gain(j, g);
	else if (!judge_check(j, RULE_NO_CAUSE, is_excused(j, g)))
		judge_break(j, RULE_NO_CAUSE, "vm %s: %s (%s)", g->id,
			cause_name(cause), vm->why);
	/* CPUs that it lost with a node and that show again are not its any more: it
	 * has rested since they went */
	if (!gain && cause == CAUSE_HOST)
		return;
	g->moved_us = model_now_us(j->model);
}

void
judge_has_set(struct judge *j, struct thread *t, const struct cpuset *want)
{
	struct cpuset may = masks_effective(j->model, t->of->guest);
	struct cpuset had = cpuset_and(&t->ours, &may);

	if (t->class == THREAD_VCPU && t->has_ours && !j->restoring &&
		!cpuset_within(&had, want))
		note_move(j, t->of->guest);
	exile_note(j, t, want);
	t->ours = *want;
	t->has_ours = true;
}

/* ---- plans ---- */

int __real_planner_run(const struct plan_input *in, struct plan **out, struct err *e);
int __wrap_planner_run(const struct plan_input *in, struct plan **out, struct err *e);

/* Some VM's first vCPU goes to the first of its CPUs, if it has more. */
static void
spoil(const struct plan_input *in, struct plan *p)
{
	struct plan_result *r = &p->results[rnd_below(&seam()->dice, p->n)];

	if (r->n_vcpus == 0 || !r->apply)
		return;
	for (unsigned int v = 0; v < r->n_vcpus; v++)
		r->vcpus[v] = cpuset_of(
			in->topo->pus[rnd_below(&seam()->dice, in->topo->n_pus)].cpu);
}

/* To look at one takes as long as to make it; most change nothing. */
static bool
is_looked_at(const struct judge *j, const struct plan *p)
{
	bool changes =
		j->counts.checks[RULE_PLAN] == 0 || j->n_plans % PLANS_ONE_IN == 0;

	for (unsigned int i = 0; i < p->n; i++)
		changes |= p->results[i].verdict == PLAN_PLACE;
	return changes;
}

/* Whether VMs stay is judged by what is set: here, all may have to go. */
int
__wrap_planner_run(const struct plan_input *in, struct plan **out, struct err *e)
{
	struct judge *j = seam()->judge;
	auto_free bool *excused = calloc(in->n_vms + 1, sizeof(*excused));
	int r = __real_planner_run(in, out, e);

	if (r < 0 || excused == NULL)
		return r;
	if (in->n_vms > 0 && seam_fails(FAULT_PLAN, 200))
		spoil(in, *out);
	j->n_plans++;
	if (!is_looked_at(j, *out))
		return 0;
	memset(excused, true, in->n_vms);
	invariants_of_plan(&j->plans, in, *out, excused, !j->model->calm);
	if (!judge_check(j, RULE_PLAN, !j->plans.broken))
		judge_break(j, RULE_PLAN, "%s: %s", invariant_name(j->plans.which),
			j->plans.text);
	return 0;
}

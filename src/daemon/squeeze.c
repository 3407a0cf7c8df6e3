// SPDX-License-Identifier: MIT
/*
 * From waiting to wider masks. The input of the planner is asked for what each VM may
 * use, so that all limits count here too.
 */
#include "config.h"

#include "daemon/squeeze.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "daemon/engine.h"
#include "daemon/idle.h"
#include "daemon/report.h"
#include "daemon/seating.h"
#include "daemon/vmmode.h"
#include "place/entry.h"

/* Where nothing idles, it is looked for again after so many audits. */
#define AGAIN_AUDITS 5u

/* A rest is as long as so many times the dwell at most. */
#define RESTS_MAX 64u

/* What is not written beside the mode that keeps a VM from being widened. */
#define KEEPS "is not widened: "

static uint64_t
interval_us(const struct engine *e)
{
	return (uint64_t)e->config.audit_interval_ms * 1000;
}

/* The masks are ours and in force, and nothing is under way. */
static bool
is_settled(const struct engine *e, const struct vm *vm)
{
	if (e->dry_run || !vm->placed || vm->observe_only || vm->rest > 0 ||
		vm->peace_until_us != 0 || vm->causes != 0 || vm->fresh ||
		(vm->has_facts && !vm->facts.running))
		return false;
	for (size_t i = 0; i < vm->n_tasks; i++) {
		const struct vm_task *t = &vm->tasks[i];

		if (t->thread.class == THREAD_VCPU && (!t->wanted || !t->applied))
			return false;
	}
	return true;
}

void
squeeze_look(struct engine *e, struct vm *vm)
{
	struct squeeze *s = &vm->squeeze;
	bool too_much;

	if (s->was_placed != vm->placed || s->changed_us != vm->changed_us)
		delays_restart(&s->delays);
	s->was_placed = vm->placed;
	s->changed_us = vm->changed_us;
	delays_read(e, vm);
	too_much = e->config.widen_wait_pct > 0 &&
		   rundelay_is_above(s->delays.threads, s->delays.n,
			   e->config.widen_wait_pct / 100.0);
	if (!too_much && s->stuck && !s->widened) {
		s->stuck = false;
		s->note[0] = '\0';
	}
	s->waits = too_much && is_settled(e, vm);
	e->squeezes.due |= s->waits && clock_now_us(e->clock) >= s->look_us;
}

/* CPU use of vCPUs, on what they want or have, and of others. */
static struct idle
read_use(const struct engine *e, const struct plan_input *in)
{
	struct idle idle = idle_new();

	for (size_t i = 0; i < e->n_vms; i++) {
		const struct vm *vm = e->vms[i];

		for (size_t k = 0; k < vm->n_tasks; k++) {
			const struct vm_task *t = &vm->tasks[k];
			struct cpuset on = cpuset_and(&t->have, &in->topo->online);

			if (t->thread.class == THREAD_VCPU && !cpuset_empty(&on))
				idle_add(&idle, &on,
					delays_busy(
						&vm->squeeze.delays, t->thread.tid));
		}
	}
	for (unsigned int i = 0; in->background != NULL && i < in->topo->n_pus; i++)
		idle_add_background(&idle, in->topo->pus[i].cpu, in->background[i]);
	idle_settle(&idle);
	return idle;
}

/* CPUs that it could have beyond what its vCPUs have. */
static struct cpuset
could_have(const struct seating *seating, unsigned int seat)
{
	const struct plan_input *in = &seating->in;
	const struct vm *vm = seating->seats[seat].vm;
	struct cpuset usable = entry_usable(in);
	struct cpuset taken = seating_taken(seating, seat);
	struct cpuset may = entry_limit(in, &in->vms[seat]);

	may = cpuset_and(&may, &usable);
	may = cpuset_minus(&may, &taken);
	for (size_t i = 0; i < vm->n_tasks; i++) {
		if (vm->tasks[i].thread.class == THREAD_VCPU)
			may = cpuset_minus(&may, &vm->tasks[i].want);
	}
	return may;
}

/* How long it rests this time. */
static uint64_t
next_rest(const struct engine *e, const struct squeeze *s, uint64_t now)
{
	uint64_t dwell = (uint64_t)(e->config.rebalance_dwell_s * 1e6);
	uint64_t rest = 2 * s->rest_us;

	if (s->widened && now < s->until_us)
		return s->rest_us; /* the same rest begins anew */
	/* long after the last one it is another story */
	if (s->rest_us == 0 || now > s->until_us + rest || rest < dwell)
		return dwell;
	return rest < RESTS_MAX * dwell ? rest : RESTS_MAX * dwell;
}

static void
widen(struct engine *e, struct vm *vm, const struct cpuset *idle)
{
	struct squeeze *s = &vm->squeeze;
	uint64_t now = clock_now_us(e->clock);

	s->rest_us = next_rest(e, s, now);
	s->until_us = now + s->rest_us;
	s->waited = (struct plan_waited){
		.idle = *idle, .share = rundelay_share(s->delays.threads, s->delays.n)};
	s->widened = s->asked = true;
	s->ended = false;
	vm->record.wide = (struct record_wide){.until_us = s->until_us,
		.idle = *idle,
		.waited = (unsigned int)(100 * s->waited.share)};
	vm->record_dirty = true;
	engine_kick(e, vm, CAUSE_WAITING);
}

static void
decide(struct engine *e, const struct seating *seating, const struct idle *idle,
	unsigned int seat)
{
	const struct plan_vm *in = &seating->in.vms[seat];
	struct vm *vm = seating->seats[seat].vm;
	struct cpuset where = could_have(seating, seat);
	struct cpuset found;

	vm->squeeze.look_us = clock_now_us(e->clock) + AGAIN_AUDITS * interval_us(e);
	if (!(in->cpulimit > 0) && in->mode != PLACE_OFF &&
		idle_find(idle, &where, &found))
		widen(e, vm, &found);
}

void
squeeze_decide(struct engine *e)
{
	uint64_t now = clock_now_us(e->clock);
	struct seating seating;
	struct idle idle;

	if (!e->squeezes.due || now - e->squeezes.decided_us < interval_us(e))
		return;
	e->squeezes.due = false;
	e->squeezes.decided_us = now;
	seating_init(&seating, e);
	idle = read_use(e, &seating.in);
	for (unsigned int i = 0; i < seating.in.n_vms; i++) {
		struct squeeze *s = &seating.seats[i].vm->squeeze;

		if (s->waits && now >= s->look_us)
			decide(e, &seating, &idle, i);
		s->waits = false;
	}
	idle_fini(&idle);
	seating_fini(&seating);
}

void
squeeze_recall(const struct engine *e, struct vm *vm)
{
	const struct record_wide *wide = &vm->record.wide;
	struct squeeze *s = &vm->squeeze;

	if (wide->until_us <= clock_now_us(e->clock))
		return;
	s->widened = true;
	s->until_us = wide->until_us;
	s->rest_us = (uint64_t)(e->config.rebalance_dwell_s * 1e6);
	s->waited =
		(struct plan_waited){.idle = wide->idle, .share = wide->waited / 100.0};
}

const struct plan_waited *
squeeze_waited(const struct vm *vm)
{
	return vm->squeeze.widened ? &vm->squeeze.waited : NULL;
}

uint64_t
squeeze_rests_until_us(const struct vm *vm)
{
	return vm->squeeze.widened ? vm->squeeze.until_us : 0;
}

void
squeeze_end_rests(struct engine *e)
{
	uint64_t now = clock_now_us(e->clock);

	for (size_t i = 0; i < e->n_vms; i++) {
		struct squeeze *s = &e->vms[i]->squeeze;

		if (!s->widened || now < s->until_us)
			continue;
		s->widened = s->stuck = false;
		s->ended = true;
		s->note[0] = '\0';
	}
}

/* Nothing is done about it: that must be known. */
static void
say_stuck(struct vm *vm, const struct engine *e)
{
	struct squeeze *s = &vm->squeeze;
	enum place_mode mode = vmmode_of(e, vm, NULL);
	bool alone = mode == PLACE_DEDICATED || wishes_smt(e, vm) == PLACE_SMT_ISOLATE;
	char cpus[48];

	(void)snprintf(s->note, sizeof(s->note),
		"waits %.0f %% while CPUs %s idle, " KEEPS "%s", 100 * s->waited.share,
		cpuset_format(&s->waited.idle, cpus, sizeof(cpus)),
		alone ? "it has cores of its own"
		      : "its guest nodes or isolated CPUs forbid it");
	if (!s->stuck)
		report_vm(vm, LOG_WARNING, "%s", s->note);
	s->stuck = true;
}

void
squeeze_planned(
	struct engine *e, struct vm *vm, const struct plan_result *result, bool changed)
{
	struct squeeze *s = &vm->squeeze;
	bool asked = s->asked;

	if (changed && s->ended)
		vm->active |= cause_bit(CAUSE_REBALANCE);
	s->ended = s->asked = false;
	if (!s->widened || result->widened)
		return;
	s->widened = false;
	s->until_us = s->rest_us = 0;
	vm->record.wide = (struct record_wide){.until_us = 0};
	vm->record_dirty = true;
	/* Of one that was widened the mode, or the host, has changed: what it waited
	 * says nothing any more. The other one has a reason of its own. */
	if (!asked || (result->verdict == PLAN_LEAVE && !result->own))
		return;
	s->look_us =
		clock_now_us(e->clock) + (uint64_t)(e->config.rebalance_dwell_s * 1e6);
	say_stuck(vm, e);
}

double
squeeze_wait_pct(const struct vm *vm)
{
	const struct delays *d = &vm->squeeze.delays;
	double share = rundelay_share(d->threads, d->n);

	return share < 0 ? -1 : 100 * share;
}

void
squeeze_fini(struct squeeze *s)
{
	delays_fini(&s->delays);
	*s = (struct squeeze){.waits = false};
}

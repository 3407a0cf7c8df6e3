// SPDX-License-Identifier: MIT
/*
 * Events with odds, one every few minutes. Each does something to the model, tells the
 * judge whom it concerns, and leaves the daemon to find out.
 */
#include "config.h"

#include "life.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "calls.h"
#include "daemon/vmmode.h"
#include "loop.h"
#include "qemu.h"
#include "seam.h"

#define MEAN_US (3 * MINUTE_US)
#define LOOK_US (2 * MINUTE_US)
#define RECORDS_ONE_IN 30u
#define QUARREL_TIMES 60u
#define QUARREL_US (40 * SECOND_US)
/* Chunks that malloc keeps for later count as used. */
#define HEAP_SLACK_BYTES (256u * 1024)

static unsigned int
below(struct life *l, unsigned int n)
{
	return rnd_below(&l->rnd, n);
}

static struct guest *
any_guest(struct life *l, bool runs)
{
	struct model *m = l->model;
	unsigned int first = below(l, m->n_guests);

	for (unsigned int i = 0; i < m->n_guests; i++) {
		struct guest *g = &m->guests[(first + i) % m->n_guests];

		if ((g->qemu != NULL) == runs)
			return g;
	}
	return NULL;
}

/* Cores of its own come or go: that concerns all. */
static struct guest *
concerned(struct guest *g)
{
	enum place_mode mode = g->has_mode ? g->hand : g->mode;

	return mode == PLACE_DEDICATED ? NULL : g;
}

/* ---- VMs ---- */

static void
start(struct life *l, struct guest *g)
{
	struct cpuset own = life_some_cpus(l);
	bool pinned = below(l, 40) == 0;

	judge_moves(l->judge, g);
	model_start(l->model, g);
	if (pinned)
		(void)!masks_set(l->model, model_vcpu(g, 0), &own);
	judge_note(l->judge, concerned(g), "vm %s starts, %u vCPUs, pid %d%s", g->id,
		g->n_vcpus, (int)g->qemu->pid, pinned ? ", one of them pinned" : "");
	qemu_open(g);
}

static void
stop(struct life *l, struct guest *g)
{
	bool socket_first = below(l, 4) == 0;

	judge_note(l->judge, concerned(g), "vm %s ends", g->id);
	qemu_event(g, QMP_EVENT_SHUTDOWN);
	if (socket_first)
		qemu_close(g);
	model_end(l->model, g);
	if (!socket_first && below(l, 2) == 0)
		qemu_close(g);
}

static void
do_start_or_stop(struct life *l)
{
	struct guest *g = any_guest(l, below(l, 5) < 2);

	if (g == NULL)
		return;
	if (g->qemu == NULL)
		start(l, g);
	else
		stop(l, g);
}

static void
do_restart(struct life *l)
{
	struct guest *g = any_guest(l, true);

	if (g == NULL)
		return;
	stop(l, g);
	start(l, g);
}

static void
do_reset(struct life *l)
{
	struct guest *g = any_guest(l, true);

	if (g == NULL)
		return;
	judge_note(l->judge, g, "vm %s resets", g->id);
	qemu_event(g, QMP_EVENT_RESET);
}

static void
do_pause(struct life *l)
{
	struct guest *g = any_guest(l, true);

	if (g == NULL)
		return;
	g->paused = !g->paused;
	judge_note(l->judge, concerned(g), "vm %s %s", g->id,
		g->paused ? "pauses" : "resumes");
	load_change(l->model, g, 0.2);
	qemu_event(g, g->paused ? QMP_EVENT_STOP : QMP_EVENT_RESUME);
}

static void
do_plug(struct life *l)
{
	struct guest *g = any_guest(l, true);
	bool told = below(l, 10) > 0;

	if (g == NULL || g->vcpus_min == g->vcpus_max)
		return;
	if (g->n_vcpus < g->vcpus_max && below(l, 2) == 0) {
		(void)model_add_thread(
			l->model, g->qemu, THREAD_VCPU, (int)g->n_vcpus++, "CPU/KVM");
		judge_note(l->judge, concerned(g), "vm %s gets a vCPU%s", g->id,
			told ? "" : " without an event");
		if (told)
			qemu_event(g, QMP_EVENT_ACPI_DEVICE_OST);
	} else if (g->n_vcpus > g->vcpus_min) {
		model_end_thread(l->model, model_vcpu(g, --g->n_vcpus));
		judge_note(l->judge, concerned(g), "vm %s gives a vCPU away%s", g->id,
			told ? "" : " without an event");
		if (told)
			qemu_event(g, QMP_EVENT_DEVICE_DELETED);
	}
}

static void
end_workers(struct life *l, struct guest *g)
{
	for (size_t i = g->qemu->n; i-- > 0;) {
		struct thread *t = g->qemu->threads[i];

		if (strcmp(t->comm, "worker") == 0)
			model_end_thread(l->model, t);
	}
}

static void
do_workers(struct life *l)
{
	struct guest *g = any_guest(l, true);
	unsigned int n = 1 + below(l, 8);

	if (g == NULL)
		return;
	judge_note(l->judge, g, "vm %s has %u other workers", g->id, n);
	end_workers(l, g);
	while (n-- > 0)
		(void)model_add_thread(l->model, g->qemu, THREAD_WORKER, -1, "worker");
}

static void
do_load(struct life *l)
{
	static const double levels[] = {0.01, 0.05, 0.3, 1.0, 1.0};
	struct guest *g = any_guest(l, true);

	if (g == NULL)
		return;
	judge_note(l->judge, g, "vm %s has another load", g->id);
	load_change(l->model, g, levels[below(l, 5)]);
	load_fault_in(l->model, g, 0.3);
}

/* ---- masks ---- */

static void
drift(struct life *l, struct guest *g)
{
	struct cpuset cpus = life_some_cpus(l);
	unsigned int kind = below(l, 4);
	struct process *p = g->qemu;
	size_t only = below(l, (unsigned int)p->n);

	for (size_t i = 0; i < p->n; i++) {
		const struct thread *t = p->threads[i];

		if (kind == 0 || (kind == 1 && t->class == THREAD_VCPU) ||
			(kind >= 2 && i == only))
			(void)!masks_set(l->model, p->threads[i], &cpus);
	}
	g->drifts++;
	l->judge->counts.drifts++;
	judge_note(l->judge, concerned(g), "somebody sets %s of vm %s",
		kind == 0   ? "all threads"
		: kind == 1 ? "the vCPUs"
			    : "a thread",
		g->id);
}

/* What it had before the daemon came is its limit: that is not to change unseen. */
static void
do_drift(struct life *l)
{
	struct guest *g = any_guest(l, true);

	if (g != NULL && g->qemu->touched)
		drift(l, g);
}

static void
do_quarrel(struct life *l)
{
	struct guest *g = any_guest(l, true);

	if (g == NULL || l->insists > 0)
		return;
	l->quarrel = (unsigned int)(g - l->model->guests);
	l->insists = QUARREL_TIMES;
}

static void
do_cpuset(struct life *l)
{
	struct guest *g = below(l, 8) == 0 ? NULL : any_guest(l, true);
	struct cpuset cpus = CPUSET_NONE;
	struct cpuset *now = g != NULL ? &g->cpuset : &l->model->slice;

	if (cpuset_empty(now))
		cpus = life_some_cpus(l);
	judge_note(l->judge, g != NULL ? concerned(g) : NULL, "the cpuset of %s %s",
		g != NULL ? g->id : "qemu.slice",
		cpuset_empty(&cpus) ? "is lifted" : "is set");
	masks_confine(l->model, g, &cpus);
}

static void
do_quota(struct life *l)
{
	struct guest *g = any_guest(l, true);

	if (g == NULL)
		return;
	g->quota_cpus = g->quota_cpus > 0 ? 0 : 1 + below(l, g->n_vcpus);
	judge_note(l->judge, concerned(g), "vm %s has a quota of %.0f CPUs", g->id,
		g->quota_cpus);
}

static void
do_wake(struct life *l)
{
	judge_note(l->judge, NULL, "all threads wake up");
	for (unsigned int i = 0; i < MODEL_PIDS; i++) {
		if (l->model->by_tid[i] != NULL)
			masks_wake(l->model, l->model->by_tid[i]);
	}
}

/* ---- monitors and people ---- */

static void
do_use(struct life *l)
{
	struct guest *g = any_guest(l, true);

	if (g != NULL)
		qemu_serve_other(g);
}

static void
do_hang(struct life *l)
{
	struct guest *g = any_guest(l, true);

	if (g == NULL)
		return;
	judge_note(l->judge, concerned(g), "the monitor of vm %s hangs for a while",
		g->id);
	qemu_hang(g);
}

static void
recover_all(struct life *l)
{
	for (unsigned int i = 0; i < l->model->n_guests; i++)
		qemu_recover(&l->model->guests[i]);
}

static void
take_word(struct guest *g, const struct vm *vm)
{
	g->restored = vm->record.restored;
	g->has_mode = vm->record.has_mode;
	g->hand = vm->record.mode;
	g->foreign = g->foreign && vm->foreign;
	g->named |= vm->overruled;
}

/* The daemon is asked, as a command would; what it then says of the VM counts. */
static void
do_command(struct life *l)
{
	static const enum place_mode modes[] = {
		PLACE_AUTO, PLACE_FLOAT, PLACE_PIN, PLACE_OFF, PLACE_CORE};
	struct guest *g = any_guest(l, true);
	struct engine *e = l->daemon->engine;
	const struct vm *vm = g != NULL && e != NULL ? engine_find(e, g->id) : NULL;
	unsigned int what = below(l, 4);

	if (vm == NULL || !vm->surveyed || seam()->dead)
		return;
	judge_note(l->judge, NULL, "qmpin %s %s",
		what == 0   ? "restore"
		: what == 1 ? "mode"
			    : "apply",
		g->id);
	l->judge->restoring = what == 0;
	g->named |= what > 1;
	if (what == 0)
		calls_restore(e, g);
	else if (what == 1)
		calls_mode(e, g, modes[below(l, 5)]);
	else
		calls_apply(e, g);
	l->judge->restoring = false;
	g->drifts = 0;
	exile_forget(l->model, g);
	take_word(g, vm);
}

/* ---- the daemon ---- */

static void
on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct life *l = arg;

	(void)fd;
	(void)what;
	loop_set_step(l->model->base, below(l, 3) == 0 ? below(l, 400) : 1);
	judge_note(l->judge, NULL, "qmpind starts");
	exile_forget(l->model, NULL);
	qmpind_start(l->daemon);
}

/* 0 under the sanitizers: they have another heap, and tell what is lost. */
static size_t
heap_bytes(const struct life *l)
{
	size_t all = mallinfo2().uordblks;
	size_t model = model_bytes(l->model);

	return all > model ? all - model : 0;
}

/* While no daemon runs. */
static void
check_heap(struct life *l)
{
	size_t now = heap_bytes(l);

	if (l->heap_bytes == 0)
		l->heap_bytes = now;
	if (!judge_check(
		    l->judge, RULE_MEMORY, now <= l->heap_bytes + HEAP_SLACK_BYTES))
		judge_break(l->judge, RULE_MEMORY,
			"%zu bytes are left of daemons that have ended, %zu were", now,
			l->heap_bytes);
}

static void
end_daemon(struct life *l)
{
	qmpind_stop(l->daemon);
	judge_day(l->judge);
	seam()->dead = false;
	seam()->kill_in = 0;
	check_heap(l);
	loop_after(l->restart, SECOND_US + below(l, 60) * SECOND_US);
}

static void
do_daemon(struct life *l)
{
	if (l->daemon->engine == NULL || seam()->kill_in > 0)
		return;
	if (below(l, 3) == 0) {
		judge_note(l->judge, NULL, "qmpind ends");
		l->judge->counts.restarts++;
		end_daemon(l);
	} else {
		judge_note(l->judge, NULL, "qmpind is going to be killed");
		seam()->kill_in = 1 + below(l, 4000);
	}
}

static void
on_seam_death(void *owner)
{
	struct life *l = owner;

	judge_note(l->judge, NULL, "qmpind is killed");
	l->judge->counts.kills++;
}

static void
between(void *owner)
{
	struct life *l = owner;

	if (seam()->dead)
		end_daemon(l);
}

/* ---- the days ---- */

static const struct {
	unsigned int odds; /* in 10000 */
	void (*happens)(struct life *l);
} events[] = {
	{2400, do_start_or_stop},
	{500, do_restart},
	{500, do_reset},
	{400, do_pause},
	{1200, do_plug},
	{1400, do_workers},
	{1500, do_load},
	{700, do_drift},
	{10, do_quarrel},
	{150, do_cpuset},
	{150, do_quota},
	{50, life_cpu},
	{10, life_node},
	{20, do_wake},
	{870, do_use},
	{50, do_hang},
	{60, do_command},
	{30, do_daemon},
};

static void
on_next(evutil_socket_t fd, short what, void *arg)
{
	struct life *l = arg;
	unsigned int dice = below(l, 10000);
	struct guest *g = &l->model->guests[l->quarrel];

	(void)fd;
	(void)what;
	model_churn(l->model, below(l, 300));
	loop_after(l->next, (uint64_t)(rnd_share(&l->rnd) * 2 * (double)MEAN_US));
	recover_all(l);
	life_bring_node_back(l);
	if (l->insists > 0 && l->insists-- > 0) {
		loop_after(l->next, QUARREL_US);
		if (g->qemu != NULL && g->qemu->touched)
			drift(l, g);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		if (dice < events[i].odds) {
			events[i].happens(l);
			return;
		}
		dice -= events[i].odds;
	}
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct life *l = arg;

	(void)fd;
	(void)what;
	loop_after(l->look, LOOK_US);
	judge_look(l->judge);
	if (l->looks++ % RECORDS_ONE_IN == 0)
		judge_records(l->judge);
}

static void
on_day(evutil_socket_t fd, short what, void *arg)
{
	struct life *l = arg;

	(void)fd;
	(void)what;
	loop_after(l->day, DAY_US);
	judge_day(l->judge);
}

/* ---- the first moment ---- */

static struct event *
timer(struct life *l, event_callback_fn callback)
{
	return evtimer_new(l->model->base, callback, l);
}

void
life_begin(struct life *l, struct model *m, struct judge *j, struct qmpind *d,
	uint64_t seed)
{
	*l = (struct life){.model = m, .judge = j, .daemon = d, .rnd = rnd_new(seed)};
	life_populate(l);
	l->next = timer(l, on_next);
	l->restart = timer(l, on_restart);
	l->look = timer(l, on_look);
	l->day = timer(l, on_day);
	seam()->on_death = on_seam_death;
	seam()->owner = l;
	loop_set_between(m->base, between, l);
	for (unsigned int i = 0; i < m->n_guests; i++) {
		if (below(l, 3) > 0)
			start(l, &m->guests[i]);
	}
	loop_after(l->restart, SECOND_US);
	loop_after(l->next, MINUTE_US);
	loop_after(l->look, LOOK_US);
	loop_after(l->day, DAY_US);
}

void
life_end(struct life *l)
{
	loop_set_between(l->model->base, NULL, NULL);
	if (l->daemon->engine != NULL)
		qmpind_stop(l->daemon);
	event_free(l->next);
	event_free(l->restart);
	event_free(l->look);
	event_free(l->day);
}

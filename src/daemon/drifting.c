// SPDX-License-Identifier: MIT
/*
 * What has happened to masks, from the threads that a pass has just surveyed and
 * planned. All VMs are looked at before the first one is set, so that the first line
 * can already say how many were changed in one go.
 */
#include "config.h"

#include "daemon/drifting.h"

#include <stdlib.h>

#include "base/attr.h"
#include "base/xalloc.h"
#include "daemon/audit.h"
#include "daemon/engine.h"
#include "daemon/report.h"

/* So long after CPUs went or came threads that slept through it are seen widened. */
#define SHAKEN_US UINT64_C(10000000)
#define US_PER_MIN UINT64_C(60000000)

/* Threads that had the wanted mask, and may not be gone in a moment. */
static size_t
list_threads(const struct engine *e, const struct vm *vm, struct drift_thread *out)
{
	size_t n = 0;

	for (size_t i = 0; i < vm->n_tasks; i++) {
		const struct vm_task *t = &vm->tasks[i];

		if (t->wanted && t->applied && !t->ended && !audit_is_passing(e, t))
			out[n++] = (struct drift_thread){
				t->thread.class, &t->want, &t->have};
	}
	return n;
}

static bool
is_shaken(const struct engine *e, const struct vm *vm)
{
	return (vm->active & cause_bit(CAUSE_HOST)) != 0 ||
	       (e->shaken_us != 0 && clock_now_us(e->clock) - e->shaken_us < SHAKEN_US);
}

static void
look_at(const struct engine *e, struct vm *vm)
{
	auto_free struct drift_thread *threads = xcalloc(vm->n_tasks, sizeof(*threads));
	size_t n = list_threads(e, vm, threads);
	struct drift_host host = {.topo = e->host.topo,
		.allowed = vm->confine.bounded ? vm->confine.cpus : CPUSET_NONE,
		.shaken = is_shaken(e, vm)};

	drift_judge(threads, n, &host, &vm->drift.found);
	if (vm->drift.found.kind != DRIFT_NONE)
		vm->drift.found_us = clock_now_us(e->clock);
}

/* VMs that were changed alike, now or since their last audit. */
static unsigned int
count_alike(const struct engine *e, const struct vm *vm)
{
	uint64_t round_us = (uint64_t)e->config.audit_interval_ms * 1000;
	unsigned int n = 1;

	for (size_t i = 0; i < e->n_vms; i++) {
		const struct vm *other = e->vms[i];

		n += other != vm &&
		     drift_alike(&other->drift.found, &vm->drift.found) &&
		     vm->drift.found_us - other->drift.found_us <= round_us;
	}
	return n;
}

static bool
is_repaired(const struct engine *e, const struct vm *vm)
{
	return vm->fresh && !e->dry_run && !vm->observe_only && vm->peace_until_us == 0;
}

void
drifting_look(struct engine *e)
{
	for (size_t i = 0; i < e->n_vms; i++) {
		struct vm *vm = e->vms[i];

		vm->drift.text[0] = '\0';
		if (is_repaired(e, vm))
			look_at(e, vm);
	}
	for (size_t i = 0; i < e->n_vms; i++) {
		struct vm *vm = e->vms[i];
		struct drifting *d = &vm->drift;

		if (is_repaired(e, vm) && d->found.kind != DRIFT_NONE)
			drift_text(&d->found, count_alike(e, vm), d->text,
				sizeof(d->text));
	}
}

static void
give_way(struct vm *vm, uint64_t now_us, uint64_t peace_us)
{
	const struct patience *p = &vm->drift.patience;
	uint64_t took_min = (now_us - p->began_us + US_PER_MIN - 1) / US_PER_MIN;
	char last[sizeof(vm->drift.text)];

	drift_text(&vm->drift.found, 1, last, sizeof(last));
	report_troublef(vm,
		"somebody else keeps changing its masks (%u repairs within %u minute%s; %s): "
		"left alone for %u minutes, or until qmpin apply %s",
		p->spent, (unsigned int)took_min, took_min == 1 ? "" : "s", last,
		(unsigned int)(peace_us / US_PER_MIN), vm->id);
	vm->peace_until_us = now_us + peace_us;
}

/* What the kernel does on its own, or because of a cgroup, is no quarrel. */
static bool
is_quarrel(enum drift_kind kind)
{
	return kind != DRIFT_KERNEL && kind != DRIFT_CPUSET;
}

void
drifting_repaired(struct engine *e, struct vm *vm, bool explained)
{
	struct drifting *d = &vm->drift;
	uint64_t now_us = clock_now_us(e->clock);
	uint64_t peace_us;

	d->repairs[d->found.kind]++;
	e->stats.drifts[d->found.kind]++;
	if (explained || !is_quarrel(d->found.kind))
		return;
	peace_us = patience_spend(&d->patience, now_us);
	if (peace_us > 0)
		give_way(vm, now_us, peace_us);
}

void
drifting_try(const struct engine *e, struct vm *vm)
{
	uint64_t now_us = clock_now_us(e->clock);

	if (vm->peace_until_us == 0 || now_us < vm->peace_until_us)
		return;
	vm->peace_until_us = 0;
	vm->retry = true;
	patience_try(&vm->drift.patience, now_us);
}

void
drifting_forgive(struct vm *vm)
{
	vm->peace_until_us = 0;
	vm->drift.patience = (struct patience){.used = 0};
}

// SPDX-License-Identifier: MIT
/* Settle, ask, gather, pass: when work is done. What a pass does is pass.c's. */
#include "config.h"

#include "daemon/engine.h"

#include <event2/event.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "daemon/adopt.h"
#include "daemon/applying.h"
#include "daemon/audit.h"
#include "daemon/hearing.h"
#include "daemon/listing.h"
#include "daemon/pass.h"
#include "daemon/probing.h"
#include "daemon/rebalancing.h"
#include "daemon/release.h"
#include "daemon/survey.h"
#include "daemon/telling.h"
#include "daemon/threadwatch.h"

/* How long a pass waits for the answers of other VMs: QMP needs about 1 ms. */
#define GATHER_MS 5
/* A plan is for all VMs, however few are new to it: on a host full of VMs that come or
 * answer one by one, passes without a pause would take a whole CPU. After each comes
 * three times as long without one, so that they take a quarter of it; but nobody waits
 * longer. */
#define REST_FACTOR 3u
#define REST_US_MAX UINT64_C(250000)
/* At first sight of a host full of VMs: so long for all that answer to be seen. */
#define FIRST_LOOK_US UINT64_C(1000000)
/* A plan for so many VMs leaves holes between what is kept: with 1000 VMs 4 of 28 MiB.
 * They are given back soon after, which takes 1 ms. */
#define TRIM_FROM 64u
#define TRIM_MS 1000u
/* Guest-made causes: so many at once, then one a second. */
#define GUEST_BURST 32.0
#define GUEST_PER_S 1.0

static void
arm(struct event *ev, unsigned int ms)
{
	struct timeval tv = clock_timeval_ms(ms);

	if (!evtimer_pending(ev, NULL))
		evtimer_add(ev, &tv);
}

/* At the start of a daemon that waits for configurations. */
static bool
is_about_to_be_known(const struct engine *e, const struct vm *vm)
{
	return vm->fresh && !e->wishing.settled && wishes_wait(e, vm);
}

/* A VM that was just found and answers: placing it together with the others found with
 * it spares them a second look at each other. */
static bool
is_first_look(const struct engine *e, const struct vm *vm, uint64_t now_us)
{
	enum monitor_phase phase = monitor_phase(vm->monitor);
	bool answers = phase == MONITOR_CONNECTING || phase == MONITOR_WATCHING;

	if (vm->surveyed || now_us - vm->found_us >= FIRST_LOOK_US)
		return false;
	return (!vm->fresh && (answers || vm->undialled)) ||
	       is_about_to_be_known(e, vm);
}

static bool
is_first_time(const struct engine *e)
{
	uint64_t now_us = clock_now_us(e->clock);

	for (size_t i = 0; i < e->n_vms; i++) {
		if (is_first_look(e, e->vms[i], now_us))
			return true;
	}
	return false;
}

/* Somebody else's answer is worth a short wait. */
static bool
anyone_awaited(const struct engine *e)
{
	for (size_t i = 0; i < e->n_vms; i++) {
		const struct vm *vm = e->vms[i];

		if (vm->awaiting && monitor_phase(vm->monitor) == MONITOR_WATCHING)
			return true;
	}
	return is_first_time(e);
}

static void
run_pass(struct engine *e)
{
	enum pass_step step;

	evtimer_del(e->gather);
	step = pass_run(e);
	if (step == PASS_MORE)
		arm(e->slice, 0);
	if (step != PASS_DONE)
		return;
	e->stats.passes++;
	e->passed_us = clock_now_us(e->clock);
	e->stats.last_pass_us = e->passed_us - e->pass.began_us;
	e->stats.passes_us += e->stats.last_pass_us;
	if (e->n_vms >= TRIM_FROM)
		arm(e->trim, TRIM_MS);
	adopt_tell(e);
	applying_passed(e);
	/* an event came between: the pass of rebalance moved nobody, or that of others
	 * left out a VM, or one that ended */
	if (e->rebalance_due || e->replan_due || pass_is_due(e))
		arm(e->settle, e->config.settle_ms);
	e->on_change(e->owner);
}

/* Until the next pass may begin; one that goes on has begun. */
static uint64_t
rest_us(const struct engine *e)
{
	uint64_t most = REST_FACTOR * e->stats.last_pass_us;
	uint64_t since = clock_now_us(e->clock) - e->passed_us;

	if (most > REST_US_MAX)
		most = REST_US_MAX;
	return since < most ? most - since : 0;
}

static void
pass_when_rested(struct engine *e)
{
	uint64_t rest = rest_us(e);

	if (rest > 0)
		arm(e->gather, (unsigned int)(rest / 1000 + 1));
	else
		run_pass(e);
}

static void
on_gather_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;

	(void)fd;
	(void)what;
	if (is_first_time(e))
		arm(e->gather, GATHER_MS);
	else
		pass_when_rested(e);
}

static void
on_slice(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	run_pass(arg);
}

static void
on_trim_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	(void)malloc_trim(0);
}

/* A pass that goes on does not know what this VM is now. */
static void
make_fresh(struct vm *vm)
{
	vm->fresh = true;
	vm->looked = false;
}

/* Split the marked VMs: those that need QMP's word, and those that do not. */
static void
on_settle_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < e->n_vms; i++) {
		struct vm *vm = e->vms[i];
		cause_set causes = vm->causes;

		if (causes == 0 || !vm->proven)
			continue;
		vm->causes = 0;
		vm->active |= causes;
		if (cause_needs_facts(causes) || !vm->has_facts) {
			vm->awaiting = true;
			monitor_observe(vm->monitor);
		} else {
			make_fresh(vm);
		}
	}
	if (anyone_awaited(e))
		arm(e->gather, GATHER_MS);
	else
		pass_when_rested(e);
}

void
engine_await(struct vm *vm, enum cause cause)
{
	vm->active |= cause_bit(cause);
	vm->awaiting = true;
}

/* Others use a monitor all the time (Proxmox asks every VM every 10 s), and mostly only
 * to look: then nothing is to be done. What they did is told by what it did. */
static bool
was_only_used(struct vm *vm)
{
	if (vm->active != cause_bit(CAUSE_USED) || !vm->surveyed)
		return false;
	vm->active = survey_holds(vm) ? 0 : cause_bit(CAUSE_THREADS);
	return vm->active == 0;
}

void
engine_facts_arrived(struct engine *e, struct vm *vm)
{
	vm->awaiting = false;
	if (!was_only_used(vm)) {
		vm->facts_new = true;
		make_fresh(vm);
		if (vm->active == 0)
			vm->active = cause_bit(CAUSE_RETRY);
	}
	if (anyone_awaited(e))
		arm(e->gather, GATHER_MS);
	else
		event_active(e->gather, EV_TIMEOUT, 0);
}

/* Take one of the guest's budget; false: none is left. */
static bool
guest_may(const struct engine *e, struct vm *vm)
{
	return budget_take(
		&vm->kicks, clock_now_us(e->clock), GUEST_BURST, GUEST_PER_S);
}

static void
on_throttle_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < e->n_vms; i++) {
		struct vm *vm = e->vms[i];

		if (vm->delayed != 0)
			(void)guest_may(e, vm); /* what the second gave goes here */
		vm->causes |= vm->delayed;
		vm->delayed = 0;
		if (vm->causes != 0)
			arm(e->settle, 0);
	}
}

void
engine_kick(struct engine *e, struct vm *vm, enum cause cause)
{
	if (cause_by_guest(cause) && (vm->causes & cause_bit(cause)) == 0 &&
		!guest_may(e, vm)) {
		vm->delayed |= cause_bit(cause);
		arm(e->throttle, 1000);
		return;
	}
	vm->causes |= cause_bit(cause);
	arm(e->settle, e->config.settle_ms);
}

void
engine_kick_all(struct engine *e, enum cause cause)
{
	for (size_t i = 0; i < e->n_vms; i++)
		engine_kick(e, e->vms[i], cause);
}

void
engine_replan(struct engine *e)
{
	e->replan_due = true;
	arm(e->settle, e->config.settle_ms);
}

void
engine_rebalance(struct engine *e)
{
	e->rebalance_late = e->rebalance_due;
	e->rebalance_due = true;
	arm(e->settle, e->config.settle_ms);
}

struct engine *
engine_new(
	const struct engine_options *o, struct settings *config, struct hostmodel *host)
{
	struct engine *e = xcalloc(1, sizeof(*e));

	e->base = o->base;
	e->clock = o->clock;
	e->procfd = o->procfd;
	e->run_dirfd = o->run_dirfd;
	e->cgroupfd = o->cgroupfd;
	kin_host_init(&e->kin);
	e->dry_run = o->dry_run;
	e->on_change = o->on_change;
	e->on_audit = o->on_audit;
	e->on_reload = o->on_reload;
	e->owner = o->owner;
	e->config = *config;
	e->host = *host;
	*config = (struct settings){0};
	*host = (struct hostmodel){0};
	e->settle = evtimer_new(e->base, on_settle_timeout, e);
	e->gather = evtimer_new(e->base, on_gather_timeout, e);
	e->slice = evtimer_new(e->base, on_slice, e);
	e->throttle = evtimer_new(e->base, on_throttle_timeout, e);
	e->trim = evtimer_new(e->base, on_trim_timeout, e);
	e->start_us = clock_now_us(e->clock);
	e->commons = (struct monitor_commons){
		.clock = e->clock, .procfd = e->procfd, .guard_ms = e->config.guard_ms};
	e->releases = release_none();
	e->applies = applying_none();
	e->telling = telling_new(e->base, e->clock);
	e->release_ms = RELEASE_MS;
	e->apply_ms = APPLYING_MS;
	audit_start(e);
	threadwatch_start(e);
	adopt_start(e);
	rebalancing_start(e);
	background_start(e);
	return e;
}

void
engine_free(struct engine *e)
{
	if (e == NULL)
		return;
	pending_stop(&e->releases, "qmpind ends");
	pending_stop(&e->applies, "qmpind ends");
	listing_stop(e);
	while (e->n_vms > 0)
		engine_remove(e, e->vms[e->n_vms - 1]);
	telling_free(e->telling);
	free(e->vms);
	event_free(e->settle);
	event_free(e->gather);
	event_free(e->slice);
	event_free(e->throttle);
	event_free(e->trim);
	event_free(e->audit);
	event_free(e->looks);
	event_free(e->adoption);
	event_free(e->rebalance);
	background_stop(e);
	settings_fini(&e->config);
	hostmodel_fini(&e->host);
	kin_host_fini(&e->kin);
	wishes_forget_registered(&e->wishing);
	free(e);
}

static void
drop_pass(struct engine *e)
{
	pass_drop(e);
	evtimer_del(e->slice);
}

static void
take_host(struct engine *e, struct hostmodel *host)
{
	hostmodel_fini(&e->host);
	e->host = *host;
	*host = (struct hostmodel){0};
}

void
engine_replace_host(struct engine *e, struct hostmodel *host)
{
	take_host(e, host);
	drop_pass(e);
	e->shaken_us = clock_now_us(e->clock);
	engine_kick_all(e, CAUSE_HOST);
}

enum share
engine_share(const struct engine *e, const char *id)
{
	return e->dry_run ? SHARE_BRIEF : settings_share(&e->config, id);
}

/* What the settings say about monitors. */
static void
take_sharing(struct engine *e)
{
	e->commons.guard_ms = e->config.guard_ms;
	for (size_t i = 0; i < e->n_vms; i++) {
		struct vm *vm = e->vms[i];

		monitor_set_share(vm->monitor, engine_share(e, vm->id));
	}
}

static bool
measure_alike(const struct settings *a, const struct settings *b)
{
	return a->probe == b->probe && a->probe_burst_s == b->probe_burst_s &&
	       a->probe_cpus_pct == b->probe_cpus_pct;
}

void
engine_configure(struct engine *e, struct settings *config)
{
	bool same_rounds = e->config.audit_interval_ms == config->audit_interval_ms;
	bool same_probes = measure_alike(&e->config, config);

	settings_fini(&e->config);
	e->config = *config;
	*config = (struct settings){0};
	drop_pass(e);
	take_sharing(e);
	hearing_judge_all(e);
	if (!same_rounds) /* else many reloads would put the audit off for ever */
		audit_restart(e);
	if (!same_probes && e->probing != NULL)
		probing_configured(e->probing);
	engine_kick_all(e, CAUSE_RELOAD);
}

void
engine_reload(struct engine *e, struct settings *config, struct hostmodel *host)
{
	take_host(e, host);
	e->bad_reload[0] = '\0';
	engine_configure(e, config);
}

/* Numbers by value, before names; names by bytes. */
static int
compare_ids(const struct vm *vm, const char *id, int vmid)
{
	if (vm->vmid != vmid)
		return vm->vmid >= 0 && (vmid < 0 || vm->vmid < vmid) ? -1 : 1;
	return strcmp(vm->id, id);
}

size_t
engine_behind(const struct engine *e, const char *id, int vmid)
{
	size_t at = 0;

	while (at < e->n_vms && compare_ids(e->vms[at], id, vmid) <= 0)
		at++;
	return at;
}

void
engine_add(struct engine *e, struct vm *vm)
{
	size_t at = engine_behind(e, vm->id, vm->vmid);

	e->vms = xgrow(e->vms, e->n_vms, &e->cap_vms, sizeof(struct vm *));
	memmove(&e->vms[at + 1], &e->vms[at], (e->n_vms - at) * sizeof(struct vm *));
	e->vms[at] = vm;
	e->n_vms++;
	wishes_ask(e, vm);
	threadwatch_wake(e);
}

struct vm *
engine_find(const struct engine *e, const char *id)
{
	for (size_t i = 0; i < e->n_vms; i++) {
		if (strcmp(e->vms[i]->id, id) == 0)
			return e->vms[i];
	}
	return NULL;
}

void
engine_remove(struct engine *e, struct vm *vm)
{
	for (size_t i = 0; i < e->n_vms; i++) {
		if (e->vms[i] != vm)
			continue;
		memmove(&e->vms[i], &e->vms[i + 1],
			(e->n_vms - i - 1) * sizeof(struct vm *));
		e->n_vms--;
		break;
	}
	release_lost(e, vm);
	applying_lost(e, vm);
	wishes_lost(e, vm);
	vm_free(vm);
}

// SPDX-License-Identifier: MIT
/*
 * Method GetMetrics: what the engine and its modules count, put together; names and
 * text are ctl/metrics'. Every value of a label is there, also with 0 of it: a series
 * that comes and goes is hard to watch.
 */
#include "config.h"

#include "daemon/metering.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "ctl/metrics.h"
#include "ctl/server.h"
#include "ctl/shapes.h"
#include "daemon/control.h"
#include "daemon/engine.h"
#include "daemon/memory.h"
#include "daemon/probing.h"
#include "daemon/vmmode.h"
#include "place/mode.h"
#include "qmp/guard.h"
#include "qmp/share.h"

#define US_PER_S 1e6

/* SHARE_AUTO is no state. */
#define N_SHARES ((size_t)SHARE_NONE - SHARE_PRIVATE + 1)

/* What the text borrows. */
struct counted {
	struct metrics out;
	struct metrics_count states[VM_N_STATES];
	struct metrics_count modes[PLACE_N_MODES];
	struct metrics_count shares[N_SHARES];
	struct metrics_count drifts[DRIFT_N_KINDS - 1];
	struct metrics_turns turns[TURNS_CLASSES];
	struct metrics_vm *vms;
};

static double
seconds(uint64_t us)
{
	return (double)us / US_PER_S;
}

/* Of percent; negative stays so. */
static double
ratio(double pct)
{
	return pct >= 0 ? pct / 100 : -1;
}

static void
name_labels(struct counted *c)
{
	for (size_t i = 0; i < VM_N_STATES; i++)
		c->states[i].label = vm_state_name((enum vm_state)i);
	for (size_t i = 0; i < PLACE_N_MODES; i++)
		c->modes[i].label = place_mode_name((enum place_mode)i);
	for (size_t i = 0; i < N_SHARES; i++)
		c->shares[i].label = share_name((enum share)(SHARE_PRIVATE + i));
	for (size_t i = 0; i < ARRAY_LEN(c->drifts); i++)
		c->drifts[i].label = drift_name((enum drift_kind)(DRIFT_NONE + 1 + i));
	c->out.states = (struct metrics_counts){c->states, ARRAY_LEN(c->states)};
	c->out.modes = (struct metrics_counts){c->modes, ARRAY_LEN(c->modes)};
	c->out.shares = (struct metrics_counts){c->shares, ARRAY_LEN(c->shares)};
	c->out.drifts = (struct metrics_counts){c->drifts, ARRAY_LEN(c->drifts)};
}

static void
count_vm(struct counted *c, const struct engine *e, const struct vm *vm, size_t i)
{
	enum place_mode mode = vmmode_of(e, vm, NULL);
	enum share share = monitor_share(vm->monitor);

	c->states[vm->state].n++;
	c->modes[mode].n++;
	if (share >= SHARE_PRIVATE)
		c->shares[share - SHARE_PRIVATE].n++;
	c->out.managed += vm->placed;
	c->out.threads += (unsigned int)vm->n_tasks;
	c->out.troubled += vm->said[0] != '\0';
	c->out.left_alone += vm->peace_until_us > 0;
	c->out.widened += vm->squeeze.widened;
	c->vms[i] = (struct metrics_vm){
		.id = vm->id,
		.name = vm->facts.name,
		.mode = place_mode_name(mode),
		.managed = vm->placed,
		.vcpus = vm->facts.n_vcpus,
		.wait_ratio = ratio(squeeze_wait_pct(vm)),
		.memory_local_ratio = ratio(memory_local_pct(e, vm)),
		.repairs = vm->repairs,
	};
}

static void
count_work(struct counted *c, const struct engine *e)
{
	const struct engine_stats *s = &e->stats;
	struct metrics *m = &c->out;

	m->passes = s->passes;
	m->passes_s = seconds(s->passes_us);
	m->last_pass_s = seconds(s->last_pass_us);
	m->masks_set = s->sets;
	m->masks_failed = s->failures;
	m->masks_reverted = s->reverts;
	m->repairs = s->repairs;
	m->rebalanced = s->rebalanced;
	for (size_t i = 0; i < ARRAY_LEN(c->drifts); i++)
		c->drifts[i].n = s->drifts[DRIFT_NONE + 1 + i];
	m->yields = e->commons.n_yields;
	m->yields_s = seconds(e->commons.yields_us);
	for (unsigned int i = 0; i < TURNS_CLASSES; i++) {
		uint64_t bound_us = turns_bound_us(i);

		c->turns[i].up_to_s = bound_us > 0 ? seconds(bound_us) : -1;
		c->turns[i].n = e->turns.counts[i];
	}
	m->turns = c->turns;
	m->n_turns = TURNS_CLASSES;
	m->turns_s = seconds(e->turns.total_us);
}

static void
count_host(struct counted *c, const struct engine *e)
{
	const struct hostmodel *h = &e->host;
	unsigned int n = h->topo->n_pus;
	struct metrics *m = &c->out;

	m->background_cpus = background_cpus(e);
	m->latency = probing_state(e->probing);
	m->latencies = probing_states;
	m->n_latencies = PROBING_N_STATES;
	m->latency_trust = hostmodel_trust(h);
	m->pairs = h->matrix != NULL ? hostmodel_pairs(h) : 0;
	m->pairs_total = n * (n - 1) / 2;
	m->measured_s = seconds(probing_measured_us(e->probing));
}

static void
count_daemon(struct counted *c, const struct engine *e)
{
	uint64_t up_us = clock_now_us(e->clock) - e->start_us;
	struct metrics *m = &c->out;

	m->version = PACKAGE_VERSION;
	m->started_s = seconds(clock_real_us(e->clock) - up_us);
	m->dry_run = e->dry_run;
	m->config_ok = e->bad_reload[0] == '\0';
	m->guard = e->commons.guard != NULL && guard_is_alive(e->commons.guard);
	m->warnings = control_count_warnings(e);
}

void
metering_on_call(void *owner, struct ctl_call *call, const json_t *params)
{
	const struct engine *e = owner;
	struct counted c = {.vms = xcalloc(e->n_vms, sizeof(*c.vms))};
	auto_free char *text = NULL;

	(void)params;
	name_labels(&c);
	for (size_t i = 0; i < e->n_vms; i++)
		count_vm(&c, e, e->vms[i], i);
	c.out.vms = c.vms;
	c.out.n_vms = e->n_vms;
	count_work(&c, e);
	count_host(&c, e);
	count_daemon(&c, e);
	text = metrics_text(&c.out);
	ctl_reply(call, json_pack("{s:o}", "text", ctl_text_json(text)), false);
	free(c.vms);
}

// SPDX-License-Identifier: MIT
/* The planner as a policy: the replay of the same events says what the VMs have. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "place/replay.h"
#include "policies.h"

/* VMs that may be moved in a minute where only vCPUs are to be counted. */
#define VMS_PER_MIN 64.0

static void *
begin(struct run *r, enum place_mode mode, double credit)
{
	struct replay_settings s = replay_settings_default();
	struct replay *replay = NULL;
	struct err e = ERR_NONE;

	s.mode = mode;
	s.policy.rebalance = credit > 0;
	/* a minute passes from one event to the next */
	if (credit > s.rebalance_vcpus_per_min)
		s.rebalance_vms_per_min = VMS_PER_MIN;
	s.rebalance_vcpus_per_min = credit;
	s.policy.wait_mean_max *= r->tune->width;
	s.policy.wait_tail_max *= r->tune->width;
	if (r->tune->term >= 0)
		s.policy.weights[r->tune->term] *= r->tune->weight;
	if (replay_new(&s, bench_host_make, r->host, &replay, &e) < 0) {
		(void)fprintf(stderr, "planner: %s\n", e.text);
		abort();
	}
	return replay;
}

static void *
planner_begin(struct run *r)
{
	return begin(r, PLACE_AUTO, r->tune->credit);
}

static void *
float_begin(struct run *r)
{
	return begin(r, PLACE_FLOAT, r->tune->credit);
}

static void *
rebalance_begin(struct run *r)
{
	return begin(r, PLACE_AUTO, replay_settings_default().rebalance_vcpus_per_min);
}

static void
planner_end(struct run *r)
{
	replay_free(r->memo);
}

static void
planner_on_event(struct run *r, const struct replay_event *event, struct site_vm *vm)
{
	struct replay *replay = r->memo;
	struct err e = ERR_NONE;

	(void)vm;
	if (replay_step(replay, event, &e) < 0) {
		(void)fprintf(stderr, "planner: %s\n", e.text);
		abort();
	}
	/* both are in order of the ids */
	for (unsigned int i = 0; i < r->site.n; i++) {
		struct site_vm *to = &r->site.vms[i];

		if (strcmp(to->id, replay_input(replay)->vms[i].id) != 0)
			abort();
		to->pinned = true;
		to->emulator = replay_emulator(replay, i);
		for (unsigned int v = 0; v < to->n_vcpus; v++)
			to->masks[v] = replay_mask(replay, i, v);
		if (event->kind == REPLAY_START &&
			replay_plan(replay)->results[i].verdict == PLAN_LEAVE &&
			to == vm)
			r->refused++;
	}
}

const struct policy policy_planner = {
	.name = "planner",
	.what = "this planner, rebalance off",
	.begin = planner_begin,
	.on_event = planner_on_event,
	.end = planner_end,
};

const struct policy policy_float = {
	.name = "float",
	.what = "this planner, mode float, rebalance off",
	.begin = float_begin,
	.on_event = planner_on_event,
	.end = planner_end,
};

const struct policy policy_rebalance = {
	.name = "rebalance",
	.what = "this planner, rebalance as by default",
	.begin = rebalance_begin,
	.on_event = planner_on_event,
	.end = planner_end,
};

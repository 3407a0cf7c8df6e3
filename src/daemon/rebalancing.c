// SPDX-License-Identifier: MIT
/* When running VMs may be moved for a gain. */
#include "config.h"

#include "daemon/rebalancing.h"

#include <event2/event.h>

#include "daemon/adopt.h"
#include "daemon/engine.h"
#include "daemon/seating.h"

#define TICK_S 60

/* For a gain, of a VM. */
#define MOVES_AT_ONCE 12.0
#define MOVES_PER_S (12.0 / 86400)

/* There is somebody to move, and nobody has a better claim to the budget. */
static bool
is_worth_it(const struct engine *e)
{
	bool any = false;

	if (e->dry_run || e->config.rebalance != SETTINGS_REBALANCE_YES)
		return false;
	for (size_t i = 0; i < e->n_vms; i++) {
		const struct vm *vm = e->vms[i];

		if (adopt_waits(e, vm))
			return false;
		any = any || (vm->surveyed && vm->placed && !vm->observe_only);
	}
	return any;
}

static void
on_rebalance_tick(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;

	(void)fd;
	(void)what;
	if (is_worth_it(e))
		engine_rebalance(e);
}

void
rebalancing_start(struct engine *e)
{
	struct timeval tick = {TICK_S, 0};

	e->rebalance = event_new(e->base, -1, EV_PERSIST, on_rebalance_tick, e);
	event_add(e->rebalance, &tick);
	rebalancing_spend(e);
}

void
rebalancing_spend(struct engine *e)
{
	struct plan_policy unused;

	e->allowance = allowance_new();
	/* saving begins now */
	allowance_give(&e->allowance, seating_now_s(e), 0, 0, &unused);
}

void
rebalancing_count_gain(struct vm *vm)
{
	(void)budget_take(
		&vm->gains, clock_now_us(vm->clock), MOVES_AT_ONCE, MOVES_PER_S);
}

uint64_t
rebalancing_rests_until_us(const struct vm *vm)
{
	return budget_next_us(&vm->gains, MOVES_PER_S);
}

// SPDX-License-Identifier: MIT
/* Taking over running VMs gradually: a budget of rebalance_moves_per_min. */
#include "config.h"

#include "daemon/adopt.h"

#include <event2/event.h>

#include "base/log.h"
#include "daemon/engine.h"
#include "daemon/latecomer.h"
#include "daemon/rebalancing.h"
#include "daemon/recall.h"
#include "daemon/vmmode.h"

#define TICK_S 5

static bool
may_take_over(struct engine *e)
{
	double per_s = (double)e->config.rebalance_moves_per_min / 60;
	double most = per_s * TICK_S;

	if (most < 1)
		most = 1; /* so that it is the rate that counts, not the saved up */
	return e->config.adopt == SETTINGS_ADOPT_NOW ||
	       budget_take(&e->adoptions, clock_now_us(e->clock), most, per_s);
}

/* A VM that would not be moved anyway needs no turn. */
static bool
is_free(const struct engine *e, const struct vm *vm)
{
	enum place_mode mode = vmmode_of(e, vm, NULL);

	return vm->foreign || e->dry_run || mode == PLACE_OFF ||
	       mode == PLACE_OBSERVE || recall_waits(e, vm);
}

bool
adopt_waits(const struct engine *e, const struct vm *vm)
{
	return vm->preexisting && vm->surveyed && !is_free(e, vm);
}

void
adopt_ask(struct engine *e, struct vm *vm)
{
	if (!adopt_waits(e, vm) || !may_take_over(e))
		return;
	vm->preexisting = false;
	rebalancing_spend(e);
	if (vm->active == 0)
		vm->active = cause_bit(CAUSE_ADOPTION);
}

static void
on_adoption_tick(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;

	(void)fd;
	(void)what;
	latecomer_look(e);
	recall_look(e);
	for (size_t i = 0; i < e->n_vms; i++) {
		struct vm *vm = e->vms[i];

		if (!adopt_waits(e, vm))
			continue;
		adopt_ask(e, vm);
		if (vm->preexisting)
			return; /* the budget is spent */
		engine_kick(e, vm, CAUSE_ADOPTION);
	}
}

void
adopt_note(struct engine *e, struct vm *vm, size_t n_set)
{
	if (!vm->inherited)
		return;
	vm->inherited = false;
	if (n_set == 0)
		e->adopted.kept++;
	else
		e->adopted.changed++;
}

void
adopt_tell(struct engine *e)
{
	const struct adopt_count *c = &e->adopted;
	unsigned int n = c->kept + c->changed;

	if (n == 0)
		return;
	if (c->changed == 0)
		log_info("%u VM%s adopted as found", n, n == 1 ? "" : "s");
	else
		log_info("%u VM%s adopted, %u of them with masks that had to be set", n,
			n == 1 ? "" : "s", c->changed);
	e->adopted = (struct adopt_count){.kept = 0};
}

void
adopt_start(struct engine *e)
{
	struct timeval tick = {TICK_S, 0};

	e->adoption = event_new(e->base, -1, EV_PERSIST, on_adoption_tick, e);
	event_add(e->adoption, &tick);
}

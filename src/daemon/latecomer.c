// SPDX-License-Identifier: MIT
/* Whom to wait for is told by the record that the earlier daemon has left. */
#include "config.h"

#include "daemon/latecomer.h"

#include "act/record.h"
#include "daemon/engine.h"

/* A QEMU that has not answered for so long hangs, and is not waited for. */
#define WAIT_US UINT64_C(30000000)

static bool
is_late(const struct engine *e, const struct vm *vm, uint64_t now_us)
{
	return !vm->surveyed && vm->state != VM_GONE &&
	       now_us - vm->found_us < WAIT_US && record_exists(e->run_dirfd, vm->id);
}

bool
latecomer_is_due(const struct engine *e)
{
	uint64_t now_us = clock_now_us(e->clock);

	for (size_t i = 0; i < e->n_vms; i++) {
		if (is_late(e, e->vms[i], now_us))
			return true;
	}
	return false;
}

struct cpuset
latecomer_bound(const struct vm *vm)
{
	struct cpuset cpus = CPUSET_NONE;

	for (size_t i = 0; i < vm->n_tasks; i++)
		cpus = cpuset_or(&cpus, &vm->tasks[i].have);
	return cpuset_and(&cpus, &vm->record.limit);
}

void
latecomer_look(struct engine *e)
{
	if (!e->late || latecomer_is_due(e))
		return;
	e->late = false;
	engine_replan(e);
}

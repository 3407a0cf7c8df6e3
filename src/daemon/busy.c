// SPDX-License-Identifier: MIT
/* Which CPUs vCPUs are busy on, as far as the last passes know. */
#include "config.h"

#include "daemon/busy.h"

#include "daemon/engine.h"

struct cpuset
busy_cpus(const struct engine *e)
{
	struct cpuset busy = CPUSET_NONE;

	for (size_t i = 0; i < e->n_vms; i++) {
		const struct vm *vm = e->vms[i];

		for (size_t k = 0; k < vm->n_tasks; k++) {
			const struct vm_task *t = &vm->tasks[k];

			if (t->thread.class != THREAD_VCPU)
				continue;
			if (t->wanted && cpuset_count(&t->want) == 1)
				busy = cpuset_or(&busy, &t->want);
			else if (t->last_cpu >= 0 && t->last_cpu < (int)CPUSET_CAP)
				cpuset_add(&busy, (unsigned int)t->last_cpu);
		}
	}
	return cpuset_and(&busy, &e->host.topo->online);
}

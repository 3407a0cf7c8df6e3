// SPDX-License-Identifier: MIT
/* A list by thread, mostly empty. */
#include "config.h"

#include "daemon/homes.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "daemon/seating.h"
#include "daemon/vmtask.h"

struct home {
	pid_t tid;
	uint64_t start_ticks;
	struct cpuset cpus;
};

void
homes_take(struct homes *h, const struct seat *seat, const struct plan_result *result)
{
	homes_forget(h);
	if (result->home == NULL)
		return;
	h->list = xcalloc(result->n_vcpus, sizeof(*h->list));
	for (unsigned int k = 0; k < seat->n && k < result->n_vcpus; k++) {
		const struct vm_thread *t = &seat->vcpus[k]->thread;

		if (!cpuset_empty(&result->home[k]))
			h->list[h->n++] =
				(struct home){t->tid, t->start_ticks, result->home[k]};
	}
}

struct cpuset
homes_of(const struct homes *h, const struct vm_task *vcpu)
{
	for (size_t i = 0; i < h->n; i++) {
		if (h->list[i].tid == vcpu->thread.tid &&
			h->list[i].start_ticks == vcpu->thread.start_ticks)
			return h->list[i].cpus;
	}
	return CPUSET_NONE;
}

void
homes_forget(struct homes *h)
{
	free(h->list);
	*h = (struct homes){.n = 0};
}

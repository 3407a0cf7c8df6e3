// SPDX-License-Identifier: MIT
/* The start time of a thread, as /proc has it now. */
#include "config.h"

#include "daemon/proof.h"

#include "vm/task.h"

int
proof_start_ticks(const struct thread_ref *t, uint64_t *out)
{
	struct task_stat stat;
	int r = task_stat_read(t->procfd, t->pid, t->tid, &stat);

	if (r == 0)
		*out = stat.start_ticks;
	return r;
}

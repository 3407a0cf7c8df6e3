// SPDX-License-Identifier: MIT
/* Records of VMs that ended while no daemon ran: removed once, at start. */
#include "config.h"

#include "daemon/leftovers.h"

#include <errno.h>
#include <stdbool.h>

#include "act/record.h"
#include "act/recorddir.h"
#include "vm/task.h"

struct sweep {
	int procfd;
	int run_dirfd;
	unsigned int removed;
};

static bool
is_left_over(const struct sweep *s, const char *id)
{
	struct record record;
	struct task_stat stat;
	struct err why = ERR_NONE;
	int r = record_load(s->run_dirfd, id, &record, &why);
	bool gone;

	if (r < 0)
		return r == -ESTALE; /* of another boot */
	r = task_stat_read(s->procfd, record.pid, record.pid, &stat);
	gone = r == -ESRCH || (r == 0 && stat.start_ticks != record.start_ticks);
	record_fini(&record);
	return gone;
}

static void
sweep_one(void *arg, const char *id)
{
	struct sweep *s = arg;

	if (!is_left_over(s, id))
		return;
	record_remove(s->run_dirfd, id);
	s->removed++;
}

unsigned int
leftovers_sweep(int procfd, int run_dirfd)
{
	struct sweep s = {.procfd = procfd, .run_dirfd = run_dirfd};

	/* what cannot be listed stays */
	return recorddir_each(run_dirfd, sweep_one, &s) < 0 ? 0 : s.removed;
}

// SPDX-License-Identifier: MIT
/*
 * What the cgroup of a VM leaves it: the CPUs of its cpuset and its CPU quota. Both are
 * changed by others at any time, mostly for the whole slice. Unknown where there is no
 * unified hierarchy; what cannot be read for once stays as it was.
 */
#ifndef QMPIN_DAEMON_CONFINE_H
#define QMPIN_DAEMON_CONFINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "topo/cpuset.h"

struct confine {
	char *path;	     /* of the process's group; NULL: unknown */
	bool bounded;	     /* cpus holds */
	struct cpuset cpus;  /* online ones that it may use */
	double quota_cpus;   /* 0: none */
	unsigned int rounds; /* looks since the quota was read */
};

/** Find the group of a process, and look. @cgroupfd as from cgroup_open, -1: none. */
void confine_find(struct confine *c, int cgroupfd, int procfd, pid_t pid);

/** Look again, at the quota not each time. Returns true when something differs, also
 * when the process must have another group by now: then find it. */
bool confine_look(struct confine *c, int cgroupfd);

void confine_forget(struct confine *c);

#endif

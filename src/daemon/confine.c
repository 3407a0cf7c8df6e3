// SPDX-License-Identifier: MIT
/* What the cgroup of a VM leaves it. The path is kept: finding it costs a file more. */
#include "config.h"

#include "daemon/confine.h"

#include <errno.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "host/cgroup.h"

/* A quota takes three files to read and changes no mask at once. */
#define QUOTA_ROUNDS 4u

void
confine_forget(struct confine *c)
{
	free(c->path);
	*c = (struct confine){.path = NULL};
}

static int
read_cpus(struct confine *c, int cgroupfd)
{
	int r = cgroup_cpus(cgroupfd, c->path, &c->cpus);

	if (r == 0)
		c->bounded = true;
	else if (r == -ENODATA)
		c->bounded = false;
	return r == -ENODATA ? 0 : r;
}

static bool
differs(const struct confine *a, const struct confine *b)
{
	if (a->bounded != b->bounded || a->quota_cpus < b->quota_cpus ||
		a->quota_cpus > b->quota_cpus)
		return true;
	return a->bounded && !cpuset_equal(&a->cpus, &b->cpus);
}

bool
confine_look(struct confine *c, int cgroupfd)
{
	struct confine before = *c;
	int r;

	if (c->path == NULL)
		return false;
	r = read_cpus(c, cgroupfd);
	if (r == 0 && c->rounds++ % QUOTA_ROUNDS == 0)
		r = cgroup_quota(cgroupfd, c->path, &c->quota_cpus);
	if (r == -ENOENT) { /* moved, and the old group removed */
		free(c->path);
		c->path = NULL;
		return true;
	}
	return differs(&before, c);
}

void
confine_find(struct confine *c, int cgroupfd, int procfd, pid_t pid)
{
	char path[CGROUP_PATH_MAX];

	if (cgroupfd < 0 || cgroup_of_process(procfd, pid, path) < 0) {
		confine_forget(c);
		return;
	}
	free(c->path);
	c->path = xstrdup(path);
	c->rounds = 0;
	if (confine_look(c, cgroupfd) && c->path == NULL)
		confine_forget(c);
}

// SPDX-License-Identifier: MIT
/* Real groups of the unified cgroup hierarchy. */
#include "config.h"

#include "scopes.h"

#include <err.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/xalloc.h"

static bool
may_write(const char *top)
{
	auto_free char *kind = xasprintf("%s/cgroup.controllers", top);
	auto_free char *slice = xasprintf("%s/qemu.slice", top);
	auto_free char *procs = xasprintf("%s/qemu.slice/cgroup.procs", top);

	if (access(kind, R_OK) < 0)
		return false;
	if (mkdir(slice, 0755) < 0 && errno != EEXIST)
		return false;
	return access(procs, W_OK) == 0;
}

void
scopes_init(struct scopes *s)
{
	static const char *const tops[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

	*s = (struct scopes){.n = 0};
	for (size_t i = 0; i < ARRAY_LEN(tops) && s->top == NULL; i++) {
		if (may_write(tops[i]))
			s->top = xstrdup(tops[i]);
	}
}

/* Who is left in it, when a test has failed. */
static void
kill_all(const char *path)
{
	auto_free char *file = xasprintf("%s/cgroup.kill", path);
	FILE *f = fopen(file, "we");

	if (f != NULL) {
		(void)fputs("1\n", f);
		(void)fclose(f);
	}
}

/* The kernel counts a process that was reaped a moment longer. */
static void
remove_group(const char *path)
{
	for (unsigned int tries = 0; rmdir(path) < 0; tries++) {
		if (errno != EBUSY || tries == 100000)
			err(99, "%s", path);
		if (tries == 1000)
			kill_all(path);
		sched_yield();
	}
}

void
scopes_fini(struct scopes *s)
{
	while (s->n > 0) {
		remove_group(s->made[--s->n]);
		free(s->made[s->n]);
	}
	if (s->top != NULL) {
		auto_free char *slice = xasprintf("%s/qemu.slice", s->top);

		(void)rmdir(slice); /* unless others are in it */
	}
	free(s->top);
}

void
scopes_make(struct scopes *s, const char *path)
{
	char *dir = xasprintf("%s%s", s->top, path);
	auto_free char *slice = xasprintf("%s/qemu.slice", s->top);

	if (s->n == SCOPES_MAX)
		errx(99, "too many groups");
	/* another test may have taken the slice away */
	for (unsigned int tries = 0; mkdir(dir, 0755) < 0; tries++) {
		if (errno != ENOENT || tries == 1000)
			err(99, "%s", dir);
		(void)mkdir(slice, 0755);
	}
	s->made[s->n++] = dir;
}

void
scopes_move(const struct scopes *s, const char *path, pid_t pid)
{
	auto_free char *file = xasprintf("%s%s/cgroup.procs", s->top, path);
	FILE *f = fopen(file, "we");

	if (f == NULL || fprintf(f, "%d\n", (int)pid) < 0 || fclose(f) != 0)
		err(99, "%s", file);
}

// SPDX-License-Identifier: MIT
/*
 * Real groups of the unified cgroup hierarchy, where this machine lets us make them.
 */
#ifndef QMPIN_TESTS_SCOPES_H
#define QMPIN_TESTS_SCOPES_H

#include <stdbool.h>
#include <sys/types.h>

#define SCOPES_MAX 4u

struct scopes {
	char *top; /* directory of the hierarchy; NULL: none that we may write */
	unsigned int n;
	char *made[SCOPES_MAX];
};

void scopes_init(struct scopes *s);
/** Their processes have ended or left. */
void scopes_fini(struct scopes *s);

/** Make the group @path ("/qemu.slice/103.scope"), below one that is there. */
void scopes_make(struct scopes *s, const char *path);

/** Move a process into a group, which may be "/". */
void scopes_move(const struct scopes *s, const char *path, pid_t pid);

#endif

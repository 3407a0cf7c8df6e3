// SPDX-License-Identifier: MIT
/* A process that listens as QEMU does, and this one, which looks for its socket. */
#ifndef QMPIN_TESTS_LISTENER_WORLD_H
#define QMPIN_TESTS_LISTENER_WORLD_H

#include <stddef.h>

#include "base/err.h"
#include "holder.h"

#define LISTENER_WORLD_NAME "100.qmp"

struct listener_world {
	char *dir;
	char *path; /* dir/LISTENER_WORLD_NAME */
	size_t fds;
	struct holder h;
	struct holder other;
	int fd; /* the duplicate */
	struct err e;
};

/** cmocka's setup and teardown; *state is the world. */
int listener_world_setup(void **state);
int listener_world_teardown(void **state);

/** listener_duplicate() of the holder's socket into fd and e. */
int listener_world_duplicate(struct listener_world *w);

/** Fails unless it is found, and left as it was. */
void listener_world_found(struct listener_world *w);

/** Fails unless that is refused with @expected, and @text in its words. */
void listener_world_refused(struct listener_world *w, int expected, const char *text);

/** "DIR/NAME" as a new string. */
char *listener_world_in(const char *dir, const char *name);

/** A holder's part: it listens in @dir. */
void listener_world_plain(int control, const char *dir);

#endif

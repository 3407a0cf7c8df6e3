// SPDX-License-Identifier: MIT
/*
 * A process that has sockets, for tests that look at them from outside. It goes on step
 * by step, when the test says so, and dies with the test.
 */
#ifndef QMPIN_TESTS_HOLDER_H
#define QMPIN_TESTS_HOLDER_H

#include <stdint.h>

#include "qmp/listener.h"

struct holder {
	struct listener_process process;
	int control;
	uint64_t said; /* what it handed over at its last pause */
};

/* What it does, in the child. It stays as it is, until it is killed, after returning.
 */
typedef void holder_part(int control, const char *folder);

/** Start @part; returns when that has called holder_pause() or returned. */
struct holder holder_start(holder_part *part, const char *folder);

/** In the child: hand @number over and wait for the next holder_step(). */
void holder_pause(int control, uint64_t number);

/** Let it go on to its next pause. */
void holder_step(struct holder *h);

/** Kill it; a zombie is left. */
void holder_kill(struct holder *h);

/** Kill and reap. Twice is fine. */
void holder_stop(struct holder *h);

/* For the child: they end it when they fail. */

/** Listen as QEMU does, with a queue of one (so that two wait). @name is the socket's.
 */
int holder_listen(const char *name);

/** The inode of a descriptor. */
uint64_t holder_inode(int fd);

/** In the test: a client of @path, non-blocking. Returns a negative errno on failure.
 */
int holder_connect(const char *path);

/** Run @check in a child and return its result (0 to 99); @owner is for @check. */
int holder_try(int (*check)(void *owner), void *owner);

#endif

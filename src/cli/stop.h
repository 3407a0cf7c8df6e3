// SPDX-License-Identifier: MIT
/* Ctrl-C as something to wait for, for commands that have to clean up. */
#ifndef QMPIN_CLI_STOP_H
#define QMPIN_CLI_STOP_H

#include <signal.h>
#include <stdbool.h>

struct stop {
	int fd; /* readable once the user (or the system) wants an end; -1: failed */
	sigset_t before;
};

/** From now on SIGINT, SIGTERM and SIGHUP end nothing, but can be waited for. */
void stop_begin(struct stop *s);

/** As before. What came in between is forgotten. */
void stop_end(struct stop *s);

/** The end is wanted. */
bool stop_is_wanted(const struct stop *s);

#endif

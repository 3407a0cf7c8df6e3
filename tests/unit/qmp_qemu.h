// SPDX-License-Identifier: MIT
/* A real QEMU for tests of the monitor: TCG, no guest but the firmware, stopped at the
 * first instruction. It has a second monitor where the test itself speaks. */
#ifndef QMPIN_TESTS_QMP_QEMU_H
#define QMPIN_TESTS_QMP_QEMU_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

struct qemu {
	pid_t pid;
	char other_path[128];
	int other; /* connected to it */
};

static inline bool
qemu_is_installed(const char *program)
{
	char command[128];

	(void)snprintf(
		command, sizeof(command), "%s --version >/dev/null 2>&1", program);
	return system(command) == 0;
}

/** Start @program (found on PATH) with its monitor at @path; false: there is none. */
bool qemu_start(struct qemu *q, const char *program, const char *path);

/** Kill it, if it runs. */
void qemu_stop(struct qemu *q);

/** Say @command on the second monitor and wait for what it returns. */
void qemu_command(struct qemu *q, const char *text);

/* A client of the VM's own monitor. */

/** Connect; -1 when the queue is full. */
int qemu_connect(const char *path);

/** Read until @text, for at most @limit_ms. Returns the milliseconds, or -1. */
int qemu_expect(int fd, const char *text, unsigned int limit_ms);

#endif

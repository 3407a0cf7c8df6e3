// SPDX-License-Identifier: MIT
/*
 * Reading what may hang for ever, such as a file system in user space: a child does it,
 * and is left behind when it is not done in time.
 */
#ifndef QMPIN_CLI_APART_H
#define QMPIN_CLI_APART_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

/* Runs in the child: writes to @fd what is to be known of the files below @root. */
typedef void apart_reader(const char *root, int fd);

struct apart {
	pid_t child;
	int fd;
	uint64_t deadline_us;
};

/** Start the child. Returns 0 or a negative errno; apart_end after 0. */
MUST_CHECK int apart_start(
	struct apart *a, const char *root, apart_reader *reader, int deadline_ms);

/** Wait for bytes of it. Returns how many, 0 (there are no more), -ETIMEDOUT (the time
 * is over, which began with the start) or another negative errno. */
MUST_CHECK ssize_t apart_read(struct apart *a, void *buf, size_t size);

void apart_end(struct apart *a);

#endif

// SPDX-License-Identifier: MIT
/* Lines of a file or a pipe, each up to a cap, in bounded memory. */
#ifndef QMPIN_CLI_LINES_H
#define QMPIN_CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct lines {
	int fd;	     /* borrowed */
	int stop_fd; /* readable: stop waiting; -1: there is none. Borrowed */
	size_t cap;  /* of a line without its end */
	char *buf;
	size_t at; /* of the next line in buf */
	size_t len;
	bool ended;
};

/** Read from @fd; lines_fini it. */
struct lines lines_new(int fd, int stop_fd, size_t cap);
void lines_fini(struct lines *l);

/**
 * The next line without its end; the last one need not have one.
 *
 * @text  @len bytes, until the next call
 *
 * Returns 1, 0 (there is none), -E2BIG (over the cap), -EINTR (stop_fd) or the errno of
 * reading; after an error there is nothing more to be had.
 */
MUST_CHECK int lines_next(struct lines *l, const char **text, size_t *len);

#endif

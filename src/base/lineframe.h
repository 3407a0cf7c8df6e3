// SPDX-License-Identifier: MIT
/*
 * Bytes of a pipe cut into lines, some of which announce that so many bytes follow
 * them. All is handed out in place. Nothing that comes is trusted: memory grows only
 * with what has come, never with a length that was announced, and has an end. Pure.
 */
#ifndef QMPIN_BASE_LINEFRAME_H
#define QMPIN_BASE_LINEFRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

/* Zero-initialise; lineframe_fini it. */
struct lineframe {
	char *buf;
	size_t len, cap;
	size_t done; /* bytes in front that have been handed out */
	size_t line; /* length of the line that was handed out last */
	int status;  /* -EPROTO: what came is no message, and nothing more is read */
};

struct lineframe_caps {
	size_t line;   /* bytes, with the newline */
	size_t buffer; /* one message, and the read that brought its end */
	size_t kept;   /* what an emptied buffer may hold on to */
};

void lineframe_fini(struct lineframe *f);

/** Add bytes; what was handed out is no longer valid. Returns 0 or -EPROTO (the buffer
 * is full: messages are to be taken before more comes in). */
MUST_CHECK int lineframe_add(struct lineframe *f, const struct lineframe_caps *caps,
	const char *bytes, size_t len);

/**
 * The next whole line, without its newline and NUL-terminated; there is no NUL in it.
 * It comes again until lineframe_take.
 *
 * Returns 1, 0 (none yet) or -EPROTO with @e.
 */
MUST_CHECK int lineframe_line(struct lineframe *f, const struct lineframe_caps *caps,
	char **line, size_t *len, struct err *e);

/**
 * The line was understood, and @n bytes follow it.
 *
 * Returns false while they are not all there: the line, which must not have been
 * written to, then comes again.
 */
bool lineframe_take(struct lineframe *f, size_t n, const char **bytes);

/** The line is no message. Returns -EPROTO, as all later calls. */
int lineframe_refuse(struct lineframe *f, struct err *e);

#endif

// SPDX-License-Identifier: MIT
/*
 * Where and why something failed, for the human who must mend it. Travels as the last
 * parameter of functions that read configuration, VM data or the wire; the machine's
 * answer is their return value (0 or a negative errno).
 */
#ifndef QMPIN_BASE_ERR_H
#define QMPIN_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/* source: a file, "vm 103", a socket; empty when unknown. line: 1-based, 0 when it has
 * none. text: empty means no error. All strings are safe to print (see str_escape). */
struct err {
	char source[160];
	unsigned int line;
	char text[320];
};

#define ERR_NONE                                    \
	{                                           \
		.source = "", .line = 0, .text = "" \
	}

/** Nothing is set yet. NULL counts as unset. */
bool err_is_set(const struct err *e);

/** Forget what was set. */
void err_clear(struct err *e);

/**
 * Record an error. The first one wins: a later call changes nothing. @e may be NULL.
 * Control characters and bytes that are not ASCII are escaped; long texts are cut.
 *
 * Returns @ret, so that `return err_set(e, -EINVAL, path, line, "...")` is one line.
 */
int err_set(struct err *e, int ret, const char *source, unsigned int line,
	const char *fmt, ...) PRINTF_LIKE(5, 6);

/** "source:line: text", "source: text" or "text" into @buf; returns @buf. */
const char *err_format(const struct err *e, char *buf, size_t size);

#endif

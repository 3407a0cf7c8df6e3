// SPDX-License-Identifier: MIT
/*
 * Strings of JSON as QEMU writes and reads them, on the raw bytes: what is passed on
 * unchanged must not go through a parser and a printer. QEMU also reads strings in
 * single quotes. Pure.
 */
#ifndef QMPIN_QMP_JSTRING_H
#define QMPIN_QMP_JSTRING_H

#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"
#include "qmp/frame.h"

/**
 * Is a string, with its quotes, one that QEMU takes?
 *
 * @fault  set to what is wrong, in QEMU's words
 * @bad    where: for the words that quote it; empty otherwise
 *
 * Returns 0 or -EINVAL.
 */
MUST_CHECK int jstring_check(
	struct frame_span string, const char **fault, struct frame_span *bad);

/**
 * What a string, with its quotes, means.
 *
 * @buf  written only on success: UTF-8, terminated
 *
 * Returns 0, -EINVAL (not a string, or one with a NUL) or -ERANGE (longer than @buf).
 */
MUST_CHECK int jstring_decode(struct frame_span string, char *buf, size_t size);

/** Append @bytes as the inside of a string, as QEMU would print it; what is not ASCII
 * becomes U+FFFD. */
void jstring_escape(const char *bytes, size_t len, struct strbuf *out);

/** Append a JSON value (one that QEMU takes) on one line: blanks between tokens as QEMU
 * sets them, strings in double quotes, all else as it is. */
void jstring_lay_out(struct frame_span value, struct strbuf *out);

#endif

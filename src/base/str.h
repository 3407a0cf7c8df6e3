// SPDX-License-Identifier: MIT
/*
 * Strings from outside: strict numbers, escaping for logs and terminals, bounded
 * copies, and a growing buffer. Pure.
 */
#ifndef QMPIN_BASE_STR_H
#define QMPIN_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/**
 * Read a decimal number: digits only, no sign, no blanks, no leading "0x".
 *
 * @out  written only on success
 *
 * Returns 0, -EINVAL (not a number) or -ERANGE (above @max).
 */
MUST_CHECK int str_parse_uint(const char *text, uint64_t max, uint64_t *out);

/** The value of a hexadecimal digit in either case, or -1. */
int str_hex_digit(char c);

/** Copy @src, cut to @size - 1 bytes, always terminated (@size > 0). */
void str_copy(char *dst, size_t size, const char *src);

/** Same bytes; NULL equals only NULL. */
bool str_equal(const char *a, const char *b);

/** @text begins with @prefix. */
bool str_has_prefix(const char *text, const char *prefix);

/**
 * Make bytes from outside safe to print: control characters, bytes above 0x7e and the
 * backslash become \xNN (\\ for the backslash). Cuts at a whole escape; always
 * terminated (@size > 0).
 *
 * Returns @out.
 */
char *str_escape(const char *in, size_t len, char *out, size_t size);

/** The same of all of @text, as a new string. */
char *str_escaped(const char *text);

/* A growing, always terminated string. Zero-initialise; free with strbuf_fini. */
struct strbuf {
	char *s; /* NULL until the first append */
	size_t len;
	size_t cap;
};

void strbuf_add(struct strbuf *b, const char *bytes, size_t len);
void strbuf_adds(struct strbuf *b, const char *text);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** The text, "" when nothing was added; valid until the next append. */
const char *strbuf_text(const struct strbuf *b);

/** Drop the first @n bytes (at most all). */
void strbuf_drop(struct strbuf *b, size_t n);

/** Give the text away; the buffer is empty afterwards. Never NULL; free() it. */
MUST_CHECK char *strbuf_take(struct strbuf *b);

void strbuf_fini(struct strbuf *b);

#endif

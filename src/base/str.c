// SPDX-License-Identifier: MIT
/* Strings from outside: numbers, escaping, bounded copies, a growing buffer. Pure. */
#include "config.h"

#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

int
str_parse_uint(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	const char *p;

	if (*text == '\0')
		return -EINVAL;
	for (p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
	}
	for (p = text; *p != '\0'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		value = value * 10 + digit;
	}
	if (value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

int
str_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void
str_copy(char *dst, size_t size, const char *src)
{
	size_t len = strnlen(src, size - 1);

	memcpy(dst, src, len);
	dst[len] = '\0';
}

bool
str_equal(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool
str_has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* One byte as it is printed: itself, "\\\\" or "\\xNN". Returns the length. */
static size_t
escape_byte(unsigned char c, char piece[5])
{
	static const char hex[] = "0123456789abcdef";

	if (c == '\\') {
		memcpy(piece, "\\\\", 3);
		return 2;
	}
	if (c >= 0x20 && c <= 0x7e) {
		piece[0] = (char)c;
		return 1;
	}
	piece[0] = '\\';
	piece[1] = 'x';
	piece[2] = hex[c >> 4];
	piece[3] = hex[c & 15];
	return 4;
}

char *
str_escape(const char *in, size_t len, char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		char piece[5];
		size_t n = escape_byte((unsigned char)in[i], piece);

		if (used + n >= size)
			break;
		memcpy(out + used, piece, n);
		used += n;
	}
	out[used] = '\0';
	return out;
}

char *
str_escaped(const char *text)
{
	size_t size = strlen(text) * 4 + 1;

	return str_escape(text, strlen(text), xcalloc(size, 1), size);
}

static void
reserve(struct strbuf *b, size_t more)
{
	size_t need = b->len + more + 1;

	if (need <= b->cap)
		return;
	while (b->cap < need)
		b->cap = b->cap > 0 ? b->cap * 2 : 64;
	b->s = xrealloc(b->s, b->cap, 1);
}

void
strbuf_add(struct strbuf *b, const char *bytes, size_t len)
{
	reserve(b, len);
	if (len > 0)
		memcpy(b->s + b->len, bytes, len);
	b->len += len;
	b->s[b->len] = '\0';
}

void
strbuf_adds(struct strbuf *b, const char *text)
{
	strbuf_add(b, text, strlen(text));
}

void
strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;
	va_list again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	reserve(b, (size_t)n);
	(void)vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
	va_end(again);
	b->len += (size_t)n;
}

const char *
strbuf_text(const struct strbuf *b)
{
	return b->s != NULL ? b->s : "";
}

void
strbuf_drop(struct strbuf *b, size_t n)
{
	if (b->s == NULL)
		return;
	if (n > b->len)
		n = b->len;
	memmove(b->s, b->s + n, b->len - n + 1);
	b->len -= n;
}

char *
strbuf_take(struct strbuf *b)
{
	char *s = b->s != NULL ? b->s : xstrdup("");

	*b = (struct strbuf){0};
	return s;
}

void
strbuf_fini(struct strbuf *b)
{
	free(b->s);
	*b = (struct strbuf){0};
}

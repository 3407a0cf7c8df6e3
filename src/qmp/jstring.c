// SPDX-License-Identifier: MIT
/*
 * One character at a time is decoded, by the same function for the check and for the
 * meaning. The rules are those of QEMU's json-parser: its modified UTF-8 writes NUL as
 * 0xc0 0x80, and a surrogate counts only as half of a pair. Pure.
 */
#include "config.h"

#include "qmp/jstring.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define NO_CHARACTER UINT32_MAX

struct reader {
	const char *at;
	const char *end;
	const char *fault;
	struct frame_span bad;
};

static uint32_t
fail(struct reader *r, const char *fault)
{
	r->fault = fault;
	return NO_CHARACTER;
}

/* The four digits behind "\u"; NO_CHARACTER if they are none. */
static uint32_t
hex4(const struct reader *r)
{
	uint32_t value = 0;

	if (r->end - r->at < 4)
		return NO_CHARACTER;
	for (int i = 0; i < 4; i++) {
		int digit = str_hex_digit(r->at[i]);

		if (digit < 0)
			return NO_CHARACTER;
		value = value << 4 | (uint32_t)digit;
	}
	return value;
}

static bool
is_surrogate(uint32_t c)
{
	return c >= 0xd800 && c <= 0xdfff;
}

/* Behind "\u". */
static uint32_t
read_unicode(struct reader *r)
{
	const char *start = r->at - 2;
	uint32_t high = hex4(r);
	uint32_t low = NO_CHARACTER;
	ptrdiff_t left;

	if (high != NO_CHARACTER) {
		r->at += 4;
		if (!is_surrogate(high))
			return high;
		if (r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u') {
			r->at += 2;
			low = hex4(r);
		}
	}
	if (high < 0xdc00 && low >= 0xdc00 && low <= 0xdfff) {
		r->at += 4;
		return 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
	}
	left = r->end + 1 - start; /* QEMU quotes the closing quote too */
	r->bad = (struct frame_span){start, left < 6 ? (size_t)left : 6};
	return fail(r, "is not a valid Unicode character");
}

static uint32_t
read_escape(struct reader *r)
{
	static const char from[] = "\"'\\/bfnrt";
	static const char to[] = "\"'\\/\b\f\n\r\t";
	const char *found;
	char c;

	if (r->at == r->end)
		return fail(r, "invalid escape sequence in string");
	c = *r->at++;
	if (c == 'u')
		return read_unicode(r);
	found = c == '\0' ? NULL : strchr(from, c);
	if (found == NULL)
		return fail(r, "invalid escape sequence in string");
	return (unsigned char)to[found - from];
}

/* A character above ASCII that begins with @first. */
static uint32_t
read_utf8(struct reader *r, unsigned char first)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	unsigned int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
	uint32_t c = first & (0x3fu >> more);

	if (first < 0xc0 || first > 0xf4 || r->end - r->at < (ptrdiff_t)more)
		return fail(r, "invalid UTF-8 sequence in string");
	for (unsigned int i = 0; i < more; i++, r->at++) {
		unsigned char next = (unsigned char)*r->at;

		if ((next & 0xc0) != 0x80)
			return fail(r, "invalid UTF-8 sequence in string");
		c = c << 6 | (next & 0x3f);
	}
	if (first == 0xc0 && c == 0)
		return 0;
	if (c < least[more] || c > 0x10ffff || is_surrogate(c))
		return fail(r, "invalid UTF-8 sequence in string");
	return c;
}

/* The next character; NO_CHARACTER with r->fault set when there is none. */
static uint32_t
read_one(struct reader *r)
{
	unsigned char c = (unsigned char)*r->at++;

	if (c == '\\')
		return read_escape(r);
	return c < 0x80 ? c : read_utf8(r, c);
}

/* Inside the quotes. False: it has none. */
static bool
open_string(struct frame_span string, struct reader *r)
{
	if (string.len < 2 || (string.bytes[0] != '"' && string.bytes[0] != '\'') ||
		string.bytes[string.len - 1] != string.bytes[0])
		return false;
	*r = (struct reader){
		.at = string.bytes + 1,
		.end = string.bytes + string.len - 1,
	};
	return true;
}

int
jstring_check(struct frame_span string, const char **fault, struct frame_span *bad)
{
	struct reader r = {.fault = "expecting value"};

	if (open_string(string, &r)) {
		while (r.fault == NULL && r.at < r.end)
			(void)read_one(&r);
	}
	if (r.fault == NULL)
		return 0;
	*fault = r.fault;
	*bad = r.bad;
	return -EINVAL;
}

static size_t
put_utf8(uint32_t c, char out[4])
{
	static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
	unsigned int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	for (unsigned int i = more; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(lead[more] | c);
	return more + 1;
}

/* @len: of what was decoded, always below @size. */
static int
decode(struct reader *r, char *buf, size_t size, size_t *len)
{
	char utf8[4];
	size_t n;

	while (r->at < r->end) {
		uint32_t c = read_one(r);

		if (c == NO_CHARACTER || c == 0)
			return -EINVAL;
		n = put_utf8(c, utf8);
		if (*len + n >= size)
			return -ERANGE;
		memcpy(buf + *len, utf8, n);
		*len += n;
	}
	return 0;
}

int
jstring_decode(struct frame_span string, char *buf, size_t size)
{
	struct reader r;
	size_t len = 0;
	char text[256];
	int ret;

	if (!open_string(string, &r))
		return -EINVAL;
	ret = decode(&r, text, size < sizeof(text) ? size : sizeof(text), &len);
	if (ret < 0)
		return ret;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return 0;
}

void
jstring_escape(const char *bytes, size_t len, struct strbuf *out)
{
	static const char from[] = "\"\\\b\f\n\r\t";
	static const char to[] = "\"\\bfnrt";

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];
		const char *found = c == 0 ? NULL : strchr(from, c);

		if (found != NULL)
			strbuf_addf(out, "\\%c", to[found - from]);
		else if (c >= 0x80)
			strbuf_adds(out, "\\uFFFD");
		else if (c < 0x20 || c == 0x7f)
			strbuf_addf(out, "\\u%04X", c);
		else
			strbuf_add(out, &bytes[i], 1);
	}
}

/* One byte inside a string that began with @quote. @escaped: a backslash precedes it,
 * which is written here. */
static void
requote(char c, char quote, bool escaped, struct strbuf *out)
{
	if (escaped && c == '\'')
		strbuf_adds(out, "'");
	else if (escaped || (quote == '\'' && c == '"'))
		strbuf_addf(out, "\\%c", c);
	else
		strbuf_add(out, &c, 1);
}

/* One byte outside of strings. */
static void
lay_out_byte(char c, struct strbuf *out)
{
	if (c == '"' || c == '\'')
		strbuf_adds(out, "\"");
	else if (c == ',' || c == ':')
		strbuf_addf(out, "%c ", c);
	else if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
		strbuf_add(out, &c, 1);
}

void
jstring_lay_out(struct frame_span value, struct strbuf *out)
{
	bool escaped = false;
	char quote = '\0';

	for (size_t i = 0; i < value.len; i++) {
		char c = value.bytes[i];

		if (quote == '\0') {
			quote = c == '"' || c == '\'' ? c : '\0';
			lay_out_byte(c, out);
		} else if (!escaped && c == '\\') {
			escaped = true;
		} else if (!escaped && c == quote) {
			quote = '\0';
			strbuf_adds(out, "\"");
		} else {
			requote(c, quote, escaped, out);
			escaped = false;
		}
	}
}

// SPDX-License-Identifier: MIT
/*
 * Strict INI on top of libinih.
 *
 * Left alone, libinih (checked with 55) goes on with the rest of a line above 199 bytes
 * as if it were the next line, cuts section names at 49 bytes, ignores text behind ']',
 * appends an indented line to the value before it, and tells no line numbers. So lines
 * and sections are cut here and libinih is given key lines only, one at a time: it
 * splits them into key and value. Invariant: every piece it is given makes it call
 * on_ini_value exactly once before it asks for the next.
 */
#include "config.h"

#include "conf/inifile.h"

#include <errno.h>
#include <ini.h>
#include <search.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"

struct reader {
	const char *at; /* the next line */
	const char *end;
	const char *file;
	unsigned int line; /* number of the current line */
	const struct inifile_handler *handler;
	void *owner;
	struct err *e;
	int result;
	char section[INIFILE_SECTION_MAX];
	char key[INIFILE_KEY_MAX];
	char text[INIFILE_LINE_MAX +
		  1];	  /* current line, no blanks around, no comment */
	const char *rest; /* of text, what libinih has not been given yet */
	bool owed; /* libinih has been given a piece and not yet told its value */
	struct strbuf value;
	void *seen; /* tree of struct seen */
};

/* A key that was set, for finding the second time. */
struct seen {
	unsigned int line;
	char name[]; /* "section]key" */
};

static int fail(const struct reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

static int
fail(const struct reader *r, const char *fmt, ...)
{
	char text[sizeof(r->e->text)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(r->e, -EINVAL, r->file, r->line, "%s", text);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Length of the UTF-8 character at @s, 0 when it is none. Overlong forms, surrogates
 * and what is above U+10FFFF are none.
 *
 * Source: Unicode standard, table 3-7.
 */
static size_t
utf8_length(const unsigned char *s, size_t len)
{
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (len < n || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	}
	return n;
}

static int
check_bytes(const struct reader *r, const char *line, size_t len)
{
	const unsigned char *s = (const unsigned char *)line;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		if (s[i] == '\0')
			return fail(r, "NUL byte");
		if ((s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
			return fail(r, "control character 0x%02x", (unsigned int)s[i]);
		n = utf8_length(s + i, len - i);
		if (n == 0)
			return fail(r, "not UTF-8 (byte 0x%02x)", (unsigned int)s[i]);
	}
	return 0;
}

/* Length of @line before its comment and the blanks in front of that. */
static size_t
bare_length(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool opens = i == 0 ? line[i] == ';' || line[i] == '#'
				    : line[i] == ';' && is_blank(line[i - 1]);

		if (opens) {
			len = i;
			break;
		}
	}
	while (len > 0 && is_blank(line[len - 1]))
		len--;
	return len;
}

/* Move on to the next line and leave what counts of it in text. */
static int
cut_line(struct reader *r)
{
	size_t left = (size_t)(r->end - r->at);
	const char *line = r->at;
	const char *newline = memchr(line, '\n', left);
	size_t len = newline != NULL ? (size_t)(newline - line) : left;
	int ret;

	r->line++;
	r->at = newline != NULL ? newline + 1 : r->end;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (len > INIFILE_LINE_MAX)
		return fail(r, "line is longer than %u bytes", INIFILE_LINE_MAX);
	ret = check_bytes(r, line, len);
	if (ret < 0)
		return ret;
	while (len > 0 && is_blank(*line)) {
		line++;
		len--;
	}
	len = bare_length(line, len);
	memcpy(r->text, line, len);
	r->text[len] = '\0';
	return 0;
}

static int
read_section(struct reader *r)
{
	const struct inifile_item item = {
		.file = r->file, .line = r->line, .section = r->section};
	const char *name = r->text + 1;
	size_t len = strcspn(name, "]");

	if (name[len] == '\0')
		return fail(r, "missing ]");
	if (name[len + 1] != '\0')
		return fail(r, "unexpected text after ]");
	if (len >= INIFILE_SECTION_MAX)
		return fail(r, "section name is longer than %u bytes",
			INIFILE_SECTION_MAX - 1);
	memcpy(r->section, name, len);
	r->section[len] = '\0';
	if (len == 0)
		return fail(r, "empty section name");
	return r->handler->on_section(r->owner, &item, r->e);
}

/* Move on to the next line with a key; sections are told on the way. */
static bool
next_key_line(struct reader *r)
{
	while (r->result == 0 && r->at < r->end) {
		r->result = cut_line(r);
		if (r->result < 0 || r->text[0] == '\0')
			continue;
		if (r->text[0] != '[') {
			r->rest = r->text;
			r->key[0] = '\0';
			strbuf_drop(&r->value, r->value.len);
			return true;
		}
		r->result = read_section(r);
	}
	return false;
}

/*
 * Longest piece of @text within @room. A piece that is not the first goes to libinih
 * indented, as the continuation of a value: blanks at the break would be lost, and what
 * begins with ';' or '#' would be taken for a comment. 0: no such place.
 */
static size_t
piece_length(const char *text, size_t room)
{
	size_t n = strlen(text);

	if (n <= room)
		return n;
	n = room;
	while (n > 0 && (is_blank(text[n - 1]) || strchr(" \t;#", text[n]) != NULL))
		n--;
	return n;
}

/* libinih asks for a line: fgets() as it were. */
static char *
on_ini_read(char *buf, int size, void *stream)
{
	struct reader *r = stream;
	bool first;
	size_t n;

	if (r->result == 0 && r->owed)
		r->result = fail(r, "not a line of the form key = value");
	if (r->result < 0)
		return NULL;
	if (*r->rest == '\0' && !next_key_line(r))
		return NULL;
	first = r->rest == r->text;
	n = piece_length(r->rest, (size_t)size - 3); /* blank, newline, NUL */
	if (n == 0) {
		r->result = fail(r, "too many blanks in a row");
		return NULL;
	}
	(void)snprintf(
		buf, (size_t)size, "%s%.*s\n", first ? "" : " ", (int)n, r->rest);
	r->rest += n;
	r->owed = true;
	return buf;
}

static int
compare_seen(const void *a, const void *b)
{
	return strcmp(((const struct seen *)a)->name, ((const struct seen *)b)->name);
}

static int
note_key(struct reader *r)
{
	size_t size = strlen(r->section) + strlen(r->key) + 2;
	struct seen *s = xcalloc(1, sizeof(*s) + size);
	struct seen **node;
	unsigned int line;

	s->line = r->line;
	(void)snprintf(s->name, size, "%s]%s", r->section, r->key);
	node = tsearch(s, &r->seen, compare_seen);
	if (node == NULL)
		abort(); /* out of memory, as xcalloc */
	if (*node == s)
		return 0;
	line = (*node)->line;
	free(s);
	return fail(r, "\"%s\" is already set in line %u", r->key, line);
}

static int
finish_value(struct reader *r)
{
	const struct inifile_item item = {
		.file = r->file,
		.line = r->line,
		.section = r->section,
		.key = r->key,
		.value = strbuf_text(&r->value),
	};
	int ret;

	if (r->section[0] == '\0')
		return fail(r, "\"%s\" is set before the first [section]", r->key);
	ret = note_key(r);
	return ret < 0 ? ret : r->handler->on_value(r->owner, &item, r->e);
}

/* libinih has read a piece: the first of a line, or one more of the same value. */
static int
on_ini_value(void *user, const char *section UNUSED, const char *key, const char *value)
{
	struct reader *r = user;

	r->owed = false;
	if (r->key[0] == '\0') {
		if (key[0] == '\0')
			r->result = fail(r, "no key before =");
		else if (strlen(key) >= INIFILE_KEY_MAX)
			r->result = fail(
				r, "key is longer than %u bytes", INIFILE_KEY_MAX - 1);
		str_copy(r->key, sizeof(r->key), key);
	}
	strbuf_adds(&r->value, value);
	if (r->result == 0 && *r->rest == '\0')
		r->result = finish_value(r);
	return r->result == 0;
}

int
inifile_parse(const char *text, size_t len, const char *file,
	const struct inifile_handler *handler, void *owner, struct err *e)
{
	struct reader r = {
		.at = text,
		.end = text + len,
		.file = file,
		.handler = handler,
		.owner = owner,
		.e = e,
		.rest = "",
	};

	if (len > INIFILE_BYTES_MAX)
		return err_set(e, -EINVAL, file, 0, "file is larger than %u bytes",
			INIFILE_BYTES_MAX);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		r.at += 3;
	if (ini_parse_stream(on_ini_read, &r, on_ini_value, &r) != 0 && r.result == 0)
		r.result = fail(&r, "cannot be read");
	tdestroy(r.seen, free);
	strbuf_fini(&r.value);
	return r.result;
}

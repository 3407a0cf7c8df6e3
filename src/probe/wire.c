// SPDX-License-Identifier: MIT
/*
 * The table below is the whole language: both directions read and write through it. A
 * message is handed out in place (base/lineframe.h). Pure.
 */
#include "config.h"

#include "probe/wire.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "probe/cache.h"

#define WIRE_NUMBERS 4

static const struct lineframe_caps caps = {.line = WIRE_LINE_MAX,
	.buffer = (size_t)CACHE_BYTES_MAX + WIRE_LINE_MAX + (1u << 20),
	.kept = 256u << 10};

enum shape {
	SHAPE_WORD,	/* nothing else */
	SHAPE_TEXT,	/* the rest of the line */
	SHAPE_PROGRESS, /* numbers, and the rest of the line */
	SHAPE_BYTES,	/* a length; so many bytes follow the line */
};

static const struct {
	const char *word;
	enum shape shape;
} table[] = {
	[WIRE_PROGRESS] = {"progress", SHAPE_PROGRESS},
	[WIRE_NOTE] = {"note", SHAPE_TEXT},
	[WIRE_RESULT] = {"result", SHAPE_BYTES},
	[WIRE_DONE] = {"done", SHAPE_WORD},
	[WIRE_FAILED] = {"failed", SHAPE_TEXT},
	[WIRE_KNOWN] = {"known", SHAPE_BYTES},
	[WIRE_AVOID] = {"avoid", SHAPE_TEXT},
	[WIRE_GO] = {"go", SHAPE_WORD},
};

void
wire_init(struct wire *w)
{
	*w = (struct wire){0};
}

void
wire_fini(struct wire *w)
{
	lineframe_fini(&w->frame);
}

int
wire_feed(struct wire *w, const char *bytes, size_t len)
{
	return lineframe_add(&w->frame, &caps, bytes, len);
}

/* The kind of a line, and where the rest of it begins; -1: none of ours. */
static int
find_kind(const char *line, size_t len, size_t *rest)
{
	const char *blank = memchr(line, ' ', len);
	size_t word = blank != NULL ? (size_t)(blank - line) : len;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (strlen(table[i].word) != word ||
			memcmp(table[i].word, line, word) != 0)
			continue;
		*rest = blank != NULL ? word + 1 : len;
		return (int)i;
	}
	return -1;
}

/* A number and the blank or NUL behind it; *text moves on. */
static int
take_number(char **text, unsigned int *out)
{
	size_t n = strcspn(*text, " ");
	char *end = *text + n;
	bool last = *end == '\0';
	uint64_t value;
	int r;

	*end = '\0';
	r = str_parse_uint(*text, UINT_MAX, &value);
	if (r == 0)
		*out = (unsigned int)value;
	*text = last ? end : end + 1;
	return r;
}

static int
read_progress(char *rest, struct wire_message *m)
{
	unsigned int *const numbers[WIRE_NUMBERS] = {
		&m->visits, &m->visits_total, &m->pairs, &m->pairs_total};
	char *end = rest + m->len;

	for (size_t i = 0; i < WIRE_NUMBERS; i++) {
		if (take_number(&rest, numbers[i]) < 0)
			return -EPROTO;
	}
	m->text = rest;
	m->len = (size_t)(end - rest);
	return 0;
}

/* The length of the bytes that follow. */
static int
read_bytes(const char *rest, struct wire_message *m)
{
	uint64_t len;

	if (str_parse_uint(rest, CACHE_BYTES_MAX, &len) < 0)
		return -EPROTO;
	m->len = (size_t)len;
	return 0;
}

/* One line. Of bytes that follow m->len is what it should be. */
static int
read_line(char *line, size_t len, struct wire_message *m)
{
	size_t rest = 0;
	int kind = find_kind(line, len, &rest);

	if (kind < 0)
		return -EPROTO;
	*m = (struct wire_message){.kind = (enum wire_kind)kind};
	m->text = line + rest;
	m->len = len - rest;
	switch (table[kind].shape) {
	case SHAPE_BYTES:
		return read_bytes(line + rest, m);
	case SHAPE_WORD:
		return rest == len && line[len - 1] != ' ' ? 0 : -EPROTO;
	case SHAPE_PROGRESS:
		return read_progress(line + rest, m);
	case SHAPE_TEXT:
		break;
	}
	return 0;
}

int
wire_next(struct wire *w, struct wire_message *out, struct err *e)
{
	struct wire_message m;
	const char *bytes;
	bool has_bytes;
	char *line;
	size_t len;
	int r = lineframe_line(&w->frame, &caps, &line, &len, e);

	if (r != 1)
		return r;
	if (read_line(line, len, &m) < 0)
		return lineframe_refuse(&w->frame, e);
	has_bytes = table[m.kind].shape == SHAPE_BYTES;
	if (!lineframe_take(&w->frame, has_bytes ? m.len : 0, &bytes))
		return 0;
	if (has_bytes)
		m.text = bytes;
	*out = m;
	return 1;
}

/* Room is kept for the word, the numbers and the newline. */
static void
put_text(struct strbuf *out, const char *text, size_t len)
{
	size_t most = WIRE_LINE_MAX - 64;

	strbuf_adds(out, " ");
	for (size_t i = 0; i < len && i < most; i++)
		strbuf_add(out, text[i] == '\n' ? " " : text + i, 1);
}

void
wire_put(struct strbuf *out, const struct wire_message *m)
{
	const char *text = m->text != NULL ? m->text : "";
	size_t len = m->text != NULL ? m->len : 0;

	strbuf_adds(out, table[m->kind].word);
	switch (table[m->kind].shape) {
	case SHAPE_WORD:
		break;
	case SHAPE_PROGRESS:
		strbuf_addf(out, " %u %u %u %u", m->visits, m->visits_total, m->pairs,
			m->pairs_total);
		put_text(out, text, len);
		break;
	case SHAPE_TEXT:
		put_text(out, text, len);
		break;
	case SHAPE_BYTES:
		assert(len <= CACHE_BYTES_MAX);
		strbuf_addf(out, " %zu", len);
		break;
	}
	strbuf_adds(out, "\n");
	if (table[m->kind].shape == SHAPE_BYTES)
		strbuf_add(out, text, len);
}

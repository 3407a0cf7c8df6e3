// SPDX-License-Identifier: MIT
/*
 * The table below is the whole language: both directions read and write through it. A
 * message is handed out in place; memory grows only with bytes that have come, never
 * with a length that was announced. Pure.
 */
#include "config.h"

#include "probe/wire.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "probe/cache.h"

#define WIRE_NUMBERS 4
/* One message, and the read that brought its end. */
#define WIRE_BUFFER_MAX ((size_t)CACHE_BYTES_MAX + WIRE_LINE_MAX + (1u << 20))

/* What an emptied buffer may hold on to. */
#define WIRE_KEPT_MAX (256u << 10)

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
	free(w->buf);
	wire_init(w);
}

int
wire_feed(struct wire *w, const char *bytes, size_t len)
{
	size_t kept = w->len - w->done;

	if (w->status < 0)
		return w->status;
	if (len > WIRE_BUFFER_MAX - kept) {
		w->status = -EPROTO;
		return w->status;
	}
	if (w->done > 0) {
		memmove(w->buf, w->buf + w->done, kept);
		w->len = kept;
		w->done = 0;
	}
	if (w->len == 0 && w->cap > WIRE_KEPT_MAX) {
		free(w->buf);
		w->buf = NULL;
		w->cap = 0;
	}
	if (len > w->cap - w->len) {
		w->cap = w->len + len > 2 * w->cap ? w->len + len : 2 * w->cap;
		w->buf = xrealloc(w->buf, w->cap, 1);
	}
	if (len > 0)
		memcpy(w->buf + w->len, bytes, len);
	w->len += len;
	return 0;
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
	return 1;
}

/* The line ended at w->buf[after - 1]; its bytes follow. */
static int
read_bytes(struct wire *w, const char *rest, size_t after, struct wire_message *m)
{
	uint64_t len;

	if (str_parse_uint(rest, CACHE_BYTES_MAX, &len) < 0)
		return -EPROTO;
	if (w->len - after < len)
		return 0;
	m->text = w->buf + after;
	m->len = (size_t)len;
	w->done = after + (size_t)len;
	return 1;
}

/* One line, its newline already a NUL. Returns as wire_next. */
static int
read_line(struct wire *w, char *line, size_t len, struct wire_message *m)
{
	size_t after = (size_t)(line - w->buf) + len + 1;
	size_t rest = 0;
	int kind = find_kind(line, len, &rest);
	int r = 1;

	if (kind < 0)
		return -EPROTO;
	*m = (struct wire_message){.kind = (enum wire_kind)kind};
	m->text = line + rest;
	m->len = len - rest;
	switch (table[kind].shape) {
	case SHAPE_BYTES:
		return read_bytes(w, line + rest, after, m);
	case SHAPE_WORD:
		r = rest == len && line[len - 1] != ' ' ? 1 : -EPROTO;
		break;
	case SHAPE_PROGRESS:
		r = read_progress(line + rest, m);
		break;
	case SHAPE_TEXT:
		break;
	}
	if (r == 1)
		w->done = after;
	return r;
}

static int
refuse(struct wire *w, const char *line, size_t len, struct err *e)
{
	w->status = -EPROTO;
	return err_set(e, -EPROTO, NULL, 0, "not a message: '%.*s'",
		(int)(len > 60 ? 60 : len), len > 0 ? line : "");
}

int
wire_next(struct wire *w, struct wire_message *out, struct err *e)
{
	size_t len = w->len - w->done;
	size_t most = len < WIRE_LINE_MAX ? len : WIRE_LINE_MAX;
	struct wire_message m;
	char *line;
	char *end;
	int r;

	if (w->status < 0)
		return err_set(e, w->status, NULL, 0, "not what was agreed upon");
	if (most == 0)
		return 0; /* there may be no buffer yet */
	line = w->buf + w->done;
	end = memchr(line, '\n', most);
	if (end == NULL && most == WIRE_LINE_MAX)
		return refuse(w, line, most, e);
	if (end == NULL)
		return 0;
	*end = '\0';
	len = (size_t)(end - line);
	r = memchr(line, '\0', len) == NULL ? read_line(w, line, len, &m) : -EPROTO;
	if (r < 0)
		return refuse(w, line, len, e);
	if (r == 0)
		*end = '\n'; /* looked at again when the bytes are there */
	else
		*out = m;
	return r;
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

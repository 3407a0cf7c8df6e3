// SPDX-License-Identifier: MIT
/*
 * Brackets must match and strings may hold no control characters: then each object is
 * one line, however it came. On the top level members are written anew, with the
 * separators of QEMU, so that one can be left out; values pass as they are. Pure.
 */
#include "config.h"

#include "qmp/reply.h"

#include <errno.h>
#include <string.h>

enum where {
	WHERE_BETWEEN, /* objects */
	WHERE_BEFORE_KEY,
	WHERE_IN_KEY,
	WHERE_BEFORE_COLON,
	WHERE_BEFORE_VALUE,
	WHERE_IN_VALUE,
};

struct sink {
	const char *id;
	struct strbuf *out;
	const char *from; /* of a run of bytes that pass as they are; NULL: none */
};

static void
put(const struct sink *to, const char *bytes, size_t len)
{
	if (to->out != NULL)
		strbuf_add(to->out, bytes, len);
}

static void
put_text(const struct sink *to, const char *text)
{
	put(to, text, strlen(text));
}

/* The run ends before @at. */
static void
flush_run(struct sink *to, const char *at)
{
	if (to->from != NULL)
		put(to, to->from, (size_t)(at - to->from));
	to->from = NULL;
}

static enum reply_step
broken(struct err *e, const char *what)
{
	(void)err_set(e, -EPROTO, NULL, 0, "not QMP: %s", what);
	return REPLY_BROKEN;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static enum reply_kind
kind_of(const char *key)
{
	static const struct {
		const char *key;
		enum reply_kind kind;
	} kinds[] = {
		{"QMP", REPLY_GREETING},
		{"return", REPLY_RETURN},
		{"error", REPLY_ERROR},
		{"event", REPLY_EVENT},
		{"timestamp", REPLY_EVENT},
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].key, key) == 0)
			return kinds[i].kind;
	}
	return REPLY_UNKNOWN;
}

static bool
is_answer(const struct reply *r)
{
	return r->kind == REPLY_RETURN || r->kind == REPLY_ERROR;
}

static void
put_key(struct reply *r, const struct sink *to, const char *key)
{
	put_text(to, r->members == 0 ? "{\"" : ", \"");
	put_text(to, key);
	put_text(to, "\": ");
	r->members++;
}

static void
put_id(struct reply *r, const struct sink *to)
{
	if (to->id == NULL || !is_answer(r))
		return;
	put_key(r, to, "id");
	put_text(to, to->id);
}

/* The colon behind a key. Only replies have ids; with others it is a member like any.
 */
static enum reply_step
on_key(struct reply *r, const struct sink *to, struct err *e)
{
	bool known = r->kind != REPLY_UNKNOWN;

	r->where = WHERE_BEFORE_VALUE;
	r->in_id = strcmp(r->word, "id") == 0 && (!known || is_answer(r));
	if (r->in_id && r->has_id)
		return broken(e, "two ids in one reply");
	if (r->in_id) {
		r->has_id = true;
		if (known)
			put_id(r, to);
		return REPLY_MORE;
	}
	if (!known) {
		r->kind = kind_of(r->word);
		return r->kind == REPLY_UNKNOWN ? broken(e, "an unknown message")
						: REPLY_BEGINS;
	}
	put_key(r, to, r->word);
	return REPLY_MORE;
}

/* The first call after REPLY_BEGINS: now it is known where to. */
static void
begin(struct reply *r, const struct sink *to)
{
	if (r->has_id)
		put_id(r, to);
	put_key(r, to, r->word);
}

static enum reply_step
open_bracket(struct reply *r, char c, struct err *e)
{
	uint8_t *byte = &r->is_array[r->depth / 8];
	unsigned int bit = 1u << r->depth % 8;

	if (r->depth == REPLY_DEPTH_MAX)
		return broken(e, "nested too deeply");
	*byte = (uint8_t)(c == '[' ? *byte | bit : *byte & ~bit);
	r->depth++;
	return REPLY_MORE;
}

static enum reply_step
close_bracket(struct reply *r, char c, struct err *e)
{
	unsigned int level = r->depth - 1;
	bool array = (r->is_array[level / 8] >> level % 8 & 1) != 0;

	if (array != (c == ']'))
		return broken(e, "brackets that do not match");
	r->depth--;
	return REPLY_MORE;
}

static enum reply_step
end_object(struct reply *r, const struct sink *to, struct err *e)
{
	if (r->kind == REPLY_UNKNOWN)
		return broken(e, "an object without a known member");
	put_text(to, "}\r\n");
	r->where = WHERE_BETWEEN;
	r->depth = 0;
	r->ended = true;
	return REPLY_ENDS;
}

static void
keep_id(struct reply *r, char c)
{
	if (r->id_len + 1 < sizeof(r->id))
		r->id[r->id_len] = c;
	else
		r->id[0] = '\0';
	r->id_len++;
}

/* A byte of a value that is put out or kept. */
static void
pass(struct reply *r, const char *at, struct sink *to)
{
	if (r->in_id)
		keep_id(r, *at);
	else if (to->from == NULL)
		to->from = at;
}

static enum reply_step
in_string(struct reply *r, const char *at, struct sink *to, struct err *e)
{
	if ((unsigned char)*at < 0x20)
		return broken(e, "a control character in a string");
	pass(r, at, to);
	if (r->escaped)
		r->escaped = false;
	else if (*at == '\\')
		r->escaped = true;
	else
		r->quoted = *at != '"';
	return REPLY_MORE;
}

/* The end of a value of the top level, by a comma or the last bracket. */
static enum reply_step
end_value(struct reply *r, const char *at, struct sink *to, struct err *e)
{
	flush_run(to, at);
	r->in_id = false;
	r->where = WHERE_BEFORE_KEY;
	r->word_len = 0;
	return *at == '}' ? end_object(r, to, e) : REPLY_MORE;
}

/* Outside of strings. */
static enum reply_step
in_value(struct reply *r, const char *at, struct sink *to, struct err *e)
{
	enum reply_step step = REPLY_MORE;
	char c = *at;

	if (r->depth == 1 && (c == ',' || c == '}'))
		return end_value(r, at, to, e);
	if (is_blank(c) && (r->depth == 1 || c != ' ')) {
		flush_run(to, at);
		return REPLY_MORE;
	}
	if ((unsigned char)c < 0x20)
		return broken(e, "a control character");
	if (c == '{' || c == '[')
		step = open_bracket(r, c, e);
	else if (c == '}' || c == ']')
		step = close_bracket(r, c, e);
	r->quoted = c == '"';
	if (step == REPLY_MORE)
		pass(r, at, to);
	return step;
}

static enum reply_step
in_key(struct reply *r, char c, struct err *e)
{
	if (c == '"') {
		r->word[r->word_len] = '\0';
		r->where = WHERE_BEFORE_COLON;
		return REPLY_MORE;
	}
	if ((unsigned char)c < 0x20 || c == '\\' || r->word_len + 1 >= REPLY_WORD_MAX)
		return broken(e, "a strange key");
	r->word[r->word_len++] = c;
	return REPLY_MORE;
}

static enum reply_step
between(struct reply *r, char c, struct err *e)
{
	if (is_blank(c))
		return REPLY_MORE;
	if (c != '{')
		return broken(e, "something else than an object");
	r->where = WHERE_BEFORE_KEY;
	r->depth = 1;
	return REPLY_MORE;
}

static enum reply_step
before_key(struct reply *r, char c, struct err *e)
{
	if (c == '"')
		r->where = WHERE_IN_KEY;
	else if (!is_blank(c))
		return broken(e, "no key where one should be");
	return REPLY_MORE;
}

static enum reply_step
before_value(struct reply *r, const char *at, struct sink *to, struct err *e)
{
	if (is_blank(*at))
		return REPLY_MORE;
	if (*at == ',' || *at == '}' || *at == ']')
		return broken(e, "no value where one should be");
	r->where = WHERE_IN_VALUE;
	return in_value(r, at, to, e);
}

static enum reply_step
step(struct reply *r, const char *at, struct sink *to, struct err *e)
{
	switch ((enum where)r->where) {
	case WHERE_BETWEEN:
		return between(r, *at, e);
	case WHERE_BEFORE_KEY:
		return before_key(r, *at, e);
	case WHERE_IN_KEY:
		return in_key(r, *at, e);
	case WHERE_BEFORE_COLON:
		if (*at == ':')
			return on_key(r, to, e);
		return is_blank(*at) ? REPLY_MORE : broken(e, "no colon behind a key");
	case WHERE_BEFORE_VALUE:
		return before_value(r, at, to, e);
	case WHERE_IN_VALUE:
		break;
	}
	return r->quoted ? in_string(r, at, to, e) : in_value(r, at, to, e);
}

enum reply_step
reply_feed(struct reply *r, struct frame_span *in, const char *id, struct strbuf *out,
	struct err *e)
{
	struct sink to = {.id = id, .out = out};
	enum reply_step told = REPLY_MORE;

	if (r->ended)
		*r = (struct reply){0};
	if (r->where == WHERE_BEFORE_VALUE && r->kind != REPLY_UNKNOWN &&
		r->members == 0 && !r->in_id)
		begin(r, &to);
	while (told == REPLY_MORE && in->len > 0) {
		told = step(r, in->bytes, &to, e);
		in->bytes++;
		in->len--;
	}
	flush_run(&to, told == REPLY_BROKEN ? in->bytes - 1 : in->bytes);
	if (r->ended)
		r->id[r->id_len < sizeof(r->id) ? r->id_len : 0] = '\0';
	return told;
}

bool
reply_is_partial(const struct reply *r)
{
	return r->where != WHERE_BETWEEN;
}

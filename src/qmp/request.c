// SPDX-License-Identifier: MIT
/*
 * A push-down automaton over tokens. As in QEMU, a message ends where its brackets
 * balance (or close more than was opened), and only then is an error of grammar told;
 * a byte that fits nowhere is told at once, and what came before it is forgotten. Pure.
 */
#include "config.h"

#include "qmp/request.h"

#include <string.h>

#include "qmp/jstring.h"
#include "qmp/member.h"

enum expected {
	EXPECT_VALUE,
	EXPECT_FIRST_KEY, /* or the end of the object */
	EXPECT_KEY,
	EXPECT_COLON,
	EXPECT_PAIR_END,
	EXPECT_FIRST_ITEM, /* or the end of the array */
	EXPECT_ITEM_END,
	EXPECT_NOTHING, /* whole, or wrong */
};

/* Of rubbish that is quoted in an error; QEMU quotes it all. */
#define QUOTE_MAX 64u

static void
start_over(struct request *r)
{
	r->id = (struct frame_span){0};
	r->arguments = (struct frame_span){0};
	r->name[0] = '\0';
	strbuf_fini(&r->desc);
	strbuf_fini(&r->text);
	r->tokens = 0;
	r->braces = 0;
	r->brackets = 0;
	r->depth = 0;
	r->expected = EXPECT_VALUE;
	r->given = false;
}

static struct frame_span
token_text(const struct request *r)
{
	return (struct frame_span){r->text.s + r->token_at, r->text.len - r->token_at};
}

/* The first fault counts. Returns what ends the grammar's work. */
static enum expected
wrong(struct request *r, const char *fault)
{
	if (r->desc.len == 0)
		strbuf_addf(&r->desc, "JSON parse error, %s", fault);
	return EXPECT_NOTHING;
}

static enum expected
wrong_at(struct request *r, const char *before, struct frame_span at, const char *after)
{
	size_t len = strnlen(at.bytes, at.len < QUOTE_MAX ? at.len : QUOTE_MAX);

	if (r->desc.len > 0)
		return EXPECT_NOTHING;
	strbuf_addf(&r->desc, "JSON parse error, %s", before);
	jstring_escape(at.bytes, len, &r->desc);
	strbuf_adds(&r->desc, after);
	return EXPECT_NOTHING;
}

static bool
is_in_array(const struct request *r)
{
	unsigned int level = r->depth - 1;

	return (r->is_array[level / 8] >> level % 8 & 1) != 0;
}

static enum expected
after_value(const struct request *r)
{
	if (r->depth == 0)
		return EXPECT_NOTHING;
	return is_in_array(r) ? EXPECT_ITEM_END : EXPECT_PAIR_END;
}

static enum expected
push(struct request *r, bool array)
{
	uint8_t *byte = &r->is_array[r->depth / 8];
	unsigned int bit = 1u << r->depth % 8;

	*byte = (uint8_t)(array ? *byte | bit : *byte & ~bit);
	r->depth++;
	return array ? EXPECT_FIRST_ITEM : EXPECT_FIRST_KEY;
}

static enum expected
pop(struct request *r)
{
	r->depth--;
	return after_value(r);
}

static enum expected
on_word(struct request *r)
{
	static const char *const words[] = {"true", "false", "null"};
	struct frame_span text = token_text(r);

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (text.len == strlen(words[i]) &&
			memcmp(text.bytes, words[i], text.len) == 0)
			return after_value(r);
	}
	return wrong_at(r, "invalid keyword '", text, "'");
}

/* @next: what follows a string that is right. */
static enum expected
on_string(struct request *r, enum expected next)
{
	const char *fault;
	struct frame_span bad;

	if (jstring_check(token_text(r), &fault, &bad) == 0)
		return next;
	if (bad.len == 0)
		return wrong(r, fault);
	return wrong_at(r, "", bad, " is not a valid Unicode character");
}

static enum expected
on_value(struct request *r, enum token_kind kind)
{
	switch (kind) {
	case TOKEN_OBJECT_BEGIN:
	case TOKEN_ARRAY_BEGIN:
		return push(r, kind == TOKEN_ARRAY_BEGIN);
	case TOKEN_STRING:
		return on_string(r, after_value(r));
	case TOKEN_WORD:
		return on_word(r);
	case TOKEN_NUMBER:
		return after_value(r);
	default:
		return wrong(r, "expecting value");
	}
}

static enum expected
on_key(struct request *r, enum token_kind kind)
{
	if (kind == TOKEN_STRING)
		return on_string(r, EXPECT_COLON);
	if (kind == TOKEN_COLON || kind == TOKEN_COMMA || kind == TOKEN_OBJECT_END ||
		kind == TOKEN_ARRAY_END)
		return wrong(r, "expecting value");
	return wrong(r, "key is not a string in object");
}

static enum expected
follow_grammar(struct request *r, enum token_kind kind)
{
	switch ((enum expected)r->expected) {
	case EXPECT_FIRST_KEY:
		return kind == TOKEN_OBJECT_END ? pop(r) : on_key(r, kind);
	case EXPECT_KEY:
		return on_key(r, kind);
	case EXPECT_COLON:
		return kind == TOKEN_COLON ? EXPECT_VALUE
					   : wrong(r, "missing : in object pair");
	case EXPECT_PAIR_END:
		if (kind == TOKEN_OBJECT_END)
			return pop(r);
		return kind == TOKEN_COMMA ? EXPECT_KEY
					   : wrong(r, "expected separator in dict");
	case EXPECT_ITEM_END:
		if (kind == TOKEN_ARRAY_END)
			return pop(r);
		return kind == TOKEN_COMMA ? EXPECT_VALUE
					   : wrong(r, "expected separator in list");
	case EXPECT_FIRST_ITEM:
		return kind == TOKEN_ARRAY_END ? pop(r) : on_value(r, kind);
	case EXPECT_VALUE:
		return on_value(r, kind);
	case EXPECT_NOTHING:
		break;
	}
	return EXPECT_NOTHING;
}

static enum request_verdict
refuse(struct request *r, const char *before, const char *what, const char *after)
{
	strbuf_fini(&r->desc);
	strbuf_adds(&r->desc, before);
	jstring_escape(what, strlen(what), &r->desc);
	strbuf_adds(&r->desc, after);
	return REQUEST_REFUSED;
}

/* The members of a well formed object. */
static const struct known {
	const char *key;
	char first; /* of its value: a string or an object */
	const char *must_be;
} known[] = {
	{"execute", '"', "' must be a string"},
	{"arguments", '{', "' must be an object"},
	{"id", '\0', NULL},
};

static enum request_verdict
on_member(struct request *r, const char *key, struct frame_span value,
	struct frame_span found[ARRAY_LEN(known)])
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		char first = value.bytes[0] == '\'' ? '"' : value.bytes[0];

		if (strcmp(known[i].key, key) != 0)
			continue;
		if (found[i].len > 0)
			return refuse(r, "JSON parse error, duplicate key", "", "");
		found[i] = value;
		if (known[i].must_be != NULL && known[i].first != first)
			(void)refuse(r, "QMP input member '", key, known[i].must_be);
		return REQUEST_NONE;
	}
	if (r->desc.len == 0)
		(void)refuse(r, "QMP input member '", key, "' is unexpected");
	return REQUEST_NONE;
}

/* The object is well formed; is it a command? */
static enum request_verdict
judge(struct request *r)
{
	struct member_walk walk = {{r->text.s, r->text.len}};
	struct frame_span found[ARRAY_LEN(known)] = {{0}};
	struct frame_span key;
	struct frame_span value;
	char name[REQUEST_NAME_MAX];

	while (member_next(&walk, &key, &value)) {
		if (jstring_decode(key, name, sizeof(name)) < 0)
			strcpy(name, "...");
		if (on_member(r, name, value, found) != REQUEST_NONE)
			return REQUEST_REFUSED;
	}
	if (found[2].len > REQUEST_ID_MAX)
		return refuse(r, "QMP input member 'id' is too long", "", "");
	r->id = found[2];
	if (r->desc.len > 0)
		return REQUEST_REFUSED;
	if (found[0].len == 0)
		return refuse(r, "QMP input lacks member 'execute'", "", "");
	if (jstring_decode(found[0], r->name, sizeof(r->name)) < 0)
		r->name[0] = '\0';
	r->arguments = found[1];
	return REQUEST_COMMAND;
}

static enum request_verdict
on_message(struct request *r)
{
	r->given = true;
	if (r->desc.len > 0)
		return REQUEST_REFUSED;
	if (r->text.s[0] != '{')
		return refuse(r, "QMP input must be a JSON object", "", "");
	return judge(r);
}

static enum request_verdict
on_token(struct request *r, enum token_kind kind)
{
	if (kind == TOKEN_STRAY) {
		strbuf_fini(&r->desc);
		(void)wrong_at(r, "stray '", token_text(r), "'");
		r->given = true;
		return REQUEST_REFUSED;
	}
	r->braces += (kind == TOKEN_OBJECT_BEGIN) - (kind == TOKEN_OBJECT_END);
	r->brackets += (kind == TOKEN_ARRAY_BEGIN) - (kind == TOKEN_ARRAY_END);
	r->given = true;
	if (++r->tokens > REQUEST_TOKENS_MAX)
		return refuse(r, "JSON token count limit exceeded", "", "");
	if (r->braces + r->brackets > (int)REQUEST_DEPTH_MAX)
		return refuse(r, "JSON nesting depth limit exceeded", "", "");
	r->given = false;
	r->expected = follow_grammar(r, kind);
	if ((r->braces > 0 || r->brackets > 0) && r->braces >= 0 && r->brackets >= 0)
		return REQUEST_NONE;
	return on_message(r);
}

/* One byte, perhaps the end of a token and another token; @taken: false when it belongs
 * to the next message. */
static enum request_verdict
step(struct request *r, char c, bool *taken)
{
	enum request_verdict verdict = REQUEST_NONE;
	enum token_state before;
	enum token_kind kind;
	bool again = true;

	while (again && verdict == REQUEST_NONE) {
		before = r->token.state;
		kind = token_step(&r->token, c, &again);
		if (!again && (r->text.len > 0 || kind != TOKEN_NONE ||
				      (r->token.state != TOKEN_BETWEEN &&
					      r->token.state != TOKEN_LOST))) {
			if (before == TOKEN_BETWEEN)
				r->token_at = r->text.len;
			strbuf_add(&r->text, &c, 1);
		}
		if (kind != TOKEN_NONE)
			verdict = on_token(r, kind);
	}
	*taken = !again;
	return verdict;
}

enum request_verdict
request_feed(struct request *r, struct frame_span *in)
{
	enum request_verdict verdict = REQUEST_NONE;
	bool taken;

	if (r->given)
		start_over(r);
	while (in->len > 0 && verdict == REQUEST_NONE) {
		verdict = step(r, in->bytes[0], &taken);
		in->bytes += taken;
		in->len -= taken;
		if (r->text.len > REQUEST_BYTES_MAX) {
			r->given = true;
			(void)refuse(r, "JSON token size limit exceeded", "", "");
			return REQUEST_TOO_LONG;
		}
	}
	return verdict;
}

void
request_format(const struct request *r, const char *id, struct strbuf *out)
{
	const char *text = r->text.s;
	size_t before = r->text.len - 1; /* the last bracket */
	size_t after = before;

	if (r->id.len > 0) {
		before = (size_t)(r->id.bytes - text);
		after = before + r->id.len;
	}
	strbuf_add(out, text, before);
	strbuf_addf(out, "%s%s", r->id.len > 0 ? "" : ",\"id\":", id);
	strbuf_add(out, text + after, r->text.len - after);
}

/* "info" and a blank or the end, behind blanks. */
static bool
is_hmp_info(struct frame_span arguments)
{
	struct frame_span value;
	char line[REQUEST_NAME_MAX * 4];
	const char *word;

	if (!member_find(arguments, "command-line", &value) ||
		jstring_decode(value, line, sizeof(line)) < 0)
		return false;
	word = line + strspn(line, " \t");
	return str_has_prefix(word, "info") &&
	       (word[4] == '\0' || word[4] == ' ' || word[4] == '\t');
}

bool
request_may_change(const struct request *r)
{
	if (strcmp(r->name, "human-monitor-command") == 0)
		return !is_hmp_info(r->arguments);
	return !str_has_prefix(r->name, "query-") && strcmp(r->name, "qom-get") != 0 &&
	       !str_has_prefix(r->name, "qom-list") &&
	       strcmp(r->name, "qmp_capabilities") != 0;
}

void
request_fini(struct request *r)
{
	start_over(r);
}

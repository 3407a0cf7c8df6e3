// SPDX-License-Identifier: MIT
/* Quotes and brackets are counted; what is between them is the checker's matter. Pure.
 */
#include "config.h"

#include "qmp/member.h"

#include <string.h>

#include "qmp/jstring.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
skip(struct frame_span *s, size_t n)
{
	s->bytes += n;
	s->len -= n;
}

/* Blanks and @extra before what comes next. */
static void
skip_to_next(struct frame_span *s, const char *extra)
{
	while (s->len > 0 &&
		(is_blank(s->bytes[0]) ||
			(s->bytes[0] != '\0' && strchr(extra, s->bytes[0]) != NULL)))
		skip(s, 1);
}

/* Length of the string at the front, quotes included. */
static size_t
string_length(struct frame_span s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.bytes[i] == '\\')
			i++;
		else if (s.bytes[i] == s.bytes[0])
			return i + 1;
	}
	return s.len;
}

static bool
is_quote(char c)
{
	return c == '"' || c == '\'';
}

/* Length of the value at the front. */
static size_t
value_length(struct frame_span s)
{
	unsigned int depth = 0;
	size_t i = 0;

	while (i < s.len) {
		char c = s.bytes[i];

		if (depth == 0 && (c == ',' || c == '}' || c == ']' || is_blank(c)))
			return i;
		if (is_quote(c)) {
			i += string_length((struct frame_span){s.bytes + i, s.len - i});
		} else {
			depth += c == '{' || c == '[';
			depth -= c == '}' || c == ']';
			i++;
		}
		if (depth == 0 && (is_quote(c) || c == '}' || c == ']'))
			return i;
	}
	return s.len;
}

bool
member_next(struct member_walk *w, struct frame_span *key, struct frame_span *value)
{
	struct frame_span s = w->rest;
	struct frame_span k;

	skip_to_next(&s, "{,");
	if (s.len == 0 || !is_quote(s.bytes[0]))
		return false;
	k = (struct frame_span){s.bytes, string_length(s)};
	skip(&s, k.len);
	skip_to_next(&s, ":");
	if (s.len == 0)
		return false;
	*key = k;
	*value = (struct frame_span){s.bytes, value_length(s)};
	skip(&s, value->len);
	w->rest = s;
	return true;
}

bool
member_first_item(struct frame_span array, struct frame_span *item)
{
	struct frame_span s = array;

	if (s.len == 0 || s.bytes[0] != '[')
		return false;
	skip(&s, 1);
	skip_to_next(&s, "");
	if (s.len == 0 || s.bytes[0] == ']')
		return false;
	*item = (struct frame_span){s.bytes, value_length(s)};
	return true;
}

bool
member_find(struct frame_span object, const char *key, struct frame_span *value)
{
	struct member_walk walk = {object};
	struct frame_span k;
	struct frame_span v;
	char name[64];

	if (object.len == 0 || object.bytes[0] != '{')
		return false;
	while (member_next(&walk, &k, &v)) {
		if (jstring_decode(k, name, sizeof(name)) < 0 || strcmp(name, key) != 0)
			continue;
		*value = v;
		return true;
	}
	return false;
}

// SPDX-License-Identifier: MIT
/*
 * Behaviour as observed on QEMU 7.2: numbers and words end at the first byte that does
 * not continue them, "01" and "1.}" are rubbish up to and with their last byte, and
 * after rubbish a control character, a bracket, a comma or a colon begins anew. Pure.
 */
#include "config.h"

#include "qmp/token.h"

#include <string.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20;
}

/* Never in a text, not even in a string: a way to make the reader start anew. */
static bool
is_reset(char c)
{
	return (unsigned char)c >= 0xfe;
}

static enum token_kind
go_on(struct token *t, enum token_state state)
{
	t->state = state;
	return TOKEN_NONE;
}

static enum token_kind
end(struct token *t, enum token_kind kind)
{
	t->state = kind == TOKEN_STRAY ? TOKEN_LOST : TOKEN_BETWEEN;
	return kind;
}

static enum token_kind
end_before(struct token *t, enum token_kind kind, bool *again)
{
	*again = true;
	return end(t, kind);
}

static enum token_kind
begin(struct token *t, char c)
{
	static const char brackets[] = "{}[]:,";
	const char *found = c == '\0' ? NULL : strchr(brackets, c);

	if (found != NULL)
		return (enum token_kind)(TOKEN_OBJECT_BEGIN + (found - brackets));
	if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
		return TOKEN_NONE;
	if (c == '"' || c == '\'') {
		t->quote = c;
		return go_on(t, TOKEN_IN_STRING);
	}
	if (c == '-')
		return go_on(t, TOKEN_IN_MINUS);
	if (is_digit(c))
		return go_on(t, c == '0' ? TOKEN_IN_ZERO : TOKEN_IN_DIGITS);
	if (c >= 'a' && c <= 'z')
		return go_on(t, TOKEN_IN_WORD);
	return end(t, TOKEN_STRAY);
}

static enum token_kind
in_string(struct token *t, char c)
{
	if (is_control(c) || is_reset(c))
		return end(t, TOKEN_STRAY);
	if (t->state == TOKEN_IN_ESCAPE)
		return go_on(t, TOKEN_IN_STRING);
	if (c == '\\')
		return go_on(t, TOKEN_IN_ESCAPE);
	return c == t->quote ? end(t, TOKEN_STRING) : TOKEN_NONE;
}

/* Where a digit must follow. */
static enum token_kind
before_digit(struct token *t, char c)
{
	if (t->state == TOKEN_IN_E && (c == '+' || c == '-'))
		return go_on(t, TOKEN_IN_SIGN);
	if (!is_digit(c))
		return end(t, TOKEN_STRAY);
	if (t->state == TOKEN_IN_MINUS)
		return go_on(t, c == '0' ? TOKEN_IN_ZERO : TOKEN_IN_DIGITS);
	return go_on(
		t, t->state == TOKEN_IN_POINT ? TOKEN_IN_FRACTION : TOKEN_IN_EXPONENT);
}

/* Where a number may end. */
static enum token_kind
in_number(struct token *t, char c, bool *again)
{
	if (is_digit(c))
		return t->state == TOKEN_IN_ZERO ? end(t, TOKEN_STRAY) : TOKEN_NONE;
	if (c == '.' && (t->state == TOKEN_IN_ZERO || t->state == TOKEN_IN_DIGITS))
		return go_on(t, TOKEN_IN_POINT);
	if ((c == 'e' || c == 'E') && t->state != TOKEN_IN_EXPONENT)
		return go_on(t, TOKEN_IN_E);
	return end_before(t, TOKEN_NUMBER, again);
}

enum token_kind
token_step(struct token *t, char byte, bool *again)
{
	*again = false;
	switch (t->state) {
	case TOKEN_BETWEEN:
		return begin(t, byte);
	case TOKEN_IN_STRING:
	case TOKEN_IN_ESCAPE:
		return in_string(t, byte);
	case TOKEN_IN_MINUS:
	case TOKEN_IN_POINT:
	case TOKEN_IN_E:
	case TOKEN_IN_SIGN:
		return before_digit(t, byte);
	case TOKEN_IN_ZERO:
	case TOKEN_IN_DIGITS:
	case TOKEN_IN_FRACTION:
	case TOKEN_IN_EXPONENT:
		return in_number(t, byte, again);
	case TOKEN_IN_WORD:
		if (byte >= 'a' && byte <= 'z')
			return TOKEN_NONE;
		return end_before(t, TOKEN_WORD, again);
	case TOKEN_LOST:
		break;
	}
	if (is_control(byte) || is_reset(byte) || strchr("{}[]:,", byte) != NULL)
		return end_before(t, TOKEN_NONE, again);
	return TOKEN_NONE;
}

// SPDX-License-Identifier: MIT
/*
 * The tokens of what a client sends, found as QEMU finds them: the same bytes are cut
 * at the same places, and after rubbish both go on at the same byte. Were that not so,
 * QEMU could see two commands where we forwarded one. Pure.
 */
#ifndef QMPIN_QMP_TOKEN_H
#define QMPIN_QMP_TOKEN_H

#include <stdbool.h>

enum token_kind {
	TOKEN_NONE, /* not at its end yet, or a blank */
	TOKEN_OBJECT_BEGIN,
	TOKEN_OBJECT_END,
	TOKEN_ARRAY_BEGIN,
	TOKEN_ARRAY_END,
	TOKEN_COLON,
	TOKEN_COMMA,
	TOKEN_STRING,
	TOKEN_NUMBER,
	TOKEN_WORD,
	TOKEN_STRAY, /* ends in a byte that fits nowhere */
};

enum token_state {
	TOKEN_BETWEEN,
	TOKEN_IN_STRING,
	TOKEN_IN_ESCAPE,
	TOKEN_IN_MINUS,
	TOKEN_IN_ZERO,
	TOKEN_IN_DIGITS,
	TOKEN_IN_POINT,
	TOKEN_IN_FRACTION,
	TOKEN_IN_E,
	TOKEN_IN_SIGN,
	TOKEN_IN_EXPONENT,
	TOKEN_IN_WORD,
	TOKEN_LOST, /* behind rubbish: nothing counts up to a byte that may begin anew
		     */
};

/* Zero-initialise. */
struct token {
	enum token_state state;
	char quote; /* of the string we are in */
};

/**
 * One byte.
 *
 * @again  set to true when the byte ends a token but is not part of it: it is to be
 *         given once more
 *
 * Returns what ended with or before this byte.
 */
enum token_kind token_step(struct token *t, char byte, bool *again);

#endif

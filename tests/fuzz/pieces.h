// SPDX-License-Identifier: MIT
/*
 * Messages out of a stream: any bytes, in pieces of any size (the first byte says
 * which). What comes out are messages that survive being said again, and pieces change
 * nothing.
 */
#ifndef QMPIN_FUZZ_PIECES_H
#define QMPIN_FUZZ_PIECES_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"

/* What reads the stream; @reader is zeroed memory of that size at first. */
struct pieces_of {
	size_t size;
	void (*fini)(void *reader);
	int (*feed)(void *reader, const char *bytes, size_t len);
	/* Take the next message out and say it again. Returns 1, 0 or -EPROTO. */
	int (*echo)(void *reader, struct strbuf *out);
};

/* Returns the last answer. */
static inline int
pieces_echo(const struct pieces_of *of, const uint8_t *data, size_t size, size_t piece,
	struct strbuf *out)
{
	auto_free void *reader = xcalloc(1, of->size);
	int r = 0;

	for (size_t at = 0; at < size && r == 0; at += piece) {
		size_t len = size - at < piece ? size - at : piece;
		auto_free char *copy = xmemdupz((const char *)data + at, len);

		r = of->feed(reader, copy, len);
		assert(r == 0);
		while ((r = of->echo(reader, out)) == 1)
			continue;
	}
	of->fini(reader);
	return r;
}

static inline void
pieces_same(const struct strbuf *a, const struct strbuf *b)
{
	assert(a->len == b->len);
	assert(a->len == 0 || memcmp(a->s, b->s, a->len) == 0);
}

static inline void
pieces_check(const struct pieces_of *of, const uint8_t *data, size_t size)
{
	struct strbuf whole = {0};
	struct strbuf pieces = {0};
	struct strbuf again = {0};
	int in_pieces;
	int r;

	if (size == 0)
		return;
	r = pieces_echo(of, data + 1, size - 1, size, &whole);
	in_pieces = pieces_echo(of, data + 1, size - 1, data[0] % 16 + 1u, &pieces);
	assert(in_pieces == r);
	pieces_same(&whole, &pieces);
	r = pieces_echo(of, (const uint8_t *)strbuf_text(&whole), whole.len,
		whole.len + 1, &again);
	assert(r == 0);
	pieces_same(&whole, &again);
	strbuf_fini(&whole);
	strbuf_fini(&pieces);
	strbuf_fini(&again);
}

#endif

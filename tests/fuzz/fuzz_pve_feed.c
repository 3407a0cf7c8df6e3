// SPDX-License-Identifier: MIT
/*
 * The pipe from qmpin-pve with any bytes in it, in pieces of any size: what comes out
 * are messages that survive being said again, and pieces change nothing.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "base/xalloc.h"
#include "pve/pvefeed.h"

/* Everything that comes out, said again. Returns the last answer of pvefeed_next. */
static int
echo(const uint8_t *data, size_t size, size_t piece, struct strbuf *out)
{
	struct pvefeed_message m;
	struct pvefeed w = {0};
	int r = 0;

	for (size_t at = 0; at < size && r == 0; at += piece) {
		size_t len = size - at < piece ? size - at : piece;
		auto_free char *copy = xmemdupz((const char *)data + at, len);

		r = pvefeed_take(&w, copy, len);
		assert(r == 0);
		while ((r = pvefeed_next(&w, &m, NULL)) == 1)
			pvefeed_put(out, &m);
	}
	pvefeed_fini(&w);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf whole = {0};
	struct strbuf pieces = {0};
	struct strbuf again = {0};
	int in_pieces;
	int r;

	if (size == 0)
		return 0;
	r = echo(data + 1, size - 1, size, &whole);
	in_pieces = echo(data + 1, size - 1, data[0] % 16 + 1u, &pieces);
	assert(in_pieces == r);
	assert(whole.len == pieces.len);
	assert(whole.len == 0 || memcmp(whole.s, pieces.s, whole.len) == 0);
	r = echo(
		(const uint8_t *)strbuf_text(&whole), whole.len, whole.len + 1, &again);
	assert(r == 0 && again.len == whole.len);
	assert(whole.len == 0 || memcmp(whole.s, again.s, whole.len) == 0);
	strbuf_fini(&whole);
	strbuf_fini(&pieces);
	strbuf_fini(&again);
	return 0;
}

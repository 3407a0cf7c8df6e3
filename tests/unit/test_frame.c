// SPDX-License-Identifier: MIT
/* The byte stream of QMP, cut into objects. */
#include "config.h"

#include "qmp/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/xalloc.h"
#include "qmp_transcripts.h"

/* Feed a copy of its own size, so that a read behind its end is seen by the sanitizers;
 * objects that come out are appended to @out, a line each. */
static int
feed(struct frame *f, const char *bytes, size_t len, struct strbuf *out)
{
	auto_free char *copy = malloc(len > 0 ? len : 1);
	struct frame_span in = {copy, len};
	struct frame_span object;
	int r;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	while ((r = frame_next(f, &in, &object, NULL)) == 1) {
		strbuf_add(out, object.bytes, object.len);
		strbuf_adds(out, "\n");
	}
	if (r == 0)
		assert_int_equal(in.len, 0);
	return r;
}

static int
feed_text(const char *text, struct strbuf *out)
{
	struct frame f = {0};
	int r = feed(&f, text, strlen(text), out);

	frame_fini(&f);
	return r;
}

static void
expect_pieces(const struct strbuf *wire, size_t (*piece)(unsigned int *),
	unsigned int seed, const char *expected)
{
	unsigned int state = seed;
	struct frame f = {0};
	struct strbuf out = {0};
	size_t n;

	for (size_t at = 0; at < wire->len; at += n) {
		n = piece(&state);
		if (n > wire->len - at)
			n = wire->len - at;
		assert_int_equal(feed(&f, wire->s + at, n, &out), 0);
	}
	if (strcmp(strbuf_text(&out), expected) != 0)
		fail_msg("other objects came out with seed %u", seed);
	strbuf_fini(&out);
	frame_fini(&f);
}

static size_t
one_byte(unsigned int *state)
{
	(void)state;
	return 1;
}

static size_t
everything(unsigned int *state)
{
	(void)state;
	return SIZE_MAX;
}

static size_t
some_bytes(unsigned int *state)
{
	return next_random(state, 1000) + 1;
}

static void
expect_cuts(const char *eol)
{
	unsigned int seed = (unsigned int)time(NULL);
	struct transcript t = {0};
	struct strbuf expected = {0};
	struct strbuf wire = {0};

	transcripts_load(&t);
	transcript_bytes(&t, "\n", &expected);
	transcript_bytes(&t, eol, &wire);
	print_message("%zu messages, %zu bytes, seed %u\n", t.n, wire.len, seed);
	expect_pieces(&wire, one_byte, 0, expected.s);
	expect_pieces(&wire, everything, 0, expected.s);
	for (unsigned int i = 0; i < 50; i++)
		expect_pieces(&wire, some_bytes, seed + i, expected.s);
	strbuf_fini(&wire);
	strbuf_fini(&expected);
	transcript_fini(&t);
}

static void
transcripts_are_cut_the_same_however_they_arrive(void **state)
{
	(void)state;
	expect_cuts("\r\n");
}

static void
lines_need_not_end(void **state)
{
	(void)state;
	expect_cuts("");
	expect_cuts(" \t\r\n\r\n");
}

static void
brackets_and_quotes_inside_strings_do_not_count(void **state)
{
	static const char text[] =
		"{\"a\": \"}{][\\\"}\\\\\", \"b\": [{}]}{\"c\": \"\\\\\"}";
	struct strbuf out = {0};

	(void)state;
	assert_int_equal(feed_text(text, &out), 0);
	assert_string_equal(out.s, "{\"a\": \"}{][\\\"}\\\\\", \"b\": [{}]}\n"
				   "{\"c\": \"\\\\\"}\n");
	strbuf_fini(&out);
}

static void
anything_but_an_object_is_refused_at_its_first_byte(void **state)
{
	static const char *const wrong[] = {
		"[",
		"]",
		"}",
		"\"",
		"x",
		"0",
		",",
		"\xff",
		"\x01",
		"\xef\xbb\xbf{}",
		"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ",
		"HTTP/1.1 400 Bad Request\r\n",
	};
	struct strbuf out = {0};
	struct frame f = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (feed_text(wrong[i], &out) != -EBADMSG)
			fail_msg("\"%s\" was taken", wrong[i]);
	}
	assert_int_equal(feed(&f, "\0{}", 3, &out), -EBADMSG);
	assert_int_equal(out.len, 0);
	frame_fini(&f);
	strbuf_fini(&out);
}

static void
objects_ahead_of_garbage_are_still_given(void **state)
{
	struct strbuf out = {0};

	(void)state;
	assert_int_equal(feed_text("{\"a\":1}\r\n{}\r\nx", &out), -EBADMSG);
	assert_string_equal(out.s, "{\"a\":1}\n{}\n");
	strbuf_fini(&out);
}

static void
the_largest_object_passes_and_one_byte_more_does_not(void **state)
{
	struct strbuf big = {0};
	struct strbuf out = {0};

	(void)state;
	strbuf_adds(&big, "{\"a\":\"");
	while (big.len < FRAME_BYTES_MAX - 2)
		strbuf_adds(&big, "x");
	strbuf_adds(&big, "\"}");
	assert_int_equal(feed_text(big.s, &out), 0);
	assert_int_equal(out.len, FRAME_BYTES_MAX + 1);
	big.s[big.len - 2] = 'x';
	big.s[big.len - 1] = '"';
	strbuf_adds(&big, "}");
	assert_int_equal(feed_text(big.s, &out), -E2BIG);
	strbuf_fini(&out);
	strbuf_fini(&big);
}

/* Feed @chunk until 100 MB are reached; memory stays within twice the cap. */
static void
expect_flood_ends(const char *start, const char *chunk)
{
	struct strbuf out = {0};
	struct frame f = {0};
	size_t fed = 0;
	int r;

	r = feed(&f, start, strlen(start), &out);
	while (r == 0 && fed < 100u * 1000 * 1000) {
		r = feed(&f, chunk, strlen(chunk), &out);
		fed += strlen(chunk);
		assert_true(f.partial.cap <= 2 * FRAME_BYTES_MAX);
	}
	assert_int_equal(r, -E2BIG);
	assert_true(fed <= FRAME_BYTES_MAX + strlen(chunk));
	assert_int_equal(out.len, 0);
	strbuf_fini(&out);
	frame_fini(&f);
}

static void
a_flood_without_an_object_ends_at_the_cap(void **state)
{
	char chunk[4097] = "";

	(void)state;
	memset(chunk, 'x', 4096);
	expect_flood_ends("{\"QMP\": \"", chunk);
	memset(chunk, ',', 4096);
	expect_flood_ends("{", chunk);
	memset(chunk, '\n', 4096);
	expect_flood_ends("", chunk);
	memset(chunk, '\\', 4096);
	expect_flood_ends("{\"", chunk);
}

static void
the_cap_is_for_each_object(void **state)
{
	static const char text[] = "{\"event\": \"RTC_CHANGE\"}\r\n";
	struct strbuf out = {0};
	struct frame f = {0};

	(void)state;
	for (size_t fed = 0; fed < 2 * FRAME_BYTES_MAX; fed += strlen(text)) {
		assert_int_equal(feed(&f, text, strlen(text), &out), 0);
		assert_int_equal(out.len, strlen(text) - 1);
		strbuf_drop(&out, out.len);
	}
	frame_fini(&f);
	strbuf_fini(&out);
}

static void
nesting_is_refused_when_it_happens(void **state)
{
	struct strbuf out = {0};
	struct strbuf text = {0};

	(void)state;
	strbuf_adds(&text, "{");
	for (unsigned int i = 1; i < FRAME_DEPTH_MAX; i++)
		strbuf_adds(&text, "[");
	assert_int_equal(feed_text(text.s, &out), 0);
	strbuf_adds(&text, "[");
	assert_int_equal(feed_text(text.s, &out), -E2BIG);
	strbuf_fini(&text);
	strbuf_fini(&out);
}

static void
nothing_is_held_once_an_object_was_used(void **state)
{
	struct frame_span object;
	struct frame_span in;
	struct frame f = {0};

	(void)state;
	in = (struct frame_span){"{\"a\":", 5};
	assert_int_equal(frame_next(&f, &in, &object, NULL), 0);
	in = (struct frame_span){"1}\r\n", 4};
	assert_int_equal(frame_next(&f, &in, &object, NULL), 1);
	assert_memory_equal(object.bytes, "{\"a\":1}", 7);
	assert_int_equal(object.len, 7);
	assert_int_equal(frame_next(&f, &in, &object, NULL), 0);
	assert_null(f.partial.s);
	in = (struct frame_span){"{}", 2};
	assert_int_equal(frame_next(&f, &in, &object, NULL), 1);
	assert_null(f.partial.s);
	frame_fini(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transcripts_are_cut_the_same_however_they_arrive),
		cmocka_unit_test(lines_need_not_end),
		cmocka_unit_test(brackets_and_quotes_inside_strings_do_not_count),
		cmocka_unit_test(anything_but_an_object_is_refused_at_its_first_byte),
		cmocka_unit_test(objects_ahead_of_garbage_are_still_given),
		cmocka_unit_test(the_largest_object_passes_and_one_byte_more_does_not),
		cmocka_unit_test(a_flood_without_an_object_ends_at_the_cap),
		cmocka_unit_test(the_cap_is_for_each_object),
		cmocka_unit_test(nesting_is_refused_when_it_happens),
		cmocka_unit_test(nothing_is_held_once_an_object_was_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* What the probe and its parent say to each other. */
#include "config.h"

#include "probe/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "mutate.h"
#include "probe/cache.h"

static const struct wire_message examples[] = {
	{.kind = WIRE_KNOWN, .text = "#x\n1,2\n", .len = 7},
	{.kind = WIRE_AVOID, .text = "0-3,8", .len = 5},
	{.kind = WIRE_AVOID, .text = "", .len = 0},
	{.kind = WIRE_GO, .text = "", .len = 0},
	{.kind = WIRE_PROGRESS,
		.visits = 3,
		.visits_total = 400,
		.pairs = 1,
		.pairs_total = 4294967295u,
		.text = "one of each kind",
		.len = 16},
	{.kind = WIRE_NOTE, .text = "no real-time priority", .len = 21},
	{.kind = WIRE_RESULT, .text = "a\0b\ndone\n", .len = 9},
	{.kind = WIRE_RESULT, .text = "", .len = 0},
	{.kind = WIRE_DONE, .text = "", .len = 0},
	{.kind = WIRE_FAILED, .text = "why", .len = 3},
};

static void
expect_message(const struct wire_message *got, const struct wire_message *m)
{
	assert_int_equal(got->kind, m->kind);
	assert_int_equal(got->visits, m->visits);
	assert_int_equal(got->visits_total, m->visits_total);
	assert_int_equal(got->pairs, m->pairs);
	assert_int_equal(got->pairs_total, m->pairs_total);
	assert_non_null(got->text);
	assert_int_equal(got->len, m->len);
	assert_memory_equal(got->text, m->text, m->len);
	if (m->kind != WIRE_RESULT && m->kind != WIRE_KNOWN)
		assert_int_equal(got->text[got->len], '\0');
}

/* A copy of its own size, so that the sanitizers see a read behind its end. */
static int
feed(struct wire *w, const char *bytes, size_t len)
{
	auto_free char *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	return wire_feed(w, copy, len);
}

static void
expect_in_pieces(size_t piece)
{
	struct strbuf all = {0};
	struct wire_message m;
	struct wire w;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		wire_put(&all, &examples[i]);
	wire_init(&w);
	for (size_t at = 0; at < all.len; at += piece) {
		size_t len = all.len - at < piece ? all.len - at : piece;

		assert_int_equal(feed(&w, all.s + at, len), 0);
		while (wire_next(&w, &m, NULL) == 1) {
			assert_true(n < ARRAY_LEN(examples));
			expect_message(&m, &examples[n++]);
		}
	}
	assert_int_equal(n, ARRAY_LEN(examples));
	assert_int_equal(wire_next(&w, &m, NULL), 0);
	wire_fini(&w);
	strbuf_fini(&all);
}

static void
messages_survive_in_pieces_of_any_size(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < 300; piece++)
		expect_in_pieces(piece);
}

static void
lines_are_as_documented(void **state)
{
	struct strbuf all = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		wire_put(&all, &examples[i]);
	assert_int_equal(all.len, 152);
	assert_memory_equal(all.s,
		"known 7\n#x\n1,2\navoid 0-3,8\navoid \ngo\n"
		"progress 3 400 1 4294967295 one of each kind\n"
		"note no real-time priority\nresult 9\na\0b\ndone\nresult 0\ndone\n"
		"failed why\n",
		all.len);
	strbuf_fini(&all);
}

static void
foreign_lines_end_it(void **state)
{
	static const char *const lines[] = {"", "gone", " go", "go ", "go 1", "done x",
		"result", "result ", "result x", "result -1", "result 1 ", "result 1 2",
		"result 50331649", "result 99999999999999999999", "progress",
		"progress 1 2 3", "progress 1 2 3 x a", "progress 1 2 3 4294967296 a",
		"GO", "known 0x1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct wire_message m = {.len = 77};
		struct err e = ERR_NONE;
		struct wire w;

		wire_init(&w);
		assert_int_equal(feed(&w, lines[i], strlen(lines[i])), 0);
		assert_int_equal(feed(&w, "\ngo\n", 4), 0);
		if (wire_next(&w, &m, &e) != -EPROTO || m.len != 77 || !err_is_set(&e))
			fail_msg("'%s' was taken", lines[i]);
		assert_int_equal(wire_next(&w, &m, NULL), -EPROTO);
		assert_int_equal(feed(&w, "go\n", 3), -EPROTO);
		wire_fini(&w);
	}
}

static void
a_nul_in_a_line_ends_it(void **state)
{
	struct wire_message m;
	struct wire w;

	(void)state;
	wire_init(&w);
	assert_int_equal(feed(&w, "note a\0b\n", 9), 0);
	assert_int_equal(wire_next(&w, &m, NULL), -EPROTO);
	wire_fini(&w);
}

static void
a_line_without_end_is_refused_at_its_cap(void **state)
{
	auto_free char *text = xcalloc(WIRE_LINE_MAX, 1);
	struct wire_message m;
	struct wire w;

	(void)state;
	memset(text, 'x', WIRE_LINE_MAX);
	memcpy(text, "note ", 5);
	wire_init(&w);
	assert_int_equal(feed(&w, text, WIRE_LINE_MAX - 1), 0);
	assert_int_equal(wire_next(&w, &m, NULL), 0);
	assert_int_equal(feed(&w, "x", 1), 0);
	assert_int_equal(wire_next(&w, &m, NULL), -EPROTO);
	wire_fini(&w);
}

static void
long_and_broken_text_still_makes_one_line(void **state)
{
	auto_free char *text = xcalloc(2 * WIRE_LINE_MAX, 1);
	struct wire_message put = {.kind = WIRE_NOTE, .text = text};
	struct strbuf out = {0};
	struct wire_message m;
	struct wire w;

	(void)state;
	put.len = 2 * WIRE_LINE_MAX;
	memset(text, '\n', put.len);
	wire_put(&out, &put);
	put.kind = WIRE_PROGRESS;
	put.visits = put.visits_total = put.pairs = put.pairs_total = 4294967295u;
	wire_put(&out, &put);
	wire_init(&w);
	assert_int_equal(feed(&w, out.s, out.len), 0);
	assert_int_equal(wire_next(&w, &m, NULL), 1);
	assert_int_equal(m.kind, WIRE_NOTE);
	assert_int_equal(wire_next(&w, &m, NULL), 1);
	assert_int_equal(m.kind, WIRE_PROGRESS);
	wire_fini(&w);
	strbuf_fini(&out);
}

static void
memory_grows_with_what_came_not_with_what_was_announced(void **state)
{
	struct wire_message m;
	struct wire w;

	(void)state;
	wire_init(&w);
	assert_int_equal(feed(&w, "result 50331648\nx", 17), 0);
	assert_int_equal(wire_next(&w, &m, NULL), 0);
	assert_true(w.frame.cap < 1024);
	wire_fini(&w);
}

static void
the_longest_result_is_read_and_its_memory_given_back(void **state)
{
	auto_free char *bytes = xcalloc(1u << 20, 1);
	struct wire_message m;
	struct wire w;

	(void)state;
	wire_init(&w);
	assert_int_equal(feed(&w, "result 50331648\n", 16), 0);
	for (unsigned int i = 0; i < CACHE_BYTES_MAX >> 20; i++) {
		assert_int_equal(wire_next(&w, &m, NULL), 0);
		assert_int_equal(wire_feed(&w, bytes, 1u << 20), 0);
	}
	assert_int_equal(wire_next(&w, &m, NULL), 1);
	assert_int_equal(m.len, CACHE_BYTES_MAX);
	assert_int_equal(wire_feed(&w, "go\n", 3), 0);
	assert_true(w.frame.cap < 1024);
	wire_fini(&w);
}

static void
more_than_one_message_unread_is_refused(void **state)
{
	auto_free char *bytes = xcalloc(1u << 20, 1);
	struct wire w;
	int r = 0;
	unsigned int n = 0;

	(void)state;
	wire_init(&w);
	while (r == 0 && n++ < 60)
		r = wire_feed(&w, bytes, 1u << 20);
	assert_int_equal(r, -EPROTO);
	assert_true(n > CACHE_BYTES_MAX >> 20);
	wire_fini(&w);
}

static void
damaged_messages_are_messages_or_refused(void **state)
{
	uint64_t seed = 20240607;
	struct strbuf all = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		wire_put(&all, &examples[i]);
	for (unsigned int i = 0; i < 20000; i++) {
		char text[512];
		struct wire_message m;
		struct wire w;
		size_t len = all.len;

		memcpy(text, all.s, len);
		len = mutate_text(text, len, sizeof(text), &seed);
		wire_init(&w);
		assert_int_equal(feed(&w, text, len), 0);
		while (wire_next(&w, &m, NULL) == 1)
			assert_true(m.text >= w.frame.buf &&
				    m.text + m.len <= w.frame.buf + w.frame.len);
		wire_fini(&w);
	}
	strbuf_fini(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_survive_in_pieces_of_any_size),
		cmocka_unit_test(lines_are_as_documented),
		cmocka_unit_test(foreign_lines_end_it),
		cmocka_unit_test(a_nul_in_a_line_ends_it),
		cmocka_unit_test(a_line_without_end_is_refused_at_its_cap),
		cmocka_unit_test(long_and_broken_text_still_makes_one_line),
		cmocka_unit_test(
			memory_grows_with_what_came_not_with_what_was_announced),
		cmocka_unit_test(the_longest_result_is_read_and_its_memory_given_back),
		cmocka_unit_test(more_than_one_message_unread_is_refused),
		cmocka_unit_test(damaged_messages_are_messages_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

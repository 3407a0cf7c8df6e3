// SPDX-License-Identifier: MIT
/* Lines and announced bytes, however they come. */
#include "config.h"

#include "base/lineframe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct lineframe_caps caps = {.line = 16, .buffer = 64, .kept = 32};

static void
add(struct lineframe *f, const char *bytes, size_t len)
{
	assert_int_equal(lineframe_add(f, &caps, bytes, len), 0);
}

static void
expect_line(struct lineframe *f, const char *text)
{
	struct err e = {0};
	size_t len = 0;
	char *line = NULL;

	assert_int_equal(lineframe_line(f, &caps, &line, &len, &e), 1);
	assert_string_equal(line, text);
	assert_int_equal(len, strlen(text));
}

static void
expect_none(struct lineframe *f, int r)
{
	struct err e = {0};
	size_t len = 99;
	char *line = NULL;

	assert_int_equal(lineframe_line(f, &caps, &line, &len, &e), r);
	assert_null(line);
	assert_int_equal(len, 99);
	assert_int_equal(e.text[0] != '\0', r < 0);
}

static void
take(struct lineframe *f, const char *text)
{
	const char *bytes = NULL;

	assert_true(lineframe_take(f, strlen(text), &bytes));
	assert_memory_equal(bytes, text, strlen(text));
}

static void
lines_come_in_turn_however_they_are_cut(void **state)
{
	static const char text[] = "one\n\ntwo 2\n";
	struct lineframe f = {0};

	(void)state;
	expect_none(&f, 0);
	for (size_t i = 0; i < 3; i++) {
		add(&f, &text[i], 1);
		expect_none(&f, 0);
	}
	add(&f, text + 3, strlen(text) - 3);
	expect_line(&f, "one");
	take(&f, "");
	expect_line(&f, "");
	take(&f, "");
	expect_line(&f, "two 2");
	take(&f, "");
	expect_none(&f, 0);
	lineframe_fini(&f);
}

static void
a_line_comes_again_until_what_follows_it_is_there(void **state)
{
	const char *bytes = NULL;
	struct lineframe f = {0};

	(void)state;
	add(&f, "five 5\nab\n", 10);
	for (int i = 0; i < 2; i++) {
		expect_line(&f, "five 5");
		assert_false(lineframe_take(&f, 5, &bytes));
		assert_null(bytes);
	}
	add(&f, "\n\nnext\n", 7);
	expect_line(&f, "five 5");
	take(&f, "ab\n\n\n");
	expect_line(&f, "next");
	lineframe_fini(&f);
}

static void
what_is_no_line_is_refused_and_all_after_it(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{"a\0b\n", 4},
		{"0123456789abcdef", 16},
		{"0123456789abcdef\n", 17},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct lineframe f = {0};

		add(&f, cases[i].bytes, cases[i].len);
		expect_none(&f, -EPROTO);
		expect_none(&f, -EPROTO);
		assert_int_equal(lineframe_add(&f, &caps, "a\n", 2), -EPROTO);
		lineframe_fini(&f);
	}
}

static void
the_longest_line_is_taken(void **state)
{
	struct lineframe f = {0};

	(void)state;
	add(&f, "0123456789abcde\n", 16);
	expect_line(&f, "0123456789abcde");
	lineframe_fini(&f);
}

static void
a_line_that_was_refused_is_told(void **state)
{
	struct lineframe f = {0};
	struct err e = {0};

	(void)state;
	add(&f, "what?\nok\n", 9);
	expect_line(&f, "what?");
	assert_int_equal(lineframe_refuse(&f, &e), -EPROTO);
	assert_string_equal(e.text, "not a message: 'what?'");
	expect_none(&f, -EPROTO);
	lineframe_fini(&f);
}

static void
the_buffer_has_an_end_and_is_given_back(void **state)
{
	static const char line[] = "0123456789abcd\n";
	char bytes[64] = {0};
	struct lineframe f = {0};

	(void)state;
	memcpy(bytes, line, strlen(line));
	add(&f, bytes, strlen(line) + 40);
	expect_line(&f, "0123456789abcd");
	assert_int_equal(lineframe_take(&f, 40, &(const char *){NULL}), true);
	assert_true(f.cap > caps.kept);
	add(&f, "", 0); /* all was handed out: nothing big is held on to */
	assert_int_equal(f.cap, 0);
	add(&f, bytes, 64);
	assert_int_equal(lineframe_add(&f, &caps, "x", 1), -EPROTO);
	lineframe_fini(&f);
	assert_int_equal(f.status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_in_turn_however_they_are_cut),
		cmocka_unit_test(a_line_comes_again_until_what_follows_it_is_there),
		cmocka_unit_test(what_is_no_line_is_refused_and_all_after_it),
		cmocka_unit_test(the_longest_line_is_taken),
		cmocka_unit_test(a_line_that_was_refused_is_told),
		cmocka_unit_test(the_buffer_has_an_end_and_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

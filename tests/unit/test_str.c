// SPDX-License-Identifier: MIT
/* Strings from outside: numbers, escapes, bounded copies, the growing buffer. */
#include "config.h"

#include "base/str.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
numbers_are_digits_and_nothing_else(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int result;
		uint64_t value;
	} cases[] = {
		{"0", 10, 0, 0},
		{"10", 10, 0, 10},
		{"0010", 10, 0, 10},
		{"11", 10, -ERANGE, 0},
		{"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, -ERANGE, 0},
		{"99999999999999999999999", UINT64_MAX, -ERANGE, 0},
		{"", 10, -EINVAL, 0},
		{"-1", 10, -EINVAL, 0},
		{"+1", 10, -EINVAL, 0},
		{" 1", 10, -EINVAL, 0},
		{"1 ", 10, -EINVAL, 0},
		{"1\n", 10, -EINVAL, 0},
		{"0x1", 10, -EINVAL, 0},
		{"99999999999999999999999x", 10, -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t value = 77;
		int r = str_parse_uint(cases[i].text, cases[i].max, &value);

		if (r != cases[i].result)
			fail_msg("\"%s\": %d", cases[i].text, r);
		assert_true(value == (r == 0 ? cases[i].value : 77));
	}
}

static void
copies_are_cut_and_terminated(void **state)
{
	char small[4] = "###";

	(void)state;
	str_copy(small, sizeof(small), "ab");
	assert_string_equal(small, "ab");
	str_copy(small, sizeof(small), "abcdef");
	assert_string_equal(small, "abc");
	str_copy(small, 1, "abc");
	assert_string_equal(small, "");
}

static void
null_equals_only_null(void **state)
{
	(void)state;
	assert_true(str_equal(NULL, NULL));
	assert_false(str_equal(NULL, ""));
	assert_false(str_equal("", NULL));
	assert_true(str_equal("a", "a"));
	assert_false(str_equal("a", "ab"));
	assert_true(str_has_prefix("abc", ""));
	assert_true(str_has_prefix("abc", "ab"));
	assert_false(str_has_prefix("a", "ab"));
}

static void
hexadecimal_digits_are_of_either_case_and_nothing_else(void **state)
{
	static const char digits[] = "0123456789abcdef";
	static const char upper[] = "0123456789ABCDEF";

	(void)state;
	for (int i = 0; i < 16; i++) {
		assert_int_equal(str_hex_digit(digits[i]), i);
		assert_int_equal(str_hex_digit(upper[i]), i);
	}
	for (int c = CHAR_MIN; c <= CHAR_MAX; c++) {
		bool is_one = c != 0 &&
			      (strchr(digits, c) != NULL || strchr(upper, c) != NULL);

		assert_int_equal(str_hex_digit((char)c) >= 0, is_one);
	}
}

static void
what_a_terminal_obeys_is_escaped(void **state)
{
	char out[64];

	(void)state;
	assert_string_equal(
		str_escape("plain text", 10, out, sizeof(out)), "plain text");
	assert_string_equal(str_escape("\033[2J\n\0\x7f\xff\\", 9, out, sizeof(out)),
		"\\x1b[2J\\x0a\\x00\\x7f\\xff\\\\");
	assert_string_equal(str_escape("", 0, out, sizeof(out)), "");
}

static void
escapes_are_never_cut_in_two(void **state)
{
	(void)state;
	for (size_t size = 1; size < 12; size++) {
		char out[13];
		size_t len;

		memset(out, '#', sizeof(out));
		(void)str_escape("a\nb\\", 4, out, size);
		len = strlen(out);
		assert_true(len < size);
		assert_int_equal(out[size], '#');
		/* a, a\x0a, a\x0ab, a\x0ab\\ */
		assert_true(len == 0 || len == 1 || len == 5 || len == 6 || len == 8);
	}
}

static void
a_buffer_grows_and_stays_terminated(void **state)
{
	struct strbuf b = {0};
	char *s;

	(void)state;
	assert_string_equal(strbuf_text(&b), "");
	for (int i = 0; i < 1000; i++) {
		strbuf_addf(&b, "%d,", i);
		assert_int_equal(strlen(b.s), b.len);
	}
	assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
	strbuf_drop(&b, b.len - 4);
	assert_string_equal(strbuf_text(&b), "999,");
	strbuf_add(&b, "a\0b", 3);
	assert_int_equal(b.len, 7);
	strbuf_drop(&b, 100);
	assert_string_equal(strbuf_text(&b), "");
	strbuf_adds(&b, "kept");
	s = strbuf_take(&b);
	assert_string_equal(s, "kept");
	assert_null(b.s);
	free(s);
	s = strbuf_take(&b);
	assert_string_equal(s, "");
	free(s);
	strbuf_drop(&b, 1);
	strbuf_add(&b, "", 0);
	assert_string_equal(strbuf_text(&b), "");
	strbuf_fini(&b);
	strbuf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_digits_and_nothing_else),
		cmocka_unit_test(
			hexadecimal_digits_are_of_either_case_and_nothing_else),
		cmocka_unit_test(copies_are_cut_and_terminated),
		cmocka_unit_test(null_equals_only_null),
		cmocka_unit_test(what_a_terminal_obeys_is_escaped),
		cmocka_unit_test(escapes_are_never_cut_in_two),
		cmocka_unit_test(a_buffer_grows_and_stays_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

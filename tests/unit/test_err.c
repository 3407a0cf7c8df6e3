// SPDX-License-Identifier: MIT
/* Errors for humans: the first wins, and printing one is always safe. */
#include "config.h"

#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
the_first_error_wins(void **state)
{
	struct err e = ERR_NONE;

	(void)state;
	assert_false(err_is_set(&e));
	assert_int_equal(err_set(&e, -EINVAL, "a.conf", 3, "key %s", "x"), -EINVAL);
	assert_int_equal(err_set(&e, -ENOENT, "b.conf", 9, "other"), -ENOENT);
	assert_string_equal(e.source, "a.conf");
	assert_int_equal(e.line, 3);
	assert_string_equal(e.text, "key x");
	err_clear(&e);
	assert_false(err_is_set(&e));
	(void)err_set(&e, -ENOENT, "b.conf", 9, "other");
	assert_string_equal(e.source, "b.conf");
}

static void
nobody_needs_to_listen(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, -EIO, "x", 1, "lost"), -EIO);
	assert_false(err_is_set(NULL));
}

static void
text_from_outside_is_escaped_and_cut(void **state)
{
	struct err e = ERR_NONE;
	char big[2000];

	(void)state;
	memset(big, '\n', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	(void)err_set(&e, -EINVAL, big, 0, "%s", big);
	assert_true(strlen(e.source) < sizeof(e.source));
	assert_true(strlen(e.text) < sizeof(e.text));
	assert_null(strchr(e.source, '\n'));
	assert_null(strchr(e.text, '\n'));
	assert_string_equal(e.text + strlen(e.text) - 4, "\\x0a");
}

static void
an_empty_text_is_still_an_error(void **state)
{
	struct err e = ERR_NONE;

	(void)state;
	(void)err_set(&e, -EIO, NULL, 0, "%s", "");
	assert_true(err_is_set(&e));
}

static void
parts_that_are_missing_are_left_out(void **state)
{
	static const struct {
		struct err e;
		const char *text;
	} cases[] = {
		{{"f", 7, "bad"}, "f:7: bad"},
		{{"f", 0, "bad"}, "f: bad"},
		{{"", 7, "bad"}, "bad"},
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(
			err_format(&cases[i].e, buf, sizeof(buf)), cases[i].text);
	assert_string_equal(err_format(&cases[0].e, buf, 5), "f:7:");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_error_wins),
		cmocka_unit_test(nobody_needs_to_listen),
		cmocka_unit_test(text_from_outside_is_escaped_and_cut),
		cmocka_unit_test(an_empty_text_is_still_an_error),
		cmocka_unit_test(parts_that_are_missing_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

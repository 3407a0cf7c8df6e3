// SPDX-License-Identifier: MIT
/* Lines and pages on narrow screens. */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <locale.h>
#include <stdlib.h>

#include "base/str.h"
#include "cli/wrap.h"

static void
a_line_is_broken_at_blanks_and_words_stay_whole(void **state)
{
	static const struct {
		const char *text;
		size_t hang;
		size_t width;
		const char *want;
	} cases[] = {
		{"", 0, 20, "\n"},
		{"any length", 0, 0, "any length\n"},
		{"just what fits", 0, 14, "just what fits\n"},
		{"one word too many", 0, 14, "one word too\nmany\n"},
		{"label  some text that hangs", 7, 20,
			"label  some text\n       that hangs\n"},
		{"  - 0-3,8-11,16-19,24-27 is a list", 4, 16,
			"  -\n    0-3,8-11,16-19,24-27\n    is a list\n"},
		{"0-3,8-11,16-19,24-27", 4, 10, "0-3,8-11,16-19,24-27\n"},
		{"    indented-too-far", 0, 10, "    indented-too-far\n"},
		{"behind  many    blanks", 0, 8, "behind\nmany\nblanks\n"},
		{"no room to hang", 9, 8, "no room\n    to\n    hang\n"},
		{"tiny", 3, 1, "tiny\n"},
		{"\033[1;31mred\033[0m and blue", 0, 8,
			"\033[1;31mred\033[0m and\nblue\n"},
		{"gr\xc3\xbc\xc3\x9f"
		 "e Gr\xc3\xbc\xc3\x9f"
		 "e",
			0, 11,
			"gr\xc3\xbc\xc3\x9f"
			"e Gr\xc3\xbc\xc3\x9f"
			"e\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *got = wrap_line(cases[i].text, cases[i].hang, cases[i].width);

		if (!str_equal(got, cases[i].want))
			fail_msg("case %zu: \"%s\"", i, got);
		free(got);
	}
}

static void
a_page_that_fits_stays_as_it_is(void **state)
{
	static const char page[] = "one\ntwo\n\n  x  a column\n     of text\n";
	char *got = wrap_page(page, 13);

	(void)state;
	assert_string_equal(got, page);
	free(got);
	got = wrap_page(page, 0);
	assert_string_equal(got, page);
	free(got);
}

static void
a_page_that_does_not_fit_is_filled_anew(void **state)
{
	char *got = wrap_page("A sentence over\ntwo lines.\n"
			      "\n"
			      "  -o, --output FILE  where it\n"
			      "                     goes\n"
			      "  -v                 more\n"
			      "see there",
		27);

	(void)state;
	assert_string_equal(got, "A sentence over two lines.\n"
				 "\n"
				 "  -o, --output FILE  where\n"
				 "    it goes\n"
				 "  -v                 more\n"
				 "see there\n");
	free(got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_broken_at_blanks_and_words_stay_whole),
		cmocka_unit_test(a_page_that_fits_stays_as_it_is),
		cmocka_unit_test(a_page_that_does_not_fit_is_filled_anew),
	};

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}

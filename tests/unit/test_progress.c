// SPDX-License-Identifier: MIT
/* What a progress bar looks like. */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

#include "base/attr.h"
#include "cli/progress.h"

static void
bars_are_as_they_should_be(void **state)
{
	static const struct {
		uint64_t done;
		uint64_t total;
		const char *text;
		size_t width;
		const char *want;
	} cases[] = {
		{0, 100, "first pass", 80,
			"[............................]    0 %  first pass"},
		{50, 100, "first pass", 80,
			"[##############..............]   50 %  first pass"},
		{100, 100, "done", 80, "[############################]  100 %  done"},
		{200, 100, "more than all", 80,
			"[############################]  100 %  more than all"},
		{7, 0, "of what?", 80,
			"[............................]    0 %  of what?"},
		{UINT64_MAX, UINT64_MAX, "large", 80,
			"[############################]  100 %  large"},
		{1, 2, "a window that is narrow", 60,
			"[####....]   50 %  a window that is narrow"},
		{1, 2, "narrower", 46, " 50 %  narrower"},
		{1, 2, "narrower", 12, " 50 %  narr"},
		{1, 2, "narrower", 1, ""},
		{1, 2, "narrower", 0, ""},
		{1, 2, "\x1b[31m\xc3\xa4", 40, " 50 %  ?[31m??"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[PROGRESS_TEXT_MAX];
		size_t len = progress_render(cases[i].done, cases[i].total,
			cases[i].text, cases[i].width, out);

		if (strcmp(out, cases[i].want) != 0)
			fail_msg("case %zu: '%s'", i, out);
		assert_int_equal(len, strlen(out));
	}
}

static void
lines_are_shorter_than_any_terminal(void **state)
{
	char text[400];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t width = 0; width < 300; width++) {
		char out[PROGRESS_TEXT_MAX];
		size_t len = progress_render(1, 3, text, width, out);

		assert_true(len < PROGRESS_TEXT_MAX);
		assert_true(len < width || len == 0);
		assert_int_equal(len, strlen(out));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bars_are_as_they_should_be),
		cmocka_unit_test(lines_are_shorter_than_any_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

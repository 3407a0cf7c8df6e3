// SPDX-License-Identifier: MIT
/* Which way of sharing a VM gets. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "qmp/share.h"

static void
every_way_has_its_word(void **state)
{
	(void)state;
	assert_string_equal(share_name(SHARE_AUTO), "auto");
	assert_string_equal(share_name(SHARE_PRIVATE), "private");
	assert_string_equal(share_name(SHARE_YIELD), "yield");
	assert_string_equal(share_name(SHARE_BRIEF), "brief");
	assert_string_equal(share_name(SHARE_PROXY), "proxy");
	assert_string_equal(share_name(SHARE_NONE), "none");
}

static void
the_way_follows_from_wish_and_means(void **state)
{
	static const struct {
		enum share wish;
		const char *no_private;
		const char *no_hold;
		bool no_proxy;
		enum share expected;
		const char *why;
	} cases[] = {
		{SHARE_AUTO, NULL, NULL, false, SHARE_PRIVATE, ""},
		{SHARE_AUTO, NULL, "no guard", true, SHARE_PRIVATE, ""},
		{SHARE_AUTO, "too old", NULL, false, SHARE_YIELD, ""},
		{SHARE_AUTO, "too old", "", true, SHARE_YIELD, ""},
		{SHARE_AUTO, "too old", "no guard", false, SHARE_BRIEF, "no guard"},
		{SHARE_PRIVATE, "", NULL, false, SHARE_PRIVATE, ""},
		{SHARE_PRIVATE, "too old", NULL, false, SHARE_YIELD, "too old"},
		{SHARE_PRIVATE, "too old", "no guard", false, SHARE_BRIEF, "too old"},
		{SHARE_YIELD, NULL, NULL, false, SHARE_YIELD, ""},
		{SHARE_YIELD, NULL, "no guard", false, SHARE_BRIEF, "no guard"},
		{SHARE_BRIEF, NULL, NULL, false, SHARE_BRIEF, ""},
		{SHARE_PROXY, NULL, NULL, false, SHARE_PROXY, ""},
		{SHARE_PROXY, NULL, NULL, true, SHARE_YIELD,
			"its clients can be counted, but not accepted"},
		{SHARE_PROXY, NULL, "no guard", false, SHARE_BRIEF, "no guard"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct share_means means = {
			cases[i].no_private, cases[i].no_hold, cases[i].no_proxy};
		struct err why = ERR_NONE;
		enum share got = share_choose(cases[i].wish, &means, &why);

		if (got != cases[i].expected)
			print_error("case %zu: %s\n", i, share_name(got));
		assert_int_equal(got, cases[i].expected);
		assert_string_equal(why.text, cases[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_has_its_word),
		cmocka_unit_test(the_way_follows_from_wish_and_means),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

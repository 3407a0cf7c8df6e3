// SPDX-License-Identifier: MIT
/* Lists of findings: texts are cut, groups name the first and count the rest. */
#include "config.h"

#include "base/checks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static void
lines_are_kept_in_order_with_their_advice(void **state)
{
	struct checks c = {0};

	(void)state;
	checks_add(&c, "a", CHECKS_OK, "%d VMs", 3);
	checks_add(&c, "b", CHECKS_PROBLEM, "it burns");
	checks_advise(&c, "call %s", "help");
	assert_int_equal(c.n, 2);
	assert_string_equal(c.list[0].text, "3 VMs");
	assert_null(c.list[0].advice);
	assert_int_equal(c.list[1].level, CHECKS_PROBLEM);
	assert_string_equal(c.list[1].advice, "call help");
	checks_fini(&c);
	assert_int_equal(c.n, 0);
}

static void
a_long_text_is_cut(void **state)
{
	struct checks c = {0};
	char text[4096];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	checks_add(&c, "a", CHECKS_NOTE, "%s", text);
	assert_true(strlen(c.list[0].text) < 1000);
	checks_fini(&c);
}

static void
levels_have_the_words_of_the_interface(void **state)
{
	(void)state;
	for (int l = CHECKS_OK; l <= CHECKS_PROBLEM; l++)
		assert_int_equal(
			checks_level_parse(checks_level_name((enum checks_level)l)), l);
	assert_int_equal(checks_level_parse("warning"), CHECKS_WARNING);
	assert_int_equal(checks_level_parse("bad"), -1);
}

static void
expect_group(size_t n, const char *id, const char *want)
{
	struct checks_group g = {0};
	char buf[CHECKS_GROUP_TEXT_MAX];
	char name[80];

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "%s%zu", id, i);
		checks_group_add(&g, name);
	}
	assert_string_equal(checks_group_text(&g, buf), want);
}

static void
groups_name_the_first_and_count_the_rest(void **state)
{
	(void)state;
	expect_group(1, "10", "VM 100");
	expect_group(3, "10", "VMs 100, 101, 102");
	expect_group(1000, "1", "VMs 10, 11, 12, 13, 14, 15, 16, 17 and 992 more");
	expect_group(3, "a-name-that-is-so-long-that-two-of-them-are-all-there-is-ro",
		"VMs a-name-that-is-so-long-that-two-of-them-are-all-there-is-ro0, "
		"a-name-that-is-so-long-that-two-of-them-are-all-there-is-ro1 and 1 "
		"more");
}

static void
none_is_named_behind_one_that_was_left_out(void **state)
{
	static const char name[] =
		"a-name-that-is-so-long-that-two-of-them-are-all-there-is-room-";
	struct checks_group g = {0};
	char buf[CHECKS_GROUP_TEXT_MAX];

	(void)state;
	for (int i = 0; i < 3; i++)
		checks_group_add(&g, name);
	checks_group_add(&g, "1");
	assert_int_equal(g.named, 2);
	assert_non_null(strstr(checks_group_text(&g, buf), "room- and 2 more"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_kept_in_order_with_their_advice),
		cmocka_unit_test(a_long_text_is_cut),
		cmocka_unit_test(levels_have_the_words_of_the_interface),
		cmocka_unit_test(groups_name_the_first_and_count_the_rest),
		cmocka_unit_test(none_is_named_behind_one_that_was_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Which columns of a table are shown. */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "cli/columns.h"

static const struct table_column all[] = {
	{.name = "VM"},
	{.name = "NAME", .min = 6},
	{.name = "PID", .extra = true, .right = true},
	{.name = "NOTE", .drop = 1},
};

static void
check(const char *names, bool every, const char *expected)
{
	struct strbuf text = {0};
	struct err e = ERR_NONE;
	struct columns c;

	if (columns_choose(all, ARRAY_LEN(all), names, every, &c, &e) != 0)
		fail_msg("%s: %s", names, e.text);
	for (size_t i = 0; i < c.n; i++) {
		strbuf_addf(&text, "%s ", c.shown[i].name);
		assert_ptr_equal(c.shown[i].name, all[c.given[i]].name);
	}
	assert_string_equal(strbuf_text(&text), expected);
	strbuf_fini(&text);
}

static void
the_usual_ones_are_shown_unless_others_are_named(void **state)
{
	(void)state;
	check(NULL, false, "VM NAME NOTE ");
	check(NULL, true, "VM NAME PID NOTE ");
	check("note,vm", false, "NOTE VM ");
	check("Pid", false, "PID ");
	check("+pid", false, "VM NAME NOTE PID ");
	check("+vm,pid", false, "VM NAME NOTE PID ");
	check("vm,vm,VM", false, "VM ");
}

static void
a_column_that_was_named_stays_where_the_window_is_narrow(void **state)
{
	struct columns c;

	(void)state;
	assert_int_equal(
		columns_choose(all, ARRAY_LEN(all), "note", false, &c, NULL), 0);
	assert_int_equal(c.shown[0].drop, 0);
	assert_int_equal(
		columns_choose(all, ARRAY_LEN(all), "+pid", false, &c, NULL), 0);
	assert_int_equal(c.shown[2].drop, 1);
}

static void
a_wrong_name_is_told_with_the_right_ones(void **state)
{
	static const char *const wrong[] = {"cpu", "", "vm,", ",vm", "+", "vm,,pid",
		"vm ", "v", "notes",
		"a_name_that_is_longer_than_any_column_and_than_the_message_may_be"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct columns c = {.n = 77};
		struct err e = ERR_NONE;

		if (columns_choose(all, ARRAY_LEN(all), wrong[i], false, &c, &e) !=
			-EINVAL)
			fail_msg("'%s' was taken", wrong[i]);
		assert_int_equal(c.n, 77);
		assert_non_null(strstr(e.text, "there are vm, name, pid, note"));
		assert_true(strlen(e.text) < 120);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_usual_ones_are_shown_unless_others_are_named),
		cmocka_unit_test(
			a_column_that_was_named_stays_where_the_window_is_narrow),
		cmocka_unit_test(a_wrong_name_is_told_with_the_right_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

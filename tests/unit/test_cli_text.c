// SPDX-License-Identifier: MIT
/* The pure parts of the output: safe text, the order of VMs, the widths of a table. */
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
#include <string.h>

#include "base/attr.h"
#include "base/json.h"
#include "cli/out.h"
#include "cli/table.h"
#include "cli/vms.h"

static void
control_and_disguise_are_escaped(void **state)
{
	static const struct {
		const char *in;
		const char *ascii;
		const char *utf8;
	} cases[] = {
		{"web-1", "web-1", "web-1"},
		{"", "", ""},
		{"a\nb\tc\x1b[31m", "a\\x0ab\\x09c\\x1b[31m", "a\\x0ab\\x09c\\x1b[31m"},
		{"back\\slash\x7f", "back\\\\slash\\x7f", "back\\\\slash\\x7f"},
		{"gr\xc3\xb6\xc3\x9f"
		 "e",
			"gr\\xc3\\xb6\\xc3\\x9fe",
			"gr\xc3\xb6\xc3\x9f"
			"e"},
		{"c1\xc2\x9b"
		 "31m",
			"c1\\xc2\\x9b31m", "c1\\xc2\\x9b31m"},
		{"rtl\xe2\x80\xae", "rtl\\xe2\\x80\\xae", "rtl\\xe2\\x80\\xae"},
		{"zero\xe2\x80\x8bwidth", "zero\\xe2\\x80\\x8bwidth",
			"zero\\xe2\\x80\\x8bwidth"},
		{"cut\xc3", "cut\\xc3", "cut\\xc3"},
		{"over\xc0\xaf", "over\\xc0\\xaf", "over\\xc0\\xaf"},
		{"line\xe2\x80\xa8", "line\\xe2\\x80\\xa8", "line\\xe2\\x80\\xa8"},
	};

	(void)state;
	for (unsigned int utf8 = 0; utf8 < 2; utf8++) {
		if (setlocale(LC_CTYPE, utf8 ? "C.UTF-8" : "C") == NULL)
			skip();
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			auto_free char *out = out_safe(cases[i].in);

			if (strcmp(out, utf8 ? cases[i].utf8 : cases[i].ascii) != 0)
				fail_msg("case %zu, utf8 %u: %s", i, utf8, out);
		}
	}
}

static void
members_read_as_people_write_them(void **state)
{
	static const struct {
		const char *json;
		const char *want;
	} cases[] = {
		{"{\"m\":\"text\"}", "text"},
		{"{\"m\":\"\"}", "-"},
		{"{\"m\":12}", "12"},
		{"{\"m\":98.26}", "98.3"},
		{"{\"m\":true}", "yes"},
		{"{\"m\":false}", "no"},
		{"{\"m\":null}", "-"},
		{"{\"m\":[1]}", "-"},
		{"{}", "-"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *obj = json_loads(cases[i].json, 0, NULL);
		auto_free char *out = out_member(obj, "m");

		if (strcmp(out, cases[i].want) != 0)
			fail_msg("case %zu: %s", i, out);
		json_decref(obj);
	}
}

static void
ids_are_ordered_numbers_first_and_by_value(void **state)
{
	static const char *const order[] = {"0", "9", "10", "0100", "100", "103",
		"1000", "99999999999999999999999999", "-1", "a1", "a10", "b"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		for (size_t k = 0; k < ARRAY_LEN(order); k++) {
			int r = vms_compare_ids(order[i], order[k]);

			if ((r < 0) != (i < k) || (r > 0) != (i > k))
				fail_msg("%s, %s: %d", order[i], order[k], r);
		}
	}
}

static void
vms_are_sorted_and_what_is_none_is_left_out(void **state)
{
	static const char text[] =
		"[{\"id\":\"b\"},{\"id\":\"1000\"},null,5,{\"id\":\"99\"},"
		"{\"id\":7},[],{\"id\":\"100\"}]";
	static const char *const want[] = {"99", "100", "1000", NULL, "b"};
	auto_json json_t *list = json_loads(text, 0, NULL);
	auto_json json_t *sorted = vms_sorted(list);

	(void)state;
	assert_int_equal(json_array_size(sorted), ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		const char *id = json_string_value(
			json_object_get(json_array_get(sorted, i), "id"));

		if (want[i] == NULL)
			assert_null(id);
		else
			assert_string_equal(id, want[i]);
	}
}

#define COLUMNS 4

static const struct table_column columns[COLUMNS] = {
	{.name = "A"},
	{.name = "B", .min = 4},
	{.name = "C", .drop = 1},
	{.name = "D", .min = 4, .drop = 2},
};

static void
columns_are_fitted_by_their_rules(void **state)
{
	/* In: 5, 10, 6, 10, which need 34. */
	static const struct {
		size_t width;
		size_t want[COLUMNS];
	} cases[] = {
		{1000, {5, 10, 6, 10}},
		{34, {5, 10, 6, 10}},
		{33, {5, 10, 6, 9}},
		{28, {5, 10, 6, 4}},
		{27, {5, 9, 6, 4}},
		{22, {5, 4, 6, 4}},
		{21, {5, 10, 0, 4}},
		{15, {5, 4, 0, 4}},
		{14, {5, 8, 0, 0}},
		{10, {5, 4, 0, 0}},
		{3, {5, 4, 0, 0}}, /* never less than this */
		{0, {5, 4, 0, 0}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t widths[COLUMNS] = {5, 10, 6, 10};

		table_fit(columns, COLUMNS, cases[i].width, widths);
		for (size_t c = 0; c < COLUMNS; c++) {
			if (widths[c] != cases[i].want[c])
				fail_msg("width %zu, column %zu: %zu", cases[i].width,
					c, widths[c]);
		}
	}
}

static void
sentences_go_below_where_they_are_squeezed(void **state)
{
	static const struct table_column with_below[] = {
		{.name = "A"}, {.name = "B", .min = 4, .below = 20}};
	static const struct {
		size_t width;
		size_t last; /* the widest cell of it */
		bool below;
	} cases[] = {
		{80, 60, false}, /* all of it is seen */
		{80, 10, false}, {66, 60, false},
		{65, 60, false}, /* cut, but wide enough */
		{26, 60, false}, {25, 60, true}, {10, 60, true},
		{20, 14, false}, /* narrow, and all of it is seen */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t widths[] = {5, cases[i].last};

		if (table_goes_below(with_below, 2, cases[i].width, widths) !=
			cases[i].below)
			fail_msg("case %zu", i);
		assert_int_equal(widths[1], cases[i].below ? 0 : cases[i].last);
	}
	assert_false(table_goes_below(
		columns, COLUMNS, 10, (size_t[COLUMNS]){5, 10, 6, 10}));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_and_disguise_are_escaped),
		cmocka_unit_test(members_read_as_people_write_them),
		cmocka_unit_test(ids_are_ordered_numbers_first_and_by_value),
		cmocka_unit_test(vms_are_sorted_and_what_is_none_is_left_out),
		cmocka_unit_test(columns_are_fitted_by_their_rules),
		cmocka_unit_test(sentences_go_below_where_they_are_squeezed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

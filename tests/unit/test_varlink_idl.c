// SPDX-License-Identifier: MIT
/* The reader of interface descriptions: what is declared, what has its shape. */
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
#include "ctl/idl.h"
#include "ctl/shapes.h"

static const char description[] =
	"# type Comment (x: int)\n"
	"interface a.b\n"
	"type Colour (red, green)\n"
	"type Empty ()\n"
	"type Inner (x: ?int, # a comment: with (parens\n"
	"  y: float)\n"
	"type Deep (\n"
	"  kind: (big, small),\n"
	"  list: []Inner,\n"
	"  maybe: ?[]string,\n"
	"  any: ?object\n"
	")\n"
	"method One(a: string, b: ?bool, c: ?Colour) -> (d: Deep)\n"
	"method OneMore() -> ()\n"
	"error Bad(why: string)\n";

static void
declared_names_are_found_whole_and_by_their_kind(void **state)
{
	static const struct {
		enum idl_part part;
		const char *name;
		bool want;
	} cases[] = {
		{IDL_METHOD_IN, "One", true},
		{IDL_METHOD_OUT, "One", true},
		{IDL_METHOD_IN, "OneMore", true},
		{IDL_METHOD_IN, "On", false},
		{IDL_METHOD_IN, "", false},
		{IDL_METHOD_IN, "One(", false},
		{IDL_METHOD_IN, "Deep", false},
		{IDL_TYPE, "Deep", true},
		{IDL_TYPE, "Comment", false},
		{IDL_ERROR, "Bad", true},
		{IDL_ERROR, "Good", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (idl_has(description, cases[i].part, cases[i].name) != cases[i].want)
			fail_msg("case %zu: %s", i, cases[i].name);
	}
}

static void
values_are_checked_against_their_declaration(void **state)
{
	static const struct {
		enum idl_part part;
		const char *name;
		const char *json;
		const char *bad; /* NULL: fits */
	} cases[] = {
		{IDL_METHOD_IN, "One", "{\"a\":\"x\"}", NULL},
		{IDL_METHOD_IN, "One", "{\"a\":\"x\",\"b\":null,\"c\":\"green\"}",
			NULL},
		{IDL_METHOD_IN, "One", "{\"a\":\"x\",\"b\":true}", NULL},
		{IDL_METHOD_IN, "One", "{}", "a"},
		{IDL_METHOD_IN, "One", "{\"a\":null}", "a"},
		{IDL_METHOD_IN, "One", "{\"a\":1}", "a"},
		{IDL_METHOD_IN, "One", "{\"a\":\"x\",\"b\":1}", "b"},
		{IDL_METHOD_IN, "One", "{\"a\":\"x\",\"c\":\"blue\"}", "c"},
		{IDL_METHOD_IN, "One", "{\"a\":\"x\",\"c\":[]}", "c"},
		{IDL_METHOD_IN, "One", "{\"a\":\"x\",\"extra\":1}", "extra"},
		{IDL_METHOD_IN, "OneMore", "{}", NULL},
		{IDL_METHOD_IN, "OneMore", "{\"a\":1}", "a"},
		{IDL_METHOD_OUT, "OneMore", "{}", NULL},
		{IDL_METHOD_OUT, "One",
			"{\"d\":{\"kind\":\"big\",\"list\":[{\"y\":1},{\"x\":2,\"y\":0.5}],"
			"\"maybe\":[\"s\"],\"any\":{\"q\":1}}}",
			NULL},
		{IDL_METHOD_OUT, "One", "{\"d\":{\"kind\":\"huge\",\"list\":[]}}", "d"},
		{IDL_TYPE, "Deep", "{\"kind\":\"big\",\"list\":{}}", "list"},
		{IDL_TYPE, "Deep", "{\"kind\":\"big\",\"list\":[{}]}", "list"},
		{IDL_TYPE, "Deep", "{\"kind\":\"big\",\"list\":[null]}", "list"},
		{IDL_TYPE, "Deep", "{\"kind\":\"big\",\"list\":[],\"maybe\":[1]}",
			"maybe"},
		{IDL_TYPE, "Deep", "{\"kind\":\"big\",\"list\":[],\"any\":1}", "any"},
		{IDL_TYPE, "Inner", "{\"x\":1.5,\"y\":1}", "x"},
		{IDL_ERROR, "Bad", "{\"why\":\"x\"}", NULL},
		{IDL_ERROR, "Unknown", "{}", ""},
		{IDL_TYPE, "Deep", "[]", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *value = json_loads(cases[i].json, 0, NULL);
		char bad[16] = "untouched";
		bool ok = idl_check(description, cases[i].part, cases[i].name, value,
			bad, sizeof(bad));

		assert_non_null(value);
		if (ok != (cases[i].bad == NULL) ||
			(!ok && strcmp(bad, cases[i].bad) != 0))
			fail_msg("case %zu: %s: %d, bad '%s'", i, cases[i].json, ok,
				bad);
		json_decref(value);
	}
}

static void
long_names_of_others_are_cut_not_overrun(void **state)
{
	json_t *value = json_loads("{\"a_very_long_member_name\":1}", 0, NULL);
	char bad[8];

	(void)state;
	assert_false(
		idl_check(description, IDL_TYPE, "Empty", value, bad, sizeof(bad)));
	assert_string_equal(bad, "a_very_");
	json_decref(value);
}

/* Each declaration of the real interface can be walked: an empty object is wrong only
 * where a member is required. */
static void
real_interface_is_understood(void **state)
{
	static const struct {
		enum idl_part part;
		const char *name;
		bool empty_fits;
	} cases[] = {
		{IDL_METHOD_IN, "GetStatus", true},
		{IDL_METHOD_OUT, "GetStatus", false},
		{IDL_METHOD_IN, "ListVMs", true},
		{IDL_METHOD_OUT, "ListVMs", false},
		{IDL_METHOD_IN, "SetMode", false},
		{IDL_METHOD_OUT, "SetMode", true},
		{IDL_METHOD_OUT, "GetConfig", false},
		{IDL_METHOD_IN, "Reload", true},
		{IDL_TYPE, "VM", false},
		{IDL_TYPE, "Check", false},
		{IDL_ERROR, "Failed", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *empty = json_object();
		char bad[64];

		assert_true(
			idl_has(ctl_interface_text(), cases[i].part, cases[i].name));
		if (idl_check(ctl_interface_text(), cases[i].part, cases[i].name, empty,
			    bad, sizeof(bad)) != cases[i].empty_fits)
			fail_msg("%s: %s", cases[i].name, bad);
		json_decref(empty);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(declared_names_are_found_whole_and_by_their_kind),
		cmocka_unit_test(values_are_checked_against_their_declaration),
		cmocka_unit_test(long_names_of_others_are_cut_not_overrun),
		cmocka_unit_test(real_interface_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

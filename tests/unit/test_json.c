// SPDX-License-Identifier: MIT
/* JSON from outside: caps hold before anything is parsed, access never guesses. */
#include "config.h"

#include "base/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct json_caps caps = {.bytes = 100, .depth = 4, .values = 10};

static void
only_one_whole_object_is_taken(void **state)
{
	static const struct {
		const char *text;
		int result;
	} cases[] = {
		{"{}", 0},
		{" {\"a\": [1, {\"b\": 2}]} \r\n", 0},
		{"", -EBADMSG},
		{"[]", -EBADMSG},
		{"1", -EBADMSG},
		{"{} {}", -EBADMSG},
		{"{}x", -EBADMSG},
		{"{\"a\":1,\"a\":2}", -EBADMSG},
		{"{\"a\":\"\\u0000\"}", -EBADMSG},
		{"{\"a\":1", -EBADMSG},
		{"{'a':1}", -EBADMSG},
		{"{\"a\":\"\xff\"}", -EBADMSG},
		{"{\"a\":[[[1]]]}", 0},
		{"{\"a\":[[[[1]]]]}", -E2BIG},
		{"[[[[[", -E2BIG},
		{"{\"a\":[1,2,3,4,5,6,7,8,9]}", 0},
		{"{\"a\":[1,2,3,4,5,6,7,8,9,10]}", -E2BIG},
		{"{\"a\":\"{{{{{{{{,,,,,,,,,,,\\\"[[[[[[[\"}", 0},
		{"{\"a\":\"\\\\\",\"b\":[[[[1]]]]}", -E2BIG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t untouched;
		json_t *out = &untouched;
		struct err e = ERR_NONE;
		int r = json_parse_object(
			cases[i].text, strlen(cases[i].text), &caps, &out, &e);

		if (r != cases[i].result)
			fail_msg("%s: %d %s", cases[i].text, r, e.text);
		assert_true(err_is_set(&e) == (r < 0));
		if (r < 0)
			assert_ptr_equal(out, &untouched);
		else
			json_decref(out);
	}
}

static void
bytes_beyond_the_length_are_not_read(void **state)
{
	auto_json json_t *out = NULL;

	(void)state;
	assert_int_equal(json_parse_object("{}garbage", 2, &caps, &out, NULL), 0);
}

static void
long_texts_are_refused_unread(void **state)
{
	static char text[101];
	json_t *out = NULL;

	(void)state;
	memset(text, ' ', sizeof(text));
	text[0] = '{';
	text[99] = '}';
	assert_int_equal(json_parse_object(text, 101, &caps, &out, NULL), -E2BIG);
	assert_int_equal(json_parse_object(text, 100, &caps, &out, NULL), 0);
	json_decref(out);
}

static void
members_have_the_type_they_are_asked_for(void **state)
{
	static const char text[] = "{\"n\":5,\"neg\":-1,\"real\":1.5,\"t\":true,"
				   "\"s\":\"x\",\"a\":[],\"o\":{},\"z\":null}";
	const struct json_caps roomy = {1000, 4, 100};
	auto_json json_t *obj = NULL;
	const char *s = "untouched";
	json_t *v = NULL;
	uint64_t n = 77;
	int b = 77;

	(void)state;
	assert_int_equal(json_parse_object(text, strlen(text), &roomy, &obj, NULL), 0);
	assert_int_equal(json_get_uint(obj, "n", 5, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(json_get_uint(obj, "n", 4, &n), -ERANGE);
	assert_int_equal(json_get_uint(obj, "neg", UINT64_MAX, &n), -ERANGE);
	assert_int_equal(json_get_uint(obj, "real", 5, &n), -EINVAL);
	assert_int_equal(json_get_uint(obj, "s", 5, &n), -EINVAL);
	assert_int_equal(json_get_uint(obj, "none", 5, &n), -ENOENT);
	assert_int_equal(json_get_uint(obj, "z", 5, &n), -ENOENT);
	assert_int_equal(n, 5);
	assert_int_equal(json_get_bool(obj, "n", &b), -EINVAL);
	assert_int_equal(json_get_bool(obj, "t", &b), 0);
	assert_int_equal(b, 1);
	assert_int_equal(json_get_string(obj, "n", &s), -EINVAL);
	assert_string_equal(s, "untouched");
	assert_int_equal(json_get_string(obj, "s", &s), 0);
	assert_string_equal(s, "x");
	assert_int_equal(json_get_array(obj, "o", &v), -EINVAL);
	assert_int_equal(json_get_array(obj, "a", &v), 0);
	assert_int_equal(json_get_object(obj, "a", &v), -EINVAL);
	assert_int_equal(json_get_object(obj, "o", &v), 0);
	assert_int_equal(json_get_object(obj, "z", &v), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_one_whole_object_is_taken),
		cmocka_unit_test(bytes_beyond_the_length_are_not_read),
		cmocka_unit_test(long_texts_are_refused_unread),
		cmocka_unit_test(members_have_the_type_they_are_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

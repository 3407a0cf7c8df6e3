// SPDX-License-Identifier: MIT
/* Strings as QEMU's json-parser takes them: escapes, modified UTF-8, single quotes. */
#include "config.h"

#include "qmp/jstring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "spans.h"

#define ESCAPE "invalid escape sequence in string"
#define UNICODE "is not a valid Unicode character"
#define UTF8 "invalid UTF-8 sequence in string"

/* A string with its quotes, and what it means or what is wrong with it. */
static const struct {
	const char *string;
	const char *means; /* NULL: nothing */
	const char *fault; /* NULL: QEMU takes it */
	const char *bad;   /* what the fault quotes */
} cases[] = {
	{"\"\"", "", NULL, NULL},
	{"''", "", NULL, NULL},
	{"'say \"so\"'", "say \"so\"", NULL, NULL},
	{"\"\\\"\\'\\\\\\/\\b\\f\\n\\r\\t\"", "\"'\\/\b\f\n\r\t", NULL, NULL},
	{"\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac", NULL, NULL},
	{"\"\\ud83d\\uDE00\"", "\xf0\x9f\x98\x80", NULL, NULL},
	{"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
		"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", NULL, NULL},
	/* QEMU's NUL in UTF-8 is right, and yet no text */
	{"\"\xc0\x80\"", NULL, NULL, NULL},
	{"\"\\u0000\"", NULL, NULL, NULL},
	{"\"", NULL, "expecting value", ""},
	{"\"a'", NULL, "expecting value", ""},
	{"12", NULL, "expecting value", ""},
	{"\"\\x\"", NULL, ESCAPE, ""},
	{"\"\\\"", NULL, ESCAPE, ""},
	{"\"\\u12\"", NULL, UNICODE, "\\u12\""},
	{"\"\\u12g4\"", NULL, UNICODE, "\\u12g4"},
	{"\"\\u12\x11"
	 "4\"",
		NULL, UNICODE,
		"\\u12\x11"
		"4"},
	{"\"\\ud83d\"", NULL, UNICODE, "\\ud83d"},
	{"\"\\ud83d012345\"", NULL, UNICODE, "\\ud83d"},
	{"\"\\ud83d\\n12345\"", NULL, UNICODE, "\\ud83d"},
	{"\"\\ud83d\\u0041\"", NULL, UNICODE, "\\ud83d"},
	{"\"\\ud83d\\ue000\"", NULL, UNICODE, "\\ud83d"},
	{"\"\\ude00\\ud83d\"", NULL, UNICODE, "\\ude00"},
	{"\"\x80\"", NULL, UTF8, ""},
	{"\"\xf5\x80\x80\x80\"", NULL, UTF8, ""},
	{"\"\xc3\"", NULL, UTF8, ""},
	{"\"\xe2\x82(\"", NULL, UTF8, ""},
	{"\"\xc0\x81\"", NULL, UTF8, ""},
	{"\"\xe0\x80\x80\"", NULL, UTF8, ""},
	{"\"\xf4\x90\x80\x80\"", NULL, UTF8, ""},
	{"\"\xed\xa0\x80\"", NULL, UTF8, ""},
};

static void
strings_are_checked_as_by_qemu(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *fault = NULL;
		struct frame_span bad = {0};
		int r = jstring_check(span(cases[i].string), &fault, &bad);

		if (r != (cases[i].fault != NULL ? -EINVAL : 0))
			fail_msg("%s: %d", cases[i].string, r);
		if (cases[i].fault == NULL) {
			assert_null(fault);
			continue;
		}
		assert_string_equal(fault, cases[i].fault);
		if (bad.len != strlen(cases[i].bad) ||
			memcmp(bad.len > 0 ? bad.bytes : "", cases[i].bad, bad.len) !=
				0)
			fail_msg("%s: quotes '%.*s'", cases[i].string, (int)bad.len,
				bad.len > 0 ? bad.bytes : "");
	}
}

static void
strings_mean_what_they_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char buf[32] = "untouched";
		int r = jstring_decode(span(cases[i].string), buf, sizeof(buf));
		const char *means = cases[i].means;

		if (r != (means != NULL ? 0 : -EINVAL) ||
			strcmp(buf, means != NULL ? means : "untouched") != 0)
			fail_msg("%s: %d, '%s'", cases[i].string, r, buf);
	}
}

static void
text_that_does_not_fit_is_refused_whole(void **state)
{
	char buf[5] = "old";
	char big[300];

	(void)state;
	assert_int_equal(jstring_decode(span("\"abcd\""), buf, sizeof(buf)), 0);
	assert_string_equal(buf, "abcd");
	assert_int_equal(jstring_decode(span("\"abcde\""), buf, sizeof(buf)), -ERANGE);
	/* a character is not cut */
	assert_int_equal(
		jstring_decode(span("\"ab\xe2\x82\xac\""), buf, sizeof(buf)), -ERANGE);
	assert_string_equal(buf, "abcd");
	memset(big, 'x', sizeof(big));
	big[0] = big[298] = '"';
	big[299] = '\0';
	assert_int_equal(jstring_decode(span(big), big, sizeof(big)), -ERANGE);
}

static void
bytes_are_escaped_as_qemu_prints_them(void **state)
{
	static const char bytes[] = "a\"\\\b\f\n\r\t\x01\x7f\xc3z";
	struct strbuf out = {0};

	(void)state;
	jstring_escape(bytes, sizeof(bytes), &out); /* with its NUL */
	expect_written(&out, "a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007F\\uFFFDz\\u0000");
}

static void
values_are_laid_out_on_one_line(void **state)
{
	static const struct {
		const char *value;
		const char *laid_out;
	} values[] = {
		{"{ 'a' :\t[1,\r\n2] }", "{\"a\": [1, 2]}"},
		{"'say \"so\"'", "\"say \\\"so\\\"\""},
		{"'it\\'s'", "\"it's\""},
		{"\"it's, \\\" : {\\\\\"", "\"it's, \\\" : {\\\\\""},
		{"-1.5e+7", "-1.5e+7"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct strbuf out = {0};

		jstring_lay_out(span(values[i].value), &out);
		expect_written(&out, values[i].laid_out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_checked_as_by_qemu),
		cmocka_unit_test(strings_mean_what_they_say),
		cmocka_unit_test(text_that_does_not_fit_is_refused_whole),
		cmocka_unit_test(bytes_are_escaped_as_qemu_prints_them),
		cmocka_unit_test(values_are_laid_out_on_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

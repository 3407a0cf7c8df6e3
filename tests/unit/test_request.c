// SPDX-License-Identifier: MIT
/* What clients say, whole and in pieces. That QEMU answers the same is
 * test_proxy_qemu's matter. */
#include "config.h"

#include "qmp/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* What is found: "name(id)", "!error", "..." for too long; at most @piece bytes a call.
 */
static char *
read_all(const char *text, size_t len, size_t piece)
{
	struct strbuf log = {0};
	struct request r = {.given = true};

	while (len > 0) {
		struct frame_span in = {text, len < piece ? len : piece};
		size_t given = in.len;
		enum request_verdict verdict = request_feed(&r, &in);

		text += given - in.len;
		len -= given - in.len;
		if (verdict == REQUEST_COMMAND)
			strbuf_addf(&log, "%s(%.*s) ", r.name, (int)r.id.len,
				r.id.len > 0 ? r.id.bytes : "");
		else if (verdict == REQUEST_REFUSED)
			strbuf_addf(&log, "!%s%s ", r.desc.s, r.id.len > 0 ? "#" : "");
		else if (verdict == REQUEST_TOO_LONG)
			strbuf_adds(&log, "... ");
		if (verdict == REQUEST_TOO_LONG)
			break;
	}
	request_fini(&r);
	return strbuf_take(&log);
}

static const struct {
	const char *text;
	const char *found;
} cases[] = {
	{"{\"execute\":\"a\"}", "a() "},
	{" {\"execute\":\"a\",\"id\":1}{\"id\":2,\"execute\":\"b\"}\r\n", "a(1) b(2) "},
	{"{\"execute\":\"a\",\"id\":null}", "a(null) "},
	{"{\"execute\":\"a\",\"id\":true}", "a(true) "},
	{"{\"execute\":\"a\",\"id\":-1.50e+7}", "a(-1.50e+7) "},
	{"{\"execute\":\"a\",\"id\":\"}{\\\"\\\\\"}", "a(\"}{\\\"\\\\\") "},
	{"{\"execute\":\"a\",\"id\":[1,{\"id\":2}]}", "a([1,{\"id\":2}]) "},
	{"{\"execute\":\"a\",\"id\": {\"id\": [ ]} }", "a({\"id\": [ ]}) "},
	{"{\"arguments\":{\"id\":5,\"execute\":\"x\"},\"execute\":\"a\"}", "a() "},
	{"{\"\\u0069d\":4,\"e\\u0078ecute\":\"\\u0061b\"}", "ab(4) "},
	{"{'execute':'a','id':'b\"c'}", "a('b\"c') "},
	{"{\"execute\":\"a\",\"id\":1,\"id\":2}", "!JSON parse error, duplicate key "},
	{"{\"id\":3}", "!QMP input lacks member 'execute'# "},
	{"{\"execute\":\"a\",\"x\\n\":1,\"id\":3}",
		"!QMP input member 'x\\n' is unexpected# "},
	{"{\"exec-oob\":\"a\"}", "!QMP input member 'exec-oob' is unexpected "},
	{"{\"execute\":[]}", "!QMP input member 'execute' must be a string "},
	{"{\"execute\":\"a\",\"arguments\":[]}",
		"!QMP input member 'arguments' must be an object "},
	{"[{\"execute\":\"a\"}]", "!QMP input must be a JSON object "},
	{"7 \"x\"",
		"!QMP input must be a JSON object !QMP input must be a JSON object "},
	{"nul ", "!JSON parse error, invalid keyword 'nul' "},
	{"{\"a\":[1 2]}", "!JSON parse error, expected separator in list "},
	{"{\"a\":{}]} ", "!JSON parse error, expected separator in dict "
			 "!JSON parse error, expecting value "},
	{"{\"a\":[}]", "!JSON parse error, expecting value "},
	{"{\"execute\":\"a\nb\"}\n{\"execute\":\"c\"}",
		"!JSON parse error, stray '\\\"a\\n' "
		"!JSON parse error, expecting value c() "},
	{"{\"execute\":\"a\xff{\"execute\":\"c\"}",
		"!JSON parse error, stray '\\\"a\\uFFFD' c() "},
	{"01,", "!JSON parse error, stray '01' !JSON parse error, expecting value "},
	{"{\"execute\":\"a\",\"id\":\"\\ud83d\\ude00\"}", "a(\"\\ud83d\\ude00\") "},
	{"{\"execute\":\"a\",\"id\":\"\\ude00\"}",
		"!JSON parse error, \\\\ude00 is not a valid Unicode character "},
	{"{\"execute\":\"a\",\"id\":\"\xf0\x9f\x98\x80\"}", "a(\"\xf0\x9f\x98\x80\") "},
	{"{\"execute\":\"a\",\"id\":\"\xf0\x9f\"}",
		"!JSON parse error, invalid UTF-8 sequence in string "},
	{"{\"execute\":\"a\"", ""},
	{"", ""},
};

static void
commands_are_found_however_the_bytes_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t piece = 1; piece < 40; piece++) {
			auto_free char *found =
				read_all(cases[i].text, strlen(cases[i].text), piece);

			if (strcmp(found, cases[i].found) != 0)
				fail_msg("%s in pieces of %zu: %s", cases[i].text,
					piece, found);
		}
	}
}

static void
nul_bytes_are_refused(void **state)
{
	static const char text[] = "\0{\"execute\":\"a\"}";
	auto_free char *found = read_all(text, sizeof(text) - 1, 3);

	(void)state;
	assert_string_equal(found, "!JSON parse error, stray '' a() ");
}

/* Opening and closing brackets around an id. */
static char *
nested(unsigned int depth)
{
	struct strbuf text = {0};

	strbuf_adds(&text, "{\"execute\":\"a\",\"id\":");
	for (unsigned int i = 0; i < depth; i++)
		strbuf_adds(&text, "[");
	for (unsigned int i = 0; i < depth; i++)
		strbuf_adds(&text, "]");
	strbuf_adds(&text, "}");
	return strbuf_take(&text);
}

static void
nesting_is_bounded_as_in_qemu(void **state)
{
	auto_free char *most = nested(REQUEST_DEPTH_MAX - 1);
	auto_free char *more = nested(REQUEST_DEPTH_MAX);
	auto_free char *good = read_all(most, strlen(most), 100);
	auto_free char *bad = read_all(more, strlen(more), 100);

	(void)state;
	assert_true(str_has_prefix(good, "a([[["));
	assert_true(str_has_prefix(bad, "!JSON nesting depth limit exceeded "));
}

static void
long_commands_and_ids_are_refused(void **state)
{
	auto_free char *text = xcalloc(REQUEST_BYTES_MAX + 100, 1);
	auto_free char *found = NULL;
	auto_free char *id = NULL;

	(void)state;
	memset(text, 'x', REQUEST_BYTES_MAX + 99);
	memcpy(text, "{\"execute\":\"", 12);
	found = read_all(text, REQUEST_BYTES_MAX + 99, 10000);
	assert_string_equal(found, "... ");
	memcpy(text, "{\"execute\":\"a\",\"id\":\"", 21);
	memcpy(text + REQUEST_ID_MAX + 30, "\"}", 3);
	id = read_all(text, strlen(text), 10000);
	assert_string_equal(id, "!QMP input member 'id' is too long ");
}

static void
the_id_is_exchanged_and_nothing_else(void **state)
{
	static const struct {
		const char *text;
		const char *sent;
	} exchanged[] = {
		{"{\"execute\":\"a\" }", "{\"execute\":\"a\" ,\"id\":\"N\"}"},
		{"{\"id\" : [1, 2] ,\"execute\":\"a\"}",
			"{\"id\" : \"N\" ,\"execute\":\"a\"}"},
		{"{\"execute\":\"a\",\"arguments\":{\"id\":1.50},\"id\":\"\"}",
			"{\"execute\":\"a\",\"arguments\":{\"id\":1.50},\"id\":\"N\"}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(exchanged); i++) {
		struct frame_span in = {exchanged[i].text, strlen(exchanged[i].text)};
		struct request r = {0};
		struct strbuf out = {0};

		assert_int_equal(request_feed(&r, &in), REQUEST_COMMAND);
		request_format(&r, "\"N\"", &out);
		assert_string_equal(out.s, exchanged[i].sent);
		strbuf_fini(&out);
		request_fini(&r);
	}
}

#define HMP(line)                                               \
	"{\"execute\":\"human-monitor-command\",\"arguments\":" \
	"{\"command-line\":\"" line "\"}}"

static void
only_what_reads_changes_nothing(void **state)
{
	static const struct {
		const char *text;
		bool changes;
	} commands[] = {
		{"{\"execute\":\"query-status\"}", false},
		{"{\"execute\":\"qom-get\"}", false},
		{"{\"execute\":\"qom-list-types\"}", false},
		{"{\"execute\":\"qom-set\"}", true},
		{"{\"execute\":\"device_add\"}", true},
		{"{\"execute\":\"cont\"}", true},
		{HMP("info cpus"), false},
		{HMP(" \\tinfo"), false},
		{HMP("information"), true},
		{HMP("device_add x"), true},
		{"{\"execute\":\"human-monitor-command\"}", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		struct frame_span in = {commands[i].text, strlen(commands[i].text)};
		struct request r = {0};

		assert_int_equal(request_feed(&r, &in), REQUEST_COMMAND);
		if (request_may_change(&r) != commands[i].changes)
			fail_msg("%s", commands[i].text);
		request_fini(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_found_however_the_bytes_are_cut),
		cmocka_unit_test(nul_bytes_are_refused),
		cmocka_unit_test(nesting_is_bounded_as_in_qemu),
		cmocka_unit_test(long_commands_and_ids_are_refused),
		cmocka_unit_test(the_id_is_exchanged_and_nothing_else),
		cmocka_unit_test(only_what_reads_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

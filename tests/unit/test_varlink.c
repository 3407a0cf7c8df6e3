// SPDX-License-Identifier: MIT
/* The varlink codec: framing under any split, caps, requests and replies. */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "ctl/varlink.h"

static void
messages_are_cut_the_same_at_every_split(void **state)
{
	static const char stream[] = "{\"a\":1}\0{}\0\0{\"b\":2}";
	static const char *const want[] = {"{\"a\":1}", "{}", "", "{\"b\":2}"};
	size_t len = sizeof(stream); /* the last NUL is the C string's own */

	(void)state;
	for (size_t split = 0; split <= len; split++) {
		struct varlink_framer f;
		size_t seen = 0;

		varlink_framer_init(&f, 100);
		for (unsigned int half = 0; half < 2; half++) {
			const char *text;
			size_t n;

			varlink_framer_add(&f, half == 0 ? stream : stream + split,
				half == 0 ? split : len - split);
			while (varlink_framer_next(&f, &text, &n) == 1) {
				assert_true(seen < ARRAY_LEN(want));
				assert_int_equal(n, strlen(want[seen]));
				assert_memory_equal(text, want[seen], n);
				seen++;
			}
		}
		assert_int_equal(seen, ARRAY_LEN(want));
		varlink_framer_fini(&f);
	}
}

static void
message_of_the_cap_passes_and_a_byte_more_does_not(void **state)
{
	static const char nul[1] = "";
	struct varlink_framer f;
	const char *text;
	size_t len;

	(void)state;
	for (unsigned int extra = 0; extra < 2; extra++) {
		varlink_framer_init(&f, 8);
		varlink_framer_add(&f, "123456789", 8 + extra);
		assert_int_equal(
			varlink_framer_next(&f, &text, &len), extra > 0 ? -E2BIG : 0);
		varlink_framer_add(&f, nul, 1);
		assert_int_equal(
			varlink_framer_next(&f, &text, &len), extra > 0 ? -E2BIG : 1);
		varlink_framer_fini(&f);
	}
}

static void
framer_gives_large_memory_back_when_it_is_empty(void **state)
{
	char *large = xcalloc(50000, 1);
	struct varlink_framer f;
	const char *text;
	size_t len;

	(void)state;
	memset(large, 'x', 49999);
	varlink_framer_init(&f, 60000);
	varlink_framer_add(&f, large, 50000);
	assert_int_equal(varlink_framer_next(&f, &text, &len), 1);
	assert_int_equal(varlink_framer_next(&f, &text, &len), 0);
	assert_int_equal(f.buf.cap, 0);
	varlink_framer_fini(&f);
	free(large);
}

static void
request_is_read_with_its_flags(void **state)
{
	static const char text[] =
		"{\"method\":\"io.qmpin.ListVMs\",\"parameters\":{\"id\":\"7\"},"
		"\"more\":true,\"unknown\":[1,2]}";
	struct varlink_request q;

	(void)state;
	assert_int_equal(varlink_request_decode(text, strlen(text), &q, NULL), 0);
	assert_string_equal(q.method, "io.qmpin.ListVMs");
	assert_string_equal(
		json_string_value(json_object_get(q.parameters, "id")), "7");
	assert_true(q.more);
	assert_false(q.oneway);
	assert_false(q.upgrade);
	varlink_request_fini(&q);
}

static void
absent_and_null_members_of_a_request_have_defaults(void **state)
{
	static const char *const cases[] = {
		"{\"method\":\"a.B\"}",
		"{\"method\":\"a.B\",\"parameters\":null,\"more\":null,\"oneway\":null}",
		" {\"method\":\"a.B\",\"parameters\":{},\"more\":false} \n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct varlink_request q;

		if (varlink_request_decode(cases[i], strlen(cases[i]), &q, NULL) != 0)
			fail_msg("case %zu: %s", i, cases[i]);
		assert_int_equal(json_object_size(q.parameters), 0);
		assert_false(q.more || q.oneway || q.upgrade);
		varlink_request_fini(&q);
	}
}

static void
what_is_no_request_is_refused_and_the_output_left_alone(void **state)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{"", -EBADMSG},
		{"{", -EBADMSG},
		{"[]", -EBADMSG},
		{"{}", -EBADMSG},
		{"{} {}", -EBADMSG},
		{"{\"method\":1}", -EBADMSG},
		{"{\"method\":null}", -EBADMSG},
		{"{\"method\":\"a.B\",\"method\":\"a.C\"}", -EBADMSG},
		{"{\"method\":\"a.B\\u0000\"}", -EBADMSG},
		{"{\"method\":\"a.\xff\"}", -EBADMSG},
		{"{\"method\":\"a.B\",\"parameters\":[]}", -EBADMSG},
		{"{\"method\":\"a.B\",\"parameters\":1}", -EBADMSG},
		{"{\"method\":\"a.B\",\"parameters\":{\"n\":1e999}}", -EBADMSG},
		{"{\"method\":\"a.B\",\"more\":1}", -EBADMSG},
		{"{\"method\":\"a.B\",\"oneway\":\"yes\"}", -EBADMSG},
		{"{\"method\":\"a.B\",\"upgrade\":{}}", -EBADMSG},
		{"{\"method\":\"a.B\",\"more\":true,\"oneway\":true}", -EBADMSG},
		{"{\"p\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", -E2BIG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct varlink_request q = {.method = "before"};
		struct err e = ERR_NONE;
		int r = varlink_request_decode(
			cases[i].text, strlen(cases[i].text), &q, &e);

		if (r != cases[i].want)
			fail_msg("%s: %d, not %d", cases[i].text, r, cases[i].want);
		if (!err_is_set(&e))
			fail_msg("%s: no text", cases[i].text);
		assert_string_equal(q.method, "before");
		assert_null(q.message);
	}
}

static void
many_values_are_refused_before_they_cost_memory(void **state)
{
	struct strbuf b = {0};
	struct varlink_request q;

	(void)state;
	strbuf_adds(&b, "{\"method\":\"a.B\",\"parameters\":{\"x\":[1");
	for (unsigned int i = 0; i < 10000; i++)
		strbuf_adds(&b, ",1");
	strbuf_adds(&b, "]}}");
	assert_true(b.len < VARLINK_REQUEST_MAX);
	assert_int_equal(varlink_request_decode(b.s, b.len, &q, NULL), -E2BIG);
	strbuf_fini(&b);
}

static void
request_survives_the_wire(void **state)
{
	struct varlink_request q;
	size_t len;
	char *text = varlink_request_encode(
		"io.qmpin.X", json_pack("{s:i}", "n", 5), true, &len);

	(void)state;
	assert_int_equal(len, strlen(text) + 1);
	assert_int_equal(varlink_request_decode(text, len - 1, &q, NULL), 0);
	assert_string_equal(q.method, "io.qmpin.X");
	assert_int_equal(json_integer_value(json_object_get(q.parameters, "n")), 5);
	assert_true(q.more);
	varlink_request_fini(&q);
	free(text);
}

static void
reply_is_written_as_the_protocol_has_it(void **state)
{
	static const struct {
		const char *error;
		bool continues;
		const char *want;
	} cases[] = {
		{NULL, false, "{\"parameters\":{}}"},
		{NULL, true, "{\"parameters\":{},\"continues\":true}"},
		{"io.qmpin.Busy", false,
			"{\"error\":\"io.qmpin.Busy\",\"parameters\":{}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct varlink_reply p;
		size_t len;
		char *text = varlink_reply_encode(
			cases[i].error, NULL, cases[i].continues, &len);

		assert_string_equal(text, cases[i].want);
		assert_int_equal(varlink_reply_decode(text, len - 1, &p, NULL), 0);
		assert_int_equal(p.continues, cases[i].continues);
		assert_true(str_equal(p.error, cases[i].error));
		varlink_reply_fini(&p);
		free(text);
	}
}

static void
what_is_no_reply_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"null",
		"{\"error\":5}",
		"{\"parameters\":\"x\"}",
		"{\"continues\":\"yes\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct varlink_reply p;

		if (varlink_reply_decode(cases[i], strlen(cases[i]), &p, NULL) !=
			-EBADMSG)
			fail_msg("case %zu: %s", i, cases[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_cut_the_same_at_every_split),
		cmocka_unit_test(message_of_the_cap_passes_and_a_byte_more_does_not),
		cmocka_unit_test(framer_gives_large_memory_back_when_it_is_empty),
		cmocka_unit_test(request_is_read_with_its_flags),
		cmocka_unit_test(absent_and_null_members_of_a_request_have_defaults),
		cmocka_unit_test(
			what_is_no_request_is_refused_and_the_output_left_alone),
		cmocka_unit_test(many_values_are_refused_before_they_cost_memory),
		cmocka_unit_test(request_survives_the_wire),
		cmocka_unit_test(reply_is_written_as_the_protocol_has_it),
		cmocka_unit_test(what_is_no_reply_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

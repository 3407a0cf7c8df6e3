// SPDX-License-Identifier: MIT
/* What QEMU says, whole and in pieces, for a client with an id and one without. */
#include "config.h"

#include "qmp/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/xalloc.h"

/* Kinds by their letters, '!' for broken. */
static void
pass(const char *text, size_t piece, const char *id, struct strbuf *out,
	struct strbuf *kinds)
{
	struct err e = ERR_NONE;
	struct reply r = {0};
	size_t len = strlen(text);

	while (len > 0) {
		struct frame_span in = {text, len < piece ? len : piece};
		size_t given = in.len;
		enum reply_step step = reply_feed(&r, &in, id, out, &e);

		text += given - in.len;
		len -= given - in.len;
		if (step == REPLY_ENDS)
			strbuf_addf(kinds, "%c%s ", "?GREV"[r.kind], r.id);
		else if (step == REPLY_BROKEN)
			strbuf_adds(kinds, "!");
		if (step == REPLY_BROKEN)
			return;
	}
	if (reply_is_partial(&r))
		strbuf_adds(kinds, "...");
}

static const struct {
	const char *text;
	const char *kinds;
	const char *with; /* id [1] */
	const char *without;
} cases[] = {
	{"{\"return\": {}, \"id\": \"x\"}\r\n", "R\"x\" ",
		"{\"return\": {}, \"id\": [1]}\r\n", "{\"return\": {}}\r\n"},
	{"{\"id\": \"x\", \"error\": {\"id\": 5}}\r\n", "E\"x\" ",
		"{\"id\": [1], \"error\": {\"id\": 5}}\r\n",
		"{\"error\": {\"id\": 5}}\r\n"},
	{"{\"return\": 5, \"id\": {\"a\": \"}\"}, \"z\": 1}", "R{\"a\": \"}\"} ",
		"{\"return\": 5, \"id\": [1], \"z\": 1}\r\n",
		"{\"return\": 5, \"z\": 1}\r\n"},
	{"{\"error\": {}}", "E ", "{\"error\": {}}\r\n", "{\"error\": {}}\r\n"},
	{"{\"timestamp\": {\"s\": 1}, \"event\": \"STOP\", \"id\": 3}\r\n", "V ",
		"{\"timestamp\": {\"s\": 1}, \"event\": \"STOP\", \"id\": 3}\r\n",
		"{\"timestamp\": {\"s\": 1}, \"event\": \"STOP\", \"id\": 3}\r\n"},
	{"{\"return\": [\"a\\\"}\\\\\", {\"id\": 1}], \"id\": 2}{\"event\": \"X\"}",
		"R2 V ",
		"{\"return\": [\"a\\\"}\\\\\", {\"id\": 1}], \"id\": [1]}\r\n"
		"{\"event\": \"X\"}\r\n",
		"{\"return\": [\"a\\\"}\\\\\", {\"id\": 1}]}\r\n{\"event\": "
		"\"X\"}\r\n"},
	{"{\n \"return\": {\n\t\"a\": \"b  c\" },\r\n \"id\": 7\n}", "R7 ",
		"{\"return\": {\"a\": \"b  c\" }, \"id\": [1]}\r\n",
		"{\"return\": {\"a\": \"b  c\" }}\r\n"},
	{"{\"QMP\": {}}", "G ", "{\"QMP\": {}}\r\n", "{\"QMP\": {}}\r\n"},
	{"{\"return\": {\"a", "...", "{\"return\": {\"a", "{\"return\": {\"a"},
	{"{\"id\": 1}", "!", "", ""},
	{"{}", "!", "", ""},
	{"[]", "!", "", ""},
	{"{\"what\": 1}", "!", "", ""},
	{"{\"return\": [}", "!", "{\"return\": [", "{\"return\": ["},
	{"{\"return\": \"a\nb\"}", "!", "{\"return\": \"a", "{\"return\": \"a"},
	{"{\"return\": }", "!", "{\"return\": ", "{\"return\": "},
	{"{\"return\": 1, \"id\": 1, \"id\": 2}", "!", "{\"return\": 1, \"id\": [1]",
		"{\"return\": 1"},
};

static void
objects_pass_however_the_bytes_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * 30 * ARRAY_LEN(cases); i++) {
		const char *text = cases[i / 60].text;
		const char *wanted =
			i % 2 == 0 ? cases[i / 60].with : cases[i / 60].without;
		struct strbuf out = {0};
		struct strbuf kinds = {0};

		pass(text, i / 2 % 30 + 1, i % 2 == 0 ? "[1]" : NULL, &out, &kinds);
		if (strcmp(strbuf_text(&out), wanted) != 0 ||
			strcmp(strbuf_text(&kinds), cases[i / 60].kinds) != 0)
			fail_msg("%s in pieces of %zu: %s (%s)", text, i / 2 % 30 + 1,
				strbuf_text(&out), strbuf_text(&kinds));
		strbuf_fini(&out);
		strbuf_fini(&kinds);
	}
}

static void
nesting_is_bounded(void **state)
{
	struct strbuf text = {0};
	struct strbuf kinds = {0};

	(void)state;
	strbuf_adds(&text, "{\"return\": ");
	for (unsigned int i = 0; i < REPLY_DEPTH_MAX; i++)
		strbuf_adds(&text, "[");
	pass(text.s, 1000, NULL, NULL, &kinds);
	assert_string_equal(kinds.s, "!");
	strbuf_fini(&text);
	strbuf_fini(&kinds);
}

static void
a_long_id_is_foreign(void **state)
{
	struct strbuf kinds = {0};

	(void)state;
	pass("{\"return\": {}, \"id\": \"0123456789012345678901234567890123456789"
	     "0123456789012345678901234567890123456789\"}",
		7, NULL, NULL, &kinds);
	assert_string_equal(kinds.s, "R ");
	strbuf_fini(&kinds);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_pass_however_the_bytes_are_cut),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(a_long_id_is_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

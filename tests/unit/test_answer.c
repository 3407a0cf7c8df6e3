// SPDX-License-Identifier: MIT
/* What the proxy says itself, byte for byte. That QEMU says the same is
 * test_proxy_qemu's matter. */
#include "config.h"

#include "qmp/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define REFUSED(desc)                                                            \
	"{\"id\": 7, \"error\": {\"class\": \"GenericError\", \"desc\": \"" desc \
	"\"}}\r\n"

static struct frame_span
span(const char *text)
{
	return (struct frame_span){text, strlen(text)};
}

static const struct {
	const char *arguments;
	const char *answer;
} cases[] = {
	{"{}", "{\"return\": {}, \"id\": 7}\r\n"},
	{"{\"enable\": []}", "{\"return\": {}, \"id\": 7}\r\n"},
	{"{\"enable\": 1}",
		REFUSED("Invalid parameter type for 'enable', expected: array")},
	{"{\"enable\": [1]}",
		REFUSED("Invalid parameter type for 'enable[0]', expected: string")},
	{"{\"enable\": [\"oob\"]}", REFUSED("Capability oob not available")},
	{"{\"enable\": ['a\"b']}",
		REFUSED("Parameter 'null' does not accept value 'a\\\"b'")},
	{"{\"enable\": [], \"x\\ty\": 1}", REFUSED("Parameter 'x\\ty' is unexpected")},
	{"{\"a-name-longer-than-any-that-qemu-has\": 1, \"b\": 2}",
		REFUSED("Parameter '...' is unexpected")},
};

static void
capabilities_are_answered_as_asked_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct request r = {
			.id = span("7"), .arguments = span(cases[i].arguments)};
		struct strbuf out = {0};
		bool good = answer_capabilities(&r, false, &out);
		char *text = strbuf_take(&out);

		if (strcmp(text, cases[i].answer) != 0)
			fail_msg("%s: %s", cases[i].arguments, text);
		assert_int_equal(good, strstr(text, "return") != NULL);
		free(text);
	}
}

static void
second_negotiation_is_no_command(void **state)
{
	struct request r = {.arguments = span("{}")};
	struct strbuf out = {0};
	char *text;

	(void)state;
	assert_false(answer_capabilities(&r, true, &out));
	text = strbuf_take(&out);
	assert_string_equal(text,
		"{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"Capabilities "
		"negotiation is already complete, command ignored\"}}\r\n");
	free(text);
}

static void
greeting_offers_no_capability(void **state)
{
	static const struct {
		const char *of_qemu;
		const char *of_ours;
	} greetings[] = {
		{"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7}}, \"capabilities\": "
		 "[\"oob\"]}}",
			"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7}}, "
			"\"capabilities\": []}}\r\n"},
		{"{\"other\": 1}",
			"{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		struct strbuf out = {0};
		char *text;

		answer_greeting(span(greetings[i].of_qemu), &out);
		text = strbuf_take(&out);
		assert_string_equal(text, greetings[i].of_ours);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capabilities_are_answered_as_asked_for),
		cmocka_unit_test(second_negotiation_is_no_command),
		cmocka_unit_test(greeting_offers_no_capability),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

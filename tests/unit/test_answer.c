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

#include <string.h>

#include "spans.h"

#define REFUSED(desc)                                                            \
	"{\"id\": 7, \"error\": {\"class\": \"GenericError\", \"desc\": \"" desc \
	"\"}}\r\n"

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

		expect_written(&out, cases[i].answer);
		if (good != (strstr(cases[i].answer, "return") != NULL))
			fail_msg("%s: %d", cases[i].arguments, good);
	}
}

static void
second_negotiation_is_no_command(void **state)
{
	struct request r = {.arguments = span("{}")};
	struct strbuf out = {0};

	(void)state;
	assert_false(answer_capabilities(&r, true, &out));
	expect_written(&out,
		"{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"Capabilities "
		"negotiation is already complete, command ignored\"}}\r\n");
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

		answer_greeting(span(greetings[i].of_qemu), &out);
		expect_written(&out, greetings[i].of_ours);
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

// SPDX-License-Identifier: MIT
/* QMP messages told apart, and the constant commands. */
#include "config.h"

#include "qmp/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "qmp/frame.h"
#include "qmp_transcripts.h"

static int
parse(const char *text, struct message *m)
{
	struct err e = ERR_NONE;
	int r = message_parse(text, strlen(text), m, &e);

	if (r < 0 && !err_is_set(&e))
		fail_msg("no reason is given for %s", text);
	return r;
}

/* Told apart by text alone, as a check from outside. */
static enum message_kind
kind_by_text(const char *text)
{
	if (strstr(text, "\"QMP\": {") != NULL)
		return MESSAGE_GREETING;
	if (strstr(text, "\"event\": ") != NULL)
		return MESSAGE_EVENT;
	return strstr(text, "\"error\": {") != NULL ? MESSAGE_ERROR : MESSAGE_RETURN;
}

static void
all_messages_of_the_transcripts_are_understood(void **state)
{
	struct transcript t = {0};
	unsigned int seen[4] = {0};
	struct message m;

	(void)state;
	transcripts_load(&t);
	for (size_t i = 0; i < t.n; i++) {
		if (parse(t.objects[i], &m) < 0)
			fail_msg("refused: %s", t.objects[i]);
		if (m.kind != kind_by_text(t.objects[i]))
			fail_msg("taken for %d: %s", m.kind, t.objects[i]);
		seen[m.kind]++;
		message_fini(&m);
	}
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		assert_true(seen[i] >= 3);
	transcript_fini(&t);
}

static void
what_is_not_qmp_is_refused(void **state)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{"{}", -EBADMSG},
		{"{", -EBADMSG},
		{"[]", -EBADMSG},
		{"{]", -EBADMSG},
		{"{\"foo\": 1}", -EBADMSG},
		{"{'return': {}}", -EBADMSG},
		{"{\"return\": {}} {\"return\": {}}", -EBADMSG},
		{"{\"return\": {}, \"return\": {}}", -EBADMSG},
		{"{\"return\": {}, \"error\": {\"desc\": \"x\"}}", -EBADMSG},
		{"{\"event\": \"STOP\", \"return\": {}}", -EBADMSG},
		{"{\"event\": 5}", -EBADMSG},
		{"{\"event\": null}", -EBADMSG},
		{"{\"event\": \"A\\u0000B\"}", -EBADMSG},
		{"{\"event\": \"A\nB\"}", -EBADMSG},
		{"{\"event\": \"\xc3\x28\"}", -EBADMSG},
		{"{\"event\": \"\xff\"}", -EBADMSG},
		{"{\"QMP\": 7}", -EBADMSG},
		{"{\"QMP\": []}", -EBADMSG},
		{"{\"error\": \"x\"}", -EBADMSG},
		{"{\"error\": {}}", -EBADMSG},
		{"{\"error\": {\"desc\": 1}}", -EBADMSG},
		{"{\"return\": 99999999999999999999999999}", -EBADMSG},
	};
	struct message m = {.id = 77};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (parse(cases[i].text, &m) != cases[i].r)
			fail_msg("not refused as it should: %s", cases[i].text);
		assert_int_equal(m.id, 77);
	}
}

static void
a_nul_byte_is_refused(void **state)
{
	static const char text[] = "{\"event\": \"A\0B\"}";
	struct message m;

	(void)state;
	assert_int_equal(message_parse(text, sizeof(text) - 1, &m, NULL), -EBADMSG);
}

static void
bombs_are_refused_before_they_are_parsed(void **state)
{
	struct strbuf text = {0};
	struct message m;

	(void)state;
	strbuf_adds(&text, "{\"return\": [");
	for (unsigned int i = 0; i < FRAME_VALUES_MAX; i++)
		strbuf_adds(&text, "{},");
	strbuf_adds(&text, "{}]}");
	assert_int_equal(parse(text.s, &m), -E2BIG);
	strbuf_fini(&text);

	strbuf_adds(&text, "{\"return\": ");
	for (unsigned int i = 0; i < FRAME_DEPTH_MAX; i++)
		strbuf_adds(&text, "[");
	for (unsigned int i = 0; i < FRAME_DEPTH_MAX; i++)
		strbuf_adds(&text, "]");
	strbuf_adds(&text, "}");
	assert_int_equal(parse(text.s, &m), -E2BIG);
	strbuf_fini(&text);
}

static void
only_ids_as_we_write_them_are_ours(void **state)
{
	static const struct {
		const char *id;
		uint64_t expected;
	} cases[] = {
		{"\"qmpin:1\"", 1},
		{"\"qmpin:18446744073709551615\"", UINT64_MAX},
		{"\"qmpin:18446744073709551616\"", 0},
		{"\"qmpin:0\"", 0},
		{"\"qmpin:01\"", 0},
		{"\"qmpin:-1\"", 0},
		{"\"qmpin:+1\"", 0},
		{"\"qmpin: 1\"", 0},
		{"\"qmpin:1x\"", 0},
		{"\"qmpin:\"", 0},
		{"\"qmpin\"", 0},
		{"\"QMPIN:1\"", 0},
		{"\"13743:1\"", 0},
		{"\"\"", 0},
		{"1", 0},
		{"-1", 0},
		{"1.5", 0},
		{"null", 0},
		{"true", 0},
		{"{\"qmpin\": 1}", 0},
		{"[\"qmpin:1\"]", 0},
	};
	struct message m;
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof(text), "{\"return\": {}, \"id\": %s}",
			cases[i].id);
		assert_int_equal(parse(text, &m), 0);
		if (m.id != cases[i].expected)
			fail_msg("id %s became %ju", cases[i].id, (uintmax_t)m.id);
		message_fini(&m);
		snprintf(text, sizeof(text),
			"{\"error\": {\"desc\": \"x\"}, \"id\": %s}", cases[i].id);
		assert_int_equal(parse(text, &m), 0);
		assert_true(m.id == cases[i].expected);
		message_fini(&m);
	}
}

static void
a_reply_without_an_id_is_nobodys(void **state)
{
	struct message m;

	(void)state;
	assert_int_equal(parse("{\"return\": null}", &m), 0);
	assert_int_equal(m.kind, MESSAGE_RETURN);
	assert_true(m.id == 0);
	message_fini(&m);
	assert_int_equal(
		parse("{\"error\": {\"class\": \"A\", \"desc\": \"no\"}}", &m), 0);
	assert_int_equal(m.kind, MESSAGE_ERROR);
	assert_true(m.id == 0);
	assert_string_equal(m.desc, "no");
	message_fini(&m);
}

/* The kinds we name exist in QEMU under that name: the list is QEMU's own. */
static void
events_are_told_apart(void **state)
{
	static const struct {
		const char *name;
		enum qmp_event_kind kind;
	} cases[] = {
		{"RESUME", QMP_EVENT_RESUME},
		{"STOP", QMP_EVENT_STOP},
		{"RESET", QMP_EVENT_RESET},
		{"SHUTDOWN", QMP_EVENT_SHUTDOWN},
		{"SUSPEND", QMP_EVENT_SUSPEND},
		{"WAKEUP", QMP_EVENT_WAKEUP},
		{"DEVICE_DELETED", QMP_EVENT_DEVICE_DELETED},
		{"ACPI_DEVICE_OST", QMP_EVENT_ACPI_DEVICE_OST},
		{"MIGRATION", QMP_EVENT_MIGRATION},
		{"DEVICE_UNPLUG_GUEST_ERROR", QMP_EVENT_DEVICE_UNPLUG_GUEST_ERROR},
		{"MIGRATION_PASS", QMP_EVENT_OTHER},
		{"SUSPEND_DISK", QMP_EVENT_OTHER},
		{"POWERDOWN", QMP_EVENT_OTHER},
	};
	auto_free char *list = data_text("tests/data/qmp/qemu-7.2/events-qemu-7.2.txt");
	auto_free char *known = xasprintf("\n%s", list);
	struct message m;
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof(text), "\n%s\n", cases[i].name);
		if (strstr(known, text) == NULL)
			fail_msg("QEMU 7.2 has no event %s", cases[i].name);
		snprintf(text, sizeof(text), "{\"event\": \"%s\"}", cases[i].name);
		assert_int_equal(parse(text, &m), 0);
		if (m.event.kind != cases[i].kind)
			fail_msg("%s became %d", cases[i].name, m.event.kind);
		assert_string_equal(m.event.name, cases[i].name);
		message_fini(&m);
	}
}

static void
event_names_are_escaped_and_cut(void **state)
{
	struct message m;

	(void)state;
	assert_int_equal(parse("{\"event\": \"\\u001b[2J\\u00e4\"}", &m), 0);
	assert_string_equal(m.event.name, "\\x1b[2J\\xc3\\xa4");
	message_fini(&m);
	assert_int_equal(
		parse("{\"event\": \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		      "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB\"}",
			&m),
		0);
	assert_int_equal(strlen(m.event.name), sizeof(m.event.name) - 1);
	assert_int_equal(m.event.kind, QMP_EVENT_OTHER);
	message_fini(&m);
}

/* All that can ever be said to QEMU, byte by byte. */
static void
only_these_commands_can_be_sent(void **state)
{
	static const char expected[] =
		"{\"execute\":\"qmp_capabilities\",\"id\":\"qmpin:1\"}\n"
		"{\"execute\":\"query-status\",\"id\":\"qmpin:2\"}\n"
		"{\"execute\":\"query-cpus-fast\",\"id\":\"qmpin:3\"}\n"
		"{\"execute\":\"query-hotpluggable-cpus\",\"id\":\"qmpin:4\"}\n"
		"{\"execute\":\"query-iothreads\",\"id\":\"qmpin:5\"}\n"
		"{\"execute\":\"query-name\",\"id\":\"qmpin:6\"}\n"
		"{\"execute\":\"query-memdev\",\"id\":\"qmpin:7\"}\n"
		"{\"execute\":\"query-memory-devices\",\"id\":\"qmpin:8\"}\n"
		"{\"execute\":\"query-chardev\",\"id\":\"qmpin:9\"}\n"
		"{\"execute\":\"qom-list\",\"id\":\"qmpin:10\","
		"\"arguments\":{\"path\":\"/objects\"}}\n"
		"{\"execute\":\"chardev-add\",\"id\":\"qmpin:11\",\"arguments\":"
		"{\"id\":\"qmpin\",\"backend\":{\"type\":\"socket\",\"data\":"
		"{\"addr\":{\"type\":\"unix\",\"data\":{\"path\":\"/run/a\\\"b\"}},"
		"\"server\":false,\"reconnect-ms\":5000}}}}\n"
		"{\"execute\":\"chardev-remove\",\"id\":\"qmpin:12\","
		"\"arguments\":{\"id\":\"qmpin\"}}\n"
		"{\"execute\":\"object-add\",\"id\":\"qmpin:13\",\"arguments\":"
		"{\"qom-type\":\"monitor-qmp\",\"id\":\"qmpin\","
		"\"chardev\":\"qmpin\"}}\n"
		"{\"execute\":\"object-del\",\"id\":\"qmpin:14\","
		"\"arguments\":{\"id\":\"qmpin\"}}\n";
	struct strbuf out = {0};

	(void)state;
	for (unsigned int c = 0; c < MESSAGE_COMMANDS; c++)
		message_command_format(
			(enum message_command)c, c + 1, "/run/a\"b", &out);
	assert_string_equal(out.s, expected);
	strbuf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_messages_of_the_transcripts_are_understood),
		cmocka_unit_test(what_is_not_qmp_is_refused),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(bombs_are_refused_before_they_are_parsed),
		cmocka_unit_test(only_ids_as_we_write_them_are_ours),
		cmocka_unit_test(a_reply_without_an_id_is_nobodys),
		cmocka_unit_test(events_are_told_apart),
		cmocka_unit_test(event_names_are_escaped_and_cut),
		cmocka_unit_test(only_these_commands_can_be_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

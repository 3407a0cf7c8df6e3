// SPDX-License-Identifier: MIT
/* What qmpind and qmpin-pve say to each other, and what is none of it. */
#include "config.h"

#include "pve/pvefeed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/xalloc.h"
#include "mutate.h"
#include "pve/vmconf.h"

static void
take(struct pvefeed *f, const char *text, size_t len)
{
	/* of its own, so that a read beyond it is seen */
	auto_free char *copy = xmemdupz(text, len);

	assert_int_equal(pvefeed_take(f, copy, len), 0);
}

static void
what_was_put_comes_out(void **state)
{
	static const struct pvefeed_message messages[] = {
		{PVEFEED_ADD, 100, NULL, 0},
		{PVEFEED_REMOVE, 999999999, NULL, 0},
		{PVEFEED_LOOK, 0, NULL, 0},
		{PVEFEED_READ, 0, NULL, 0},
		{PVEFEED_TEXT, 103, "a\0\n\xff", 4},
		{PVEFEED_TEXT, PVEFEED_QMPIN_CONF, "done\n", 5},
		{PVEFEED_TEXT, 104, "", 0},
		{PVEFEED_NONE, PVEFEED_DATACENTER_CFG, NULL, 0},
		{PVEFEED_UNREAD, 105, "it is a FIFO", 12},
		{PVEFEED_UNREAD, 105, "", 0},
		{PVEFEED_ABSENT, 0, "", 0},
		{PVEFEED_ABSENT, 0, "not mounted", 11},
		{PVEFEED_BUSY, 0, NULL, 0},
		{PVEFEED_DONE, 0, NULL, 0},
	};
	struct strbuf bytes = {0};
	struct pvefeed whole = {0};
	struct pvefeed pieces = {0};
	struct pvefeed_message m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		pvefeed_put(&bytes, &messages[i]);
	take(&whole, bytes.s, bytes.len);
	for (size_t i = 0, at = 0; i < ARRAY_LEN(messages); i++) {
		const struct pvefeed_message *want = &messages[i];

		assert_int_equal(pvefeed_next(&whole, &m, NULL), 1);
		assert_true(m.kind == want->kind && m.subject == want->subject &&
			    m.len == want->len);
		if (want->text != NULL)
			assert_memory_equal(m.text, want->text, m.len);
		/* byte by byte it comes with its last one */
		while (pvefeed_next(&pieces, &m, NULL) == 0)
			take(&pieces, bytes.s + at++, 1);
		assert_true(m.kind == want->kind && m.len == want->len);
	}
	assert_int_equal(pvefeed_next(&whole, &m, NULL), 0);
	pvefeed_fini(&whole);
	pvefeed_fini(&pieces);
	strbuf_fini(&bytes);
}

static void
what_is_no_message_ends_it(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} cases[] = {
#define CASE(t) {t, sizeof(t) - 1}
		CASE("\n"),
		CASE("hello\n"),
		CASE(" done\n"),
		CASE("done \n"),
		CASE("done 1\n"),
		CASE("done\r\n"),
		CASE("do\0ne\n"),
		CASE("done\0\n"),
		CASE("add\n"),
		CASE("add \n"),
		CASE("add 99\n"),
		CASE("add 0100\n"),
		CASE("add +100\n"),
		CASE("add 1000000000\n"),
		CASE("add 18446744073709551716\n"),
		CASE("add qmpin.conf\n"),
		CASE("add 100 \n"),
		CASE("none storage.cfg\n"),
		CASE("none ../100\n"),
		CASE("text 100\n"),
		CASE("text 100 \n"),
		CASE("text 100 -1\n"),
		CASE("text 100 1048577\n"),
		CASE("text 100 99999999999999999999\n"),
		CASE("text 1 1\nx"),
		CASE("text  1\nx"),
		CASE("unread 100\n"),
		CASE("unread x why\n"),
		CASE("absent\n"),
		CASE("\xff\xfe\n"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pvefeed f = {0};
		struct pvefeed_message m = {.subject = 7};
		struct err e = ERR_NONE;

		take(&f, cases[i].text, cases[i].len);
		if (pvefeed_next(&f, &m, &e) != -EPROTO || !err_is_set(&e) ||
			m.subject != 7)
			fail_msg("it is taken: %s", cases[i].text);
		assert_int_equal(pvefeed_take(&f, "done\n", 5), -EPROTO);
		assert_int_equal(pvefeed_next(&f, &m, NULL), -EPROTO);
		pvefeed_fini(&f);
	}
}

static void
a_line_has_an_end(void **state)
{
	char line[PVEFEED_LINE_MAX + 1];
	struct pvefeed f = {0};
	struct pvefeed_message m;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "absent ", 7);
	take(&f, line, PVEFEED_LINE_MAX - 1);
	assert_int_equal(pvefeed_next(&f, &m, NULL), 0);
	take(&f, "\n", 1);
	assert_int_equal(pvefeed_next(&f, &m, NULL), 1);
	assert_int_equal(m.len, PVEFEED_LINE_MAX - 8);
	take(&f, line, PVEFEED_LINE_MAX);
	assert_int_equal(pvefeed_next(&f, &m, NULL), -EPROTO);
	pvefeed_fini(&f);
}

static void
what_is_put_in_a_line_stays_in_it(void **state)
{
	auto_free char *why = xcalloc(10001, 1);
	struct pvefeed_message m = {PVEFEED_UNREAD, 100, why, 10000};
	struct strbuf bytes = {0};
	struct pvefeed f = {0};

	(void)state;
	memset(why, '\n', 10000);
	why[1] = '\0';
	pvefeed_put(&bytes, &m);
	take(&f, bytes.s, bytes.len);
	assert_int_equal(pvefeed_next(&f, &m, NULL), 1);
	assert_int_equal(pvefeed_next(&f, &m, NULL), 0);
	pvefeed_fini(&f);
	strbuf_fini(&bytes);
}

/* An announced length costs nothing, and what comes without end is refused. */
static void
memory_has_an_end(void **state)
{
	static char chunk[65536];
	struct pvefeed f = {0};
	size_t taken = 0;

	(void)state;
	take(&f, "text 100 1048576\n", 17);
	assert_true(f.frame.cap < 1024);
	while (pvefeed_take(&f, chunk, sizeof(chunk)) == 0)
		taken += sizeof(chunk);
	assert_true(taken > VMCONF_BYTES_MAX && taken < 3 * VMCONF_BYTES_MAX);
	pvefeed_fini(&f);
}

static void
a_long_text_does_not_hold_memory(void **state)
{
	auto_free char *text = xcalloc(VMCONF_BYTES_MAX, 1);
	struct pvefeed_message m = {PVEFEED_TEXT, 100, text, VMCONF_BYTES_MAX};
	struct strbuf bytes = {0};
	struct pvefeed f = {0};

	(void)state;
	pvefeed_put(&bytes, &m);
	take(&f, bytes.s, bytes.len);
	assert_int_equal(pvefeed_next(&f, &m, NULL), 1);
	assert_int_equal(m.len, VMCONF_BYTES_MAX);
	take(&f, "done\n", 5);
	assert_true(f.frame.cap < 1024);
	pvefeed_fini(&f);
	strbuf_fini(&bytes);
}

static void
damage_does_no_harm(void **state)
{
	static const char good[] = "text 100 9\ncores: 2\nnone qmpin.conf\n"
				   "unread 101 it is a FIFO\nabsent x\ndone\n";
	uint64_t seed = 0x9e3779b97f4a7c15u;
	char text[256];

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		struct pvefeed f = {0};
		struct pvefeed_message m;
		size_t len = sizeof(good) - 1;

		memcpy(text, good, len);
		len = mutate_text(text, len, sizeof(text), &seed);
		take(&f, text, len);
		while (pvefeed_next(&f, &m, NULL) == 1)
			assert_true(m.len <= sizeof(text));
		pvefeed_fini(&f);
	}
}

static void
a_vmid_is_what_proxmox_takes_for_one(void **state)
{
	static const char *const wrong[] = {"", "99", "0100", "1000000000", "web",
		"1e3", "100 ", "-100", "4294967396"};
	unsigned int vmid = 5;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (pvefeed_vmid_parse(wrong[i], &vmid) != -EINVAL || vmid != 5)
			fail_msg("it is taken: '%s'", wrong[i]);
	}
	assert_int_equal(pvefeed_vmid_parse("100", &vmid), 0);
	assert_int_equal(vmid, 100);
	assert_int_equal(pvefeed_vmid_parse("999999999", &vmid), 0);
	assert_int_equal(vmid, 999999999);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_comes_out),
		cmocka_unit_test(what_is_no_message_ends_it),
		cmocka_unit_test(a_line_has_an_end),
		cmocka_unit_test(what_is_put_in_a_line_stays_in_it),
		cmocka_unit_test(memory_has_an_end),
		cmocka_unit_test(a_long_text_does_not_hold_memory),
		cmocka_unit_test(damage_does_no_harm),
		cmocka_unit_test(a_vmid_is_what_proxmox_takes_for_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

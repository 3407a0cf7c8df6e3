// SPDX-License-Identifier: MIT
/* .version and .vmlist as pmxcfs prints them, and as it never would. */
#include "config.h"

#include "pve/vmlist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/xalloc.h"
#include "mutate.h"

static const char version_text[] =
	"{\n\"starttime\": 1718000000,\n\"clinfo\": 5,\n\"vmlist\": 12,\n"
	"\"corosync.conf\": 1,\n\"storage.cfg\": 2,\n\"datacenter.cfg\": 1,\n"
	"\"kvstore\": {\n\"pve1\": {\n\"tasklist\": 87}\n\n}\n}\n";
static const char list_text[] =
	"{\n\"version\": 12,\n\n\"ids\": {\n"
	"\"100\": { \"node\": \"pve1\", \"type\": \"qemu\", \"version\": 7 },\n"
	"\"101\": { \"node\": \"pve-2\", \"type\": \"lxc\", \"version\": 8 },\n"
	"\"102\": { \"node\": \"pve/1\", \"type\": \"qemu\", \"version\": 9 },\n"
	"\"103\": { \"node\": \"pve1\", \"type\": \"qemu\" }\n}\n\n}\n";

static void
a_stamp_is_read(void **state)
{
	struct vmlist_stamp stamp;

	(void)state;
	assert_int_equal(
		vmlist_stamp_parse(version_text, strlen(version_text), &stamp), 0);
	assert_int_equal(stamp.start, 1718000000);
	assert_int_equal(stamp.count, 12);
}

static void
what_has_no_counters_is_no_stamp(void **state)
{
	static const char *const texts[] = {"", "{}", "[]", "{\"starttime\": 1}",
		"{\"vmlist\": 1}", "{\"starttime\": 1, \"vmlist\": 1.5}",
		"{\"starttime\": 1, \"vmlist\": 1, \"vmlist\": 2}",
		"{\"starttime\": 1, \"vmlist\": 1} x"};
	struct vmlist_stamp stamp = {7, 7};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (vmlist_stamp_parse(texts[i], strlen(texts[i]), &stamp) != -EBADMSG)
			fail_msg("it is taken: %s", texts[i]);
	}
	assert_true(stamp.start == 7 && stamp.count == 7);
}

static void
vms_are_found_where_they_are(void **state)
{
	struct vmlist list;
	struct vmlist_place at = {.version = 1};

	(void)state;
	assert_int_equal(vmlist_parse(list_text, strlen(list_text), &list), 0);
	assert_int_equal(vmlist_find(&list, 99, &at), -ENOENT);
	assert_int_equal(vmlist_find(&list, 102, &at), -EBADMSG);
	assert_int_equal(vmlist_find(&list, 103, &at), -EBADMSG);
	assert_int_equal(at.version, 1);
	assert_int_equal(vmlist_find(&list, 100, &at), 0);
	assert_string_equal(at.node, "pve1");
	assert_int_equal(at.version, 7);
	assert_int_equal(vmlist_find(&list, 101, &at), 0);
	assert_string_equal(at.node, "pve-2");
	vmlist_fini(&list);
}

/* They become part of a path. */
static void
names_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const names[] = {"", ".", "..", "a/b", "../a", "a b", "a.b",
		"\\u0001",
		"0123456789012345678901234567890123456789012345678901234567890123"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		auto_free char *text = xasprintf(
			"{\"ids\": {\"100\": {\"node\": \"%s\", \"version\": 1}}}",
			names[i]);
		struct vmlist_place at;
		struct vmlist list;

		assert_int_equal(vmlist_parse(text, strlen(text), &list), 0);
		if (vmlist_find(&list, 100, &at) != -EBADMSG)
			fail_msg("it is taken: '%s'", names[i]);
		vmlist_fini(&list);
	}
}

static void
damage_does_no_harm(void **state)
{
	uint64_t seed = 0x2545f4914f6cdd1du;
	char text[1024];

	(void)state;
	for (unsigned int i = 0; i < 5000; i++) {
		size_t len = sizeof(list_text) - 1;
		struct vmlist_place at;
		struct vmlist list;

		memcpy(text, list_text, len);
		len = mutate_text(text, len, sizeof(text), &seed);
		if (vmlist_parse(text, len, &list) < 0)
			continue;
		for (unsigned int vmid = 99; vmid < 104; vmid++) {
			if (vmlist_find(&list, vmid, &at) == 0)
				assert_null(strpbrk(at.node, "/."));
		}
		vmlist_fini(&list);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stamp_is_read),
		cmocka_unit_test(what_has_no_counters_is_no_stamp),
		cmocka_unit_test(vms_are_found_where_they_are),
		cmocka_unit_test(names_that_lead_elsewhere_are_refused),
		cmocka_unit_test(damage_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

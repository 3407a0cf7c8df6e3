// SPDX-License-Identifier: MIT
/* Records of masks as list and as text, hostile text too. */
#include "config.h"

#include "act/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "mutate.h"
#include "record103.h"

static int
parse(const char *text, struct record *out, struct err *e)
{
	return record_parse(text, strlen(text), RECORD103_BOOT, out, e);
}

static void
the_text_is_the_documented_one(void **state)
{
	struct record r = record103_new();

	(void)state;
	record103_expect(&r);
	record_fini(&r);
	assert_null(r.threads);
	record_fini(&r);
}

static void
what_was_written_is_read_back(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(parse(RECORD103_TEXT, &r, NULL), 0);
	assert_string_equal(r.id, "103");
	assert_int_equal(r.pid, 4711);
	assert_int_equal(r.start_ticks, 123);
	assert_true(r.placed);
	assert_int_equal(r.n_threads, 2);
	assert_false(r.restored); /* as in records of before there was such a thing */
	record103_expect(&r);
	record_fini(&r);
}

static void
that_it_was_restored_is_kept(void **state)
{
	struct record r;
	auto_free char *text = NULL;

	(void)state;
	assert_int_equal(parse(RECORD103_TEXT, &r, NULL), 0);
	r.restored = true;
	r.wide = (struct record_wide){
		.until_us = 5000000, .idle = cpuset_of(7), .waited = 12};
	text = record_format(&r, RECORD103_BOOT);
	record_fini(&r);
	assert_int_equal(parse(text, &r, NULL), 0);
	assert_true(r.restored);
	assert_int_equal(r.wide.until_us, 5000000);
	assert_true(cpuset_has(&r.wide.idle, 7));
	assert_int_equal(r.wide.waited, 12);
	record_fini(&r);
}

static void
a_mode_set_by_hand_is_kept(void **state)
{
	struct record r = record103_new();
	auto_free char *text = NULL;

	(void)state;
	r.has_mode = r.untouched = true;
	r.mode = PLACE_DEDICATED;
	text = record_format(&r, RECORD103_BOOT);
	record_fini(&r);
	assert_int_equal(parse(text, &r, NULL), 0);
	assert_true(r.has_mode);
	assert_int_equal(r.mode, PLACE_DEDICATED);
	assert_true(r.untouched);
	record_fini(&r);
	assert_int_equal(parse(RECORD103_TEXT, &r, NULL), 0);
	assert_false(r.has_mode || r.untouched);
	record_fini(&r);
}

static void
what_its_configuration_said_is_kept(void **state)
{
	static const struct record_wish nothing = {.known = true};
	struct record r = record103_new();
	struct record_wish wish = {.known = true,
		.by = RECORD_BY_DESCRIPTION,
		.has_mode = true,
		.mode = PLACE_CORE,
		.has_smt = true,
		.smt = PLACE_SMT_ISOLATE,
		.has_emulator = true,
		.emulator = PLACE_EMULATOR_FOLLOW,
		.pinning = true,
		.has_affinity = true,
		.affinity = cpus("0-7")};
	auto_free char *text = NULL;

	(void)state;
	r.wish = wish;
	text = record_format(&r, RECORD103_BOOT);
	record_fini(&r);
	assert_int_equal(parse(text, &r, NULL), 0);
	assert_true(record_wish_equal(&r.wish, &wish));
	wish.affinity = cpus("0-6");
	assert_false(record_wish_equal(&r.wish, &wish));
	r.wish = nothing;
	free(text);
	text = record_format(&r, RECORD103_BOOT);
	record_fini(&r);
	assert_non_null(strstr(text, ",\"wish\":{}}"));
	assert_int_equal(parse(text, &r, NULL), 0);
	assert_true(record_wish_equal(&r.wish, &nothing));
	record_fini(&r);
	assert_int_equal(parse(RECORD103_TEXT, &r, NULL), 0);
	assert_false(r.wish.known);
	record_fini(&r);
}

static void
members_may_come_in_any_order_and_unknown_ones_are_skipped(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(
		parse("{\"threads\":[{\"cpus\":\"2,4-7\",\"tid\":4714,\"start_ticks\":125},"
		      "{\"start_ticks\":123,\"new\":[{}],\"tid\":4711,\"cpus\":\"0-15\"}],"
		      "\"limit\":\"0-15\",\"placed\":true,\"boot_id\":\"" RECORD103_BOOT
		      "\",\"start_ticks\":123,\"pid\":4711,\"id\":\"103\",\"extra\":null,"
		      "\"version\":1}\n",
			&r, NULL),
		-E2BIG); /* deeper than any record */
	assert_int_equal(
		parse("{\"threads\":[{\"cpus\":\"2,4-7\",\"tid\":4714,\"start_ticks\":125},"
		      "{\"start_ticks\":123,\"new\":7,\"tid\":4711,\"cpus\":\"0-15\"}],"
		      "\"limit\":\"0-15\",\"placed\":true,\"boot_id\":\"" RECORD103_BOOT
		      "\",\"start_ticks\":123,\"pid\":4711,\"id\":\"103\",\"extra\":null,"
		      "\"version\":1}\n",
			&r, NULL),
		0);
	record103_expect(&r);
	record_fini(&r);
}

static void
threads_are_found_by_id_and_start_time(void **state)
{
	struct record r = record103_new();
	struct cpuset want = cpus("2,4-7");

	(void)state;
	assert_true(cpuset_equal(record_find(&r, 4714, 125)->cpus, &want));
	assert_null(record_find(&r, 4714, 124));
	assert_null(record_find(&r, 4712, 125));
	assert_null(record_find(&r, 9999, 125));
	/* there already: the first mask stays */
	assert_false(record103_add(&r, 4714, 125, "0"));
	assert_true(cpuset_equal(record_find(&r, 4714, 125)->cpus, &want));
	/* the id is another thread's now */
	assert_true(record103_add(&r, 4714, 900, "1"));
	assert_null(record_find(&r, 4714, 125));
	want = cpus("1");
	assert_true(cpuset_equal(record_find(&r, 4714, 900)->cpus, &want));
	assert_int_equal(r.n_threads, 2);
	record_fini(&r);
}

static size_t
count_masks(const struct record *r)
{
	size_t n = 0;

	for (const struct record_mask *m = r->masks; m != NULL; m = m->next)
		n++;
	return n;
}

static void
threads_with_the_same_mask_share_it_as_long_as_one_of_them_is_there(void **state)
{
	static const pid_t last[] = {30};
	struct record r = {0};

	(void)state;
	record103_add(&r, 10, 7, "0");
	record103_add(&r, 20, 7, "0");
	record103_add(&r, 30, 7, "1-2");
	assert_ptr_equal(record_find(&r, 10, 7)->cpus, record_find(&r, 20, 7)->cpus);
	assert_int_equal(count_masks(&r), 2);
	assert_false(record103_add(&r, 10, 7, "5"));
	assert_true(record103_add(&r, 20, 8, "1-2"));
	assert_int_equal(count_masks(&r), 2);
	assert_true(record103_add(&r, 10, 8, "1-2"));
	assert_int_equal(count_masks(&r), 1);
	assert_true(record_retain(&r, last, 1));
	assert_int_equal(count_masks(&r), 1);
	assert_true(record_retain(&r, NULL, 0));
	assert_int_equal(count_masks(&r), 0);
	record_fini(&r);
}

static void
threads_that_are_gone_are_dropped(void **state)
{
	static const pid_t tids[] = {1, 20, 25, 40, 50};
	struct record r = {0};

	(void)state;
	assert_false(record_retain(&r, tids, ARRAY_LEN(tids)));
	for (pid_t tid = 10; tid <= 40; tid += 10)
		record103_add(&r, tid, 7, "0");
	assert_true(record_retain(&r, tids, ARRAY_LEN(tids)));
	assert_int_equal(r.n_threads, 2);
	assert_non_null(record_find(&r, 20, 7));
	assert_non_null(record_find(&r, 40, 7));
	assert_false(record_retain(&r, tids, ARRAY_LEN(tids)));
	assert_true(record_retain(&r, NULL, 0));
	assert_int_equal(r.n_threads, 0);
	record_fini(&r);
}

static bool
add_helper(struct record *r, pid_t pid, pid_t tid, const char *list)
{
	struct cpuset set = cpus(list);

	return record_add_helper(r, pid, tid, 7, &set);
}

static void
threads_of_helpers_are_kept_by_their_process(void **state)
{
	static const pid_t own[] = {10, 20};
	struct record r = {.id = "103", .pid = 10, .start_ticks = 7};
	auto_free char *text = NULL;
	auto_free pid_t *pids = NULL;
	struct record again;

	(void)state;
	r.limit = cpus("0");
	record103_add(&r, 10, 7, "0");
	record103_add(&r, 30, 7, "0");
	assert_true(add_helper(&r, 90, 90, "1"));
	assert_true(add_helper(&r, 15, 16, "2"));
	assert_true(add_helper(&r, 15, 15, "2"));
	assert_false(add_helper(&r, 15, 15, "3"));
	/* what has ended of QEMU says nothing of others */
	assert_true(record_retain(&r, own, ARRAY_LEN(own)));
	assert_int_equal(r.n_threads, 4);
	text = record_format(&r, RECORD103_BOOT);
	assert_non_null(strstr(
		text, "{\"tid\":16,\"start_ticks\":7,\"cpus\":\"2\",\"pid\":15}"));
	assert_int_equal(parse(text, &again, NULL), 0);
	assert_int_equal(record_helpers(&again, &pids), 2);
	assert_int_equal(pids[0], 15);
	assert_int_equal(pids[1], 90);
	assert_true(record_retain_helper(&again, 15, (const pid_t[]){15}, 1));
	assert_null(record_find(&again, 16, 7));
	assert_true(record_retain_helper(&again, 15, NULL, 0));
	assert_false(record_retain_helper(&again, 15, NULL, 0));
	assert_int_equal(again.n_threads, 2);
	/* the id has become one of QEMU's own threads */
	assert_true(record103_add(&again, 90, 7, "0"));
	assert_int_equal(record_find(&again, 90, 7)->pid, 0);
	record_fini(&again);
	record_fini(&r);
}

static void
where_a_vcpu_was_is_kept_with_its_thread(void **state)
{
	struct record r = record103_new();
	struct cpuset home = cpus("3");
	struct record again;
	auto_free char *text = NULL;

	(void)state;
	assert_true(add_helper(&r, 15, 16, "2"));
	assert_false(record_set_home(&r, 4714, 124, &home)); /* another thread's id */
	assert_false(record_set_home(&r, 16, 7, &home));     /* no vCPU's */
	assert_false(record_set_home(&r, 4714, 125, &CPUSET_NONE));
	assert_true(record_set_home(&r, 4714, 125, &home));
	assert_false(record_set_home(&r, 4714, 125, &home));
	text = record_format(&r, RECORD103_BOOT);
	assert_non_null(strstr(text, "\"cpus\":\"2,4-7\",\"home\":\"3\"}"));
	assert_int_equal(parse(text, &again, NULL), 0);
	assert_true(cpuset_equal(record_find(&again, 4714, 125)->home, &home));
	assert_null(record_find(&again, 4711, 123)->home);
	assert_int_equal(count_masks(&again), 4);
	/* it is back, and another one is away */
	assert_true(record_set_home(&again, 4714, 125, &CPUSET_NONE));
	assert_true(record_set_home(&again, 4711, 123, &home));
	assert_int_equal(count_masks(&again), 4);
	assert_true(record_retain(&again, (const pid_t[]){4714}, 1));
	assert_int_equal(count_masks(&again), 2);
	record_fini(&again);
	record_fini(&r);
}

#define HEAD "{\"version\":1,\"boot_id\":\"" RECORD103_BOOT "\","
#define REST "\"placed\":true,\"limit\":\"0-15\",\"threads\":[]}"
#define FULL \
	"\"id\":\"103\",\"pid\":1,\"start_ticks\":2,\"placed\":true,\"limit\":\"0\","
#define THREAD(t) HEAD FULL "\"threads\":[" t "]}"
static const struct {
	const char *text;
	const char *part;
} not_records[] = {
	{"", "not JSON"},
	{"{", "not JSON"},
	{"[]", "not an object"},
	{"{}", "\"version\" is missing"},
	{"{\"version\":2}", "a record of version 2, not 1"},
	{"{\"version\":\"1\"}", "\"version\" is of another type"},
	{"{\"version\":1}", "\"boot_id\" is missing"},
	{HEAD REST, "\"id\" is missing"},
	{HEAD "\"id\":103,\"pid\":1,\"start_ticks\":2," REST, "\"id\" is of another"},
	{HEAD "\"id\":\"\",\"pid\":1,\"start_ticks\":2," REST, "\"id\" is no VM's"},
	{HEAD "\"id\":\"../x\",\"pid\":1,\"start_ticks\":2," REST, "\"id\" is no VM"},
	{HEAD "\"id\":\"103\",\"start_ticks\":2," REST, "\"pid\" is missing"},
	{HEAD "\"id\":\"103\",\"pid\":0,\"start_ticks\":2," REST, "\"pid\" is out of"},
	{HEAD "\"id\":\"103\",\"pid\":-1,\"start_ticks\":2," REST, "\"pid\" is out of"},
	{HEAD "\"id\":\"103\",\"pid\":2147483648,\"start_ticks\":2," REST,
		"\"pid\" is out of range"},
	{HEAD "\"id\":\"103\",\"pid\":1.5,\"start_ticks\":2," REST,
		"\"pid\" is of another"},
	{HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":-2," REST,
		"\"start_ticks\" is out of range"},
	{HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":18446744073709551616," REST,
		"not JSON"},
	{HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":2,\"placed\":1,\"limit\":\"0\","
	      "\"threads\":[]}",
		"\"placed\" is of another type"},
	{HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":2,\"widened\":{}," REST,
		"\"until_us\" is missing"},
	{HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":2,\"restored\":1," REST,
		"\"restored\" is of another type"},
	{HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":2,\"mode\":7," REST,
		"\"mode\" is of another type"},
	{HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":2,\"mode\":\"fast\"," REST,
		"\"mode\" is none"},
	{HEAD FULL "\"wish\":[],\"threads\":[]}", "\"wish\" is of another type"},
	{HEAD FULL "\"wish\":{\"by\":\"me\"},\"threads\":[]}", "\"by\" is none"},
	{HEAD FULL "\"wish\":{\"smt\":\"x\"},\"threads\":[]}", "\"smt\" is none"},
	{HEAD FULL "\"wish\":{\"emulator\":1},\"threads\":[]}",
		"\"emulator\" is of another type"},
	{HEAD FULL "\"wish\":{\"pinning\":1},\"threads\":[]}",
		"\"pinning\" is of another type"},
	{HEAD FULL "\"wish\":{\"affinity\":\"x\"},\"threads\":[]}",
		"\"affinity\" is no CPU list"},
	{HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":2,\"placed\":true,"
	      "\"limit\":\"0-\",\"threads\":[]}",
		"\"limit\" is no CPU list"},
	{HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":2,\"placed\":true,"
	      "\"limit\":\"2048\",\"threads\":[]}",
		"\"limit\" is no CPU list"},
	{HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":2,\"placed\":true,"
	      "\"limit\":\"0\",\"threads\":{}}",
		"\"threads\" is of another type"},
	{HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":2," REST "x", "not JSON"},
	{HEAD "\"id\":\"103\",\"id\":\"104\",\"pid\":1,\"start_ticks\":2," REST,
		"not JSON"},
	{THREAD("7"), "\"tid\" is missing"},
	{THREAD("{}"), "\"tid\" is missing"},
	{THREAD("{\"tid\":0,\"start_ticks\":1,\"cpus\":\"0\"}"), "\"tid\" is out of"},
	{THREAD("{\"tid\":1,\"cpus\":\"0\"}"), "\"start_ticks\" is missing"},
	{THREAD("{\"tid\":1,\"start_ticks\":1}"), "\"cpus\" is missing"},
	{THREAD("{\"tid\":1,\"start_ticks\":1,\"cpus\":7}"), "\"cpus\" is of an"},
	{THREAD("{\"tid\":1,\"start_ticks\":1,\"cpus\":\"x\"}"), "\"cpus\" is no CPU"},
	{THREAD("{\"tid\":1,\"start_ticks\":1,\"cpus\":\"0\"},"
		"{\"tid\":1,\"start_ticks\":2,\"cpus\":\"0\"}"),
		"thread 1 twice"},
	{THREAD("{\"tid\":1,\"start_ticks\":1,\"cpus\":\"0\",\"pid\":0}"),
		"\"pid\" is out of range"},
	{THREAD("{\"tid\":1,\"start_ticks\":1,\"cpus\":\"0\",\"pid\":\"1\"}"),
		"\"pid\" is of another type"},
	{THREAD("{\"tid\":1,\"start_ticks\":1,\"cpus\":\"0\",\"home\":3}"),
		"\"home\" is of another type"},
	{THREAD("{\"tid\":1,\"start_ticks\":1,\"cpus\":\"0\",\"home\":\"x\"}"),
		"\"home\" is no CPU list"},
};

static void
what_is_no_record_is_refused(void **state)
{
	struct record before;
	struct record r;

	(void)state;
	memset(&before, 0xa5, sizeof(before));
	r = before;
	for (size_t i = 0; i < ARRAY_LEN(not_records); i++) {
		struct err e = ERR_NONE;
		int ret = parse(not_records[i].text, &r, &e);

		if (ret != -EINVAL || strstr(e.text, not_records[i].part) == NULL)
			fail_msg("case %zu: %d \"%s\": %s", i, ret, e.text,
				not_records[i].text);
		assert_memory_equal(&r, &before, sizeof(r));
	}
}

static void
another_boots_record_is_stale_whatever_else_it_holds(void **state)
{
	struct err e = ERR_NONE;
	struct record r;

	(void)state;
	assert_int_equal(
		record_parse(RECORD103_TEXT, strlen(RECORD103_TEXT), "other", &r, &e),
		-ESTALE);
	assert_string_equal(e.text, "a record of another boot");
	assert_int_equal(
		parse("{\"version\":1,\"boot_id\":\"x\",\"pid\":\"?\"}", &r, NULL),
		-ESTALE);
}

static void
bombs_are_refused_before_they_are_parsed(void **state)
{
	auto_free char *deep = xcalloc(1000001, 1);
	auto_free char *wide = xcalloc(1000001, 1);
	auto_free char *big = xcalloc(20000001, 1);
	struct record r;

	(void)state;
	memset(deep, '[', 1000000);
	memset(wide, ',', 1000000);
	memset(big, ' ', 20000000);
	assert_int_equal(parse(deep, &r, NULL), -E2BIG);
	assert_int_equal(parse(wide, &r, NULL), -E2BIG);
	assert_int_equal(parse(big, &r, NULL), -E2BIG);
}

static void
damaged_texts_are_read_or_refused(void **state)
{
	uint64_t seed = 4096001;
	unsigned int accepted = 0;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned int i = 0; i < 30000; i++) {
		auto_free char *copy = NULL;
		auto_free char *again = NULL;
		char damaged[sizeof(RECORD103_TEXT) + 64];
		size_t len = sizeof(RECORD103_TEXT) - 1;
		struct record r;

		memcpy(damaged, RECORD103_TEXT, len);
		len = mutate_text(damaged, len, sizeof(damaged), &seed);
		copy = xcalloc(len, 1);
		memcpy(copy, damaged, len);
		if (record_parse(copy, len, RECORD103_BOOT, &r, NULL) < 0)
			continue;
		accepted++;
		/* what is accepted is a record: it survives being written again */
		again = record_format(&r, RECORD103_BOOT);
		record_fini(&r);
		assert_int_equal(parse(again, &r, NULL), 0);
		record_fini(&r);
	}
	assert_in_range(accepted, 100, 29900);
}

static void
ids_that_are_no_file_names_are_refused(void **state)
{
	static const char *const bad[] = {"", ".", "..", "/", "a/b", "../x", "a b",
		"a\n", "\xc3\xa4", "a%", "a\\", "~", "a:b",
		"01234567890123456789012345678901234567890123456789012345678901234"};
	static const char *const good[] = {"103", "a", "...", ".x", "-", "_",
		"web.example-1_b",
		"0123456789012345678901234567890123456789012345678901234567890123"};
	struct record r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (record_id_valid(bad[i]))
			fail_msg("\"%s\" was accepted", bad[i]);
		assert_int_equal(record_load(AT_FDCWD, bad[i], &r, NULL), -EINVAL);
		record_remove(AT_FDCWD, bad[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (!record_id_valid(good[i]))
			fail_msg("\"%s\" was refused", good[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_is_the_documented_one),
		cmocka_unit_test(what_was_written_is_read_back),
		cmocka_unit_test(that_it_was_restored_is_kept),
		cmocka_unit_test(what_its_configuration_said_is_kept),
		cmocka_unit_test(a_mode_set_by_hand_is_kept),
		cmocka_unit_test(
			members_may_come_in_any_order_and_unknown_ones_are_skipped),
		cmocka_unit_test(threads_are_found_by_id_and_start_time),
		cmocka_unit_test(
			threads_with_the_same_mask_share_it_as_long_as_one_of_them_is_there),
		cmocka_unit_test(threads_that_are_gone_are_dropped),
		cmocka_unit_test(threads_of_helpers_are_kept_by_their_process),
		cmocka_unit_test(where_a_vcpu_was_is_kept_with_its_thread),
		cmocka_unit_test(what_is_no_record_is_refused),
		cmocka_unit_test(another_boots_record_is_stale_whatever_else_it_holds),
		cmocka_unit_test(bombs_are_refused_before_they_are_parsed),
		cmocka_unit_test(damaged_texts_are_read_or_refused),
		cmocka_unit_test(ids_that_are_no_file_names_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

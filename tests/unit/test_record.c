// SPDX-License-Identifier: MIT
/* Records of masks: as list, as text (hostile too) and as file in a real directory. */
#include "config.h"

#include "act/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "act/bootid.h"
#include "base/attr.h"
#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "mutate.h"
#include "procs.h"

#define BOOT "3f2a1b4c0000411182220123456789ab"

static const char text_103[] =
	"{\"version\":1,\"id\":\"103\",\"pid\":4711,\"start_ticks\":123,"
	"\"boot_id\":\"" BOOT "\",\"placed\":true,\"limit\":\"0-15\",\"threads\":["
	"{\"tid\":4711,\"start_ticks\":123,\"cpus\":\"0-15\"},"
	"{\"tid\":4714,\"start_ticks\":125,\"cpus\":\"2,4-7\"}]}";

static struct cpuset
cpus(const char *list)
{
	struct cpuset set;

	assert_int_equal(cpuset_parse(list, &set), 0);
	return set;
}

static bool
add(struct record *r, pid_t tid, uint64_t start_ticks, const char *list)
{
	struct cpuset set = cpus(list);

	return record_add(r, tid, start_ticks, &set);
}

static struct record
record_103(void)
{
	struct record r = {
		.id = "103", .pid = 4711, .start_ticks = 123, .placed = true};

	r.limit = cpus("0-15");
	add(&r, 4714, 125, "2,4-7");
	add(&r, 4711, 123, "0-15");
	return r;
}

static int
parse(const char *text, struct record *out, struct err *e)
{
	return record_parse(text, strlen(text), BOOT, out, e);
}

static void
assert_is_103(const struct record *r)
{
	auto_free char *text = record_format(r, BOOT);

	assert_string_equal(text, text_103);
}

static void
the_text_is_the_documented_one(void **state)
{
	struct record r = record_103();

	(void)state;
	assert_is_103(&r);
	record_fini(&r);
	assert_null(r.threads);
	record_fini(&r);
}

static void
what_was_written_is_read_back(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(parse(text_103, &r, NULL), 0);
	assert_string_equal(r.id, "103");
	assert_int_equal(r.pid, 4711);
	assert_int_equal(r.start_ticks, 123);
	assert_true(r.placed);
	assert_int_equal(r.n_threads, 2);
	assert_is_103(&r);
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
		      "\"limit\":\"0-15\",\"placed\":true,\"boot_id\":\"" BOOT
		      "\",\"start_ticks\":123,\"pid\":4711,\"id\":\"103\",\"extra\":null,"
		      "\"version\":1}\n",
			&r, NULL),
		-E2BIG); /* deeper than any record */
	assert_int_equal(
		parse("{\"threads\":[{\"cpus\":\"2,4-7\",\"tid\":4714,\"start_ticks\":125},"
		      "{\"start_ticks\":123,\"new\":7,\"tid\":4711,\"cpus\":\"0-15\"}],"
		      "\"limit\":\"0-15\",\"placed\":true,\"boot_id\":\"" BOOT
		      "\",\"start_ticks\":123,\"pid\":4711,\"id\":\"103\",\"extra\":null,"
		      "\"version\":1}\n",
			&r, NULL),
		0);
	assert_is_103(&r);
	record_fini(&r);
}

static void
threads_are_found_by_id_and_start_time(void **state)
{
	struct record r = record_103();
	struct cpuset want = cpus("2,4-7");

	(void)state;
	assert_true(cpuset_equal(&record_find(&r, 4714, 125)->cpus, &want));
	assert_null(record_find(&r, 4714, 124));
	assert_null(record_find(&r, 4712, 125));
	assert_null(record_find(&r, 9999, 125));
	/* there already: the first mask stays */
	assert_false(add(&r, 4714, 125, "0"));
	assert_true(cpuset_equal(&record_find(&r, 4714, 125)->cpus, &want));
	/* the id is another thread's now */
	assert_true(add(&r, 4714, 900, "1"));
	assert_null(record_find(&r, 4714, 125));
	want = cpus("1");
	assert_true(cpuset_equal(&record_find(&r, 4714, 900)->cpus, &want));
	assert_int_equal(r.n_threads, 2);
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
		add(&r, tid, 7, "0");
	assert_true(record_retain(&r, tids, ARRAY_LEN(tids)));
	assert_int_equal(r.n_threads, 2);
	assert_non_null(record_find(&r, 20, 7));
	assert_non_null(record_find(&r, 40, 7));
	assert_false(record_retain(&r, tids, ARRAY_LEN(tids)));
	assert_true(record_retain(&r, NULL, 0));
	assert_int_equal(r.n_threads, 0);
	record_fini(&r);
}

static void
a_full_record_takes_no_more_and_can_be_saved(void **state)
{
	char *dir = procs_make_dir();
	auto_close int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct record r = {.id = "103", .pid = 1, .limit = cpus("0")};
	struct record back;

	(void)state;
	for (unsigned int i = 1; i <= RECORD_THREADS_MAX; i++)
		assert_true(add(&r, (pid_t)i, UINT64_C(1) << 62, "0-383,512-767"));
	assert_false(add(&r, 1 << 30, 7, "0"));
	assert_int_equal(record_save(dirfd, &r, NULL), 0);
	assert_int_equal(record_load(dirfd, "103", &back, NULL), 0);
	assert_int_equal(back.n_threads, RECORD_THREADS_MAX);
	record_fini(&back);
	record_fini(&r);
	procs_remove_dir(dir);
}

static void
what_is_no_record_is_refused(void **state)
{
#define HEAD "{\"version\":1,\"boot_id\":\"" BOOT "\","
#define REST "\"placed\":true,\"limit\":\"0-15\",\"threads\":[]}"
#define THREAD(t)                                                                          \
	HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":2,\"placed\":true,\"limit\":\"0\"," \
	     "\"threads\":[" t "]}"
	static const struct {
		const char *text;
		const char *part;
	} cases[] = {
		{"", "not JSON"},
		{"{", "not JSON"},
		{"[]", "not an object"},
		{"{}", "\"version\" is missing"},
		{"{\"version\":2}", "a record of version 2, not 1"},
		{"{\"version\":\"1\"}", "\"version\" is of another type"},
		{"{\"version\":1}", "\"boot_id\" is missing"},
		{HEAD REST, "\"id\" is missing"},
		{HEAD "\"id\":103,\"pid\":1,\"start_ticks\":2," REST,
			"\"id\" is of another"},
		{HEAD "\"id\":\"\",\"pid\":1,\"start_ticks\":2," REST,
			"\"id\" is no VM's"},
		{HEAD "\"id\":\"../x\",\"pid\":1,\"start_ticks\":2," REST,
			"\"id\" is no VM"},
		{HEAD "\"id\":\"103\",\"start_ticks\":2," REST, "\"pid\" is missing"},
		{HEAD "\"id\":\"103\",\"pid\":0,\"start_ticks\":2," REST,
			"\"pid\" is out of"},
		{HEAD "\"id\":\"103\",\"pid\":-1,\"start_ticks\":2," REST,
			"\"pid\" is out of"},
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
		{HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":2,\"placed\":true,"
		      "\"limit\":\"0-\",\"threads\":[]}",
			"\"limit\" is no CPU list"},
		{HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":2,\"placed\":true,"
		      "\"limit\":\"2048\",\"threads\":[]}",
			"\"limit\" is no CPU list"},
		{HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":2,\"placed\":true,"
		      "\"limit\":\"0\",\"threads\":{}}",
			"\"threads\" is of another type"},
		{HEAD "\"id\":\"103\",\"pid\":1,\"start_ticks\":2," REST "x",
			"not JSON"},
		{HEAD "\"id\":\"103\",\"id\":\"104\",\"pid\":1,\"start_ticks\":2," REST,
			"not JSON"},
		{THREAD("7"), "\"tid\" is missing"},
		{THREAD("{}"), "\"tid\" is missing"},
		{THREAD("{\"tid\":0,\"start_ticks\":1,\"cpus\":\"0\"}"),
			"\"tid\" is out of"},
		{THREAD("{\"tid\":1,\"cpus\":\"0\"}"), "\"start_ticks\" is missing"},
		{THREAD("{\"tid\":1,\"start_ticks\":1}"), "\"cpus\" is missing"},
		{THREAD("{\"tid\":1,\"start_ticks\":1,\"cpus\":7}"),
			"\"cpus\" is of an"},
		{THREAD("{\"tid\":1,\"start_ticks\":1,\"cpus\":\"x\"}"),
			"\"cpus\" is no CPU"},
		{THREAD("{\"tid\":1,\"start_ticks\":1,\"cpus\":\"0\"},"
			"{\"tid\":1,\"start_ticks\":2,\"cpus\":\"0\"}"),
			"thread 1 twice"},
	};
	struct record before;
	struct record r;

	(void)state;
	memset(&before, 0xa5, sizeof(before));
	r = before;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_NONE;
		int ret = parse(cases[i].text, &r, &e);

		if (ret != -EINVAL || strstr(e.text, cases[i].part) == NULL)
			fail_msg("case %zu: %d \"%s\": %s", i, ret, e.text,
				cases[i].text);
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
		record_parse(text_103, strlen(text_103), "other", &r, &e), -ESTALE);
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
		char damaged[sizeof(text_103) + 64];
		size_t len = sizeof(text_103) - 1;
		struct record r;

		memcpy(damaged, text_103, len);
		len = mutate_text(damaged, len, sizeof(damaged), &seed);
		copy = xcalloc(len, 1);
		memcpy(copy, damaged, len);
		if (record_parse(copy, len, BOOT, &r, NULL) < 0)
			continue;
		accepted++;
		/* what is accepted is a record: it survives being written again */
		again = record_format(&r, BOOT);
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

struct fixture {
	char *dir;
	char *path;
	int dirfd;
	struct record r;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->dir = procs_make_dir();
	f->path = xasprintf("%s/103.json", f->dir);
	f->dirfd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->r = record_103();
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	record_fini(&f->r);
	close(f->dirfd);
	procs_remove_dir(f->dir);
	free(f->path);
	free(f);
	return 0;
}

static void
save(const struct fixture *f)
{
	struct err e = ERR_NONE;

	if (record_save(f->dirfd, &f->r, &e) != 0)
		fail_msg("%s: %s", e.source, e.text);
}

static void
expect_load(const struct fixture *f, int want, const char *part)
{
	size_t fds = procs_count_fds();
	struct err e = ERR_NONE;
	struct record r;
	int ret = record_load(f->dirfd, "103", &r, &e);

	if (ret != want || strstr(e.text, part) == NULL)
		fail_msg("%d, not %d: \"%s\", not \"%s\"", ret, want, e.text, part);
	if (ret == 0) {
		assert_is_103(&r);
		record_fini(&r);
	} else if (ret != -ENOENT) {
		assert_string_equal(e.source, "103.json");
	}
	assert_int_equal(procs_count_fds(), fds);
}

static void
put_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, 0600), 0);
}

static void
a_saved_record_is_loaded_again(void **state)
{
	const struct fixture *f = *state;
	struct stat st;

	expect_load(f, -ENOENT, "");
	save(f);
	expect_load(f, 0, "");
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	save(f);
	expect_load(f, 0, "");
	record_remove(f->dirfd, "103");
	expect_load(f, -ENOENT, "");
	record_remove(f->dirfd, "103");
}

static void
saving_replaces_the_file_and_leaves_nothing_else(void **state)
{
	const struct fixture *f = *state;
	auto_free char *temp = xasprintf("%s/.103.tmp", f->dir);
	struct stat first;
	struct stat second;

	save(f);
	assert_int_equal(stat(f->path, &first), 0);
	/* left behind by a crash, or laid out as a trap */
	assert_int_equal(symlink(f->path, temp), 0);
	save(f);
	assert_int_equal(stat(f->path, &second), 0);
	assert_true(first.st_ino != second.st_ino);
	assert_int_equal(lstat(temp, &first), -1);
	expect_load(f, 0, "");
}

static void
a_save_that_fails_leaves_the_old_record(void **state)
{
	struct fixture *f = *state;
	auto_free char *temp = xasprintf("%s/.103.tmp", f->dir);
	struct rlimit full = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
	struct err e = ERR_NONE;
	struct rlimit old;
	struct stat st;
	int r;

	save(f);
	f->r.placed = false;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	full.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	r = record_save(f->dirfd, &f->r, &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(r, -EFBIG);
	assert_non_null(strstr(e.text, "cannot write the file"));
	assert_int_equal(lstat(temp, &st), -1);
	expect_load(f, 0, "");
	/* a directory in the way */
	unlink(f->path);
	assert_int_equal(mkdir(f->path, 0700), 0);
	err_clear(&e);
	assert_int_equal(record_save(f->dirfd, &f->r, &e), -EISDIR);
	assert_int_equal(lstat(temp, &st), -1);
	rmdir(f->path);
}

static void
only_our_own_private_file_is_read(void **state)
{
	const struct fixture *f = *state;
	auto_free char *other = xasprintf("%s/other", f->dir);

	save(f);
	assert_int_equal(chmod(f->path, 0620), 0);
	expect_load(f, -EPERM, "others may write it (mode 0620)");
	assert_int_equal(chmod(f->path, 0602), 0);
	expect_load(f, -EPERM, "others may write it (mode 0602)");
	assert_int_equal(chmod(f->path, 0644), 0);
	expect_load(f, 0, "");
	if (geteuid() == 0) {
		assert_int_equal(chown(f->path, 12345, (gid_t)-1), 0);
		expect_load(f, -EPERM, "belongs to uid 12345");
		assert_int_equal(chown(f->path, 0, (gid_t)-1), 0);
	}
	assert_int_equal(rename(f->path, other), 0);
	assert_int_equal(symlink("other", f->path), 0);
	expect_load(f, -ELOOP, "cannot open");
	unlink(f->path);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	expect_load(f, -EINVAL, "not a regular file");
	unlink(f->path);
	assert_int_equal(mkdir(f->path, 0700), 0);
	expect_load(f, -EINVAL, "not a regular file");
	rmdir(f->path);
}

static void
a_file_that_holds_no_record_of_this_vm_is_refused(void **state)
{
	const struct fixture *f = *state;
	auto_free char *moved = xasprintf("%s/104.json", f->dir);
	struct err e = ERR_NONE;
	struct record r;

	put_text(f->path, "");
	expect_load(f, -EINVAL, "not JSON");
	put_text(f->path, "{}");
	expect_load(f, -EINVAL, "\"version\" is missing");
	put_text(f->path, text_103);
	expect_load(f, -ESTALE, "a record of another boot");
	put_text(f->path, "");
	assert_int_equal(truncate(f->path, 20000000), 0);
	expect_load(f, -E2BIG, "20000000 bytes, at most 16777216 are read");
	save(f);
	assert_int_equal(rename(f->path, moved), 0);
	assert_int_equal(record_load(f->dirfd, "104", &r, &e), -EINVAL);
	assert_string_equal(e.text, "the record of VM 103");
}

static void
an_id_that_is_no_file_name_is_not_saved(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_NONE;

	str_copy(f->r.id, sizeof(f->r.id), "../103");
	assert_int_equal(record_save(f->dirfd, &f->r, &e), -EINVAL);
	assert_string_equal(e.text, "no VM's id: \"../103\"");
}

/* 1000 VMs at once must not be felt: far from the limit even on a slow machine. */
static void
a_save_is_quick(void **state)
{
	struct fixture *f = *state;
	struct timespec a;
	struct timespec b;
	double us;

	for (pid_t tid = 4715; tid < 4725; tid++)
		add(&f->r, tid, 4711, "0-7,64-71");
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (unsigned int i = 0; i < 1000; i++)
		save(f);
	clock_gettime(CLOCK_MONOTONIC, &b);
	us = (double)(b.tv_sec - a.tv_sec) * 1e3 +
	     (double)(b.tv_nsec - a.tv_nsec) / 1e6;
	print_message("a record of %zu threads: %.0f us to save\n", f->r.n_threads, us);
	assert_true(us < 5000);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_is_the_documented_one),
		cmocka_unit_test(what_was_written_is_read_back),
		cmocka_unit_test(
			members_may_come_in_any_order_and_unknown_ones_are_skipped),
		cmocka_unit_test(threads_are_found_by_id_and_start_time),
		cmocka_unit_test(threads_that_are_gone_are_dropped),
		cmocka_unit_test(a_full_record_takes_no_more_and_can_be_saved),
		cmocka_unit_test(what_is_no_record_is_refused),
		cmocka_unit_test(another_boots_record_is_stale_whatever_else_it_holds),
		cmocka_unit_test(bombs_are_refused_before_they_are_parsed),
		cmocka_unit_test(damaged_texts_are_read_or_refused),
		cmocka_unit_test(ids_that_are_no_file_names_are_refused),
		WITH_DIR(a_saved_record_is_loaded_again),
		WITH_DIR(saving_replaces_the_file_and_leaves_nothing_else),
		WITH_DIR(a_save_that_fails_leaves_the_old_record),
		WITH_DIR(only_our_own_private_file_is_read),
		WITH_DIR(a_file_that_holds_no_record_of_this_vm_is_refused),
		WITH_DIR(an_id_that_is_no_file_name_is_not_saved),
		WITH_DIR(a_save_is_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * Configuration files on disk: which are read and in which order, what is refused by
 * name, and that a failed reading leaves the old settings alone.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "conf/settings.h"
#include "conf/sources.h"

#define NOBODY 65534

/* A fresh root directory with etc/qmpin/conf.d; the test's state. */
static int
make_root(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *root = xasprintf("%s/qmpin-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
	static const char *const dirs[] = {"etc", "etc/qmpin", "etc/qmpin/conf.d"};

	if (mkdtemp(root) == NULL || chmod(root, 0755) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		auto_free char *path = xasprintf("%s/%s", root, dirs[i]);

		if (mkdir(path, 0755) < 0)
			return -1;
	}
	*state = root;
	return 0;
}

static int
remove_entry(const char *path, const struct stat *st UNUSED, int type UNUSED,
	struct FTW *ftw UNUSED)
{
	return remove(path);
}

static int
remove_root(void **state)
{
	int r = nftw(*state, remove_entry, 8, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return r;
}

static char *
path_of(const char *root, const char *name)
{
	return xasprintf("%s/etc/qmpin/%s", root, name);
}

static void
write_bytes(const char *root, const char *name, const char *text, size_t len)
{
	auto_free char *path = path_of(root, name);
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

static void
write_file(const char *root, const char *name, const char *text)
{
	write_bytes(root, name, text, strlen(text));
}

/* Fails unless loading ends with @want, @name and @reason in the message, and leaves
 * the settings that were there. */
static void
expect_failure(const char *root, int want, const char *name, const char *reason)
{
	auto_free char *path = path_of(root, name);
	struct err e = ERR_NONE;
	struct settings c;
	struct settings before;
	int r;

	memset(&c, 0x5a, sizeof(c));
	memcpy(&before, &c, sizeof(before));
	r = settings_load(root, NULL, &c, &e);
	if (r != want || strcmp(e.source, path) != 0 || strstr(e.text, reason) == NULL)
		fail_msg("%s: r = %d, %s:%u: %s", name, r, e.source, e.line, e.text);
	assert_memory_equal(&c, &before, sizeof(c));
}

static struct settings
expect_success(const char *root, const char *file)
{
	struct err e = ERR_NONE;
	struct settings c;

	if (settings_load(root, file, &c, &e) != 0)
		fail_msg("%s:%u: %s", e.source, e.line, e.text);
	return c;
}

static void
a_directory_stands_for_the_default_one(void **state)
{
	auto_free char *tree = path_of(*state, "");
	struct settings c;

	write_file(*state, "qmpin.conf", "[qmpin]\nsettle_ms=1\nmode=off\n");
	write_file(*state, "conf.d/a.conf", "[qmpin]\nsettle_ms=2\n");
	c = expect_success("/nowhere", tree);
	assert_int_equal(c.settle_ms, 2);
	assert_int_equal(c.mode, PLACE_OFF);
	settings_fini(&c);
}

static void
missing_default_files_are_the_defaults(void **state)
{
	auto_free char *conf_d = path_of(*state, "conf.d");
	struct settings c = expect_success(*state, NULL);

	assert_int_equal(c.settle_ms, 10);
	settings_fini(&c);
	assert_int_equal(rmdir(conf_d), 0);
	c = expect_success(*state, NULL);
	assert_int_equal(c.mode_origin, SETTINGS_ORIGIN_DEFAULT);
	settings_fini(&c);
	c = expect_success("/nonexistent", NULL);
	settings_fini(&c);
}

static void
files_override_in_byte_order_of_their_names(void **state)
{
	struct settings c;

	write_file(*state, "qmpin.conf",
		"[qmpin]\nsettle_ms=1\nmode=off\nemulator=follow\n");
	write_file(*state, "conf.d/a.conf", "[qmpin]\nsettle_ms=2\nmode=float\n");
	write_file(*state, "conf.d/B.conf", "[qmpin]\nsettle_ms=3\n");
	write_file(*state, "conf.d/10.conf", "[qmpin]\nsettle_ms=4\n");
	write_file(*state, "conf.d/9.conf", "[qmpin]\nsettle_ms=5\nmode=pin\n");
	write_file(*state, "conf.d/z.conf.dpkg-old", "[qmpin]\nsettle_ms=6\n");
	write_file(*state, "conf.d/.z.conf", "[qmpin]\nadopt=now\n");
	write_file(*state, "conf.d/z", "[qmpin]\nsettle_ms=8\n");
	c = expect_success(*state, NULL);
	assert_int_equal(c.settle_ms, 2);
	assert_int_equal(c.mode, PLACE_FLOAT);
	assert_int_equal(c.emulator, PLACE_EMULATOR_FOLLOW);
	assert_int_equal(c.adopt, SETTINGS_ADOPT_GRADUAL);
	settings_fini(&c);
}

static void
a_named_file_stands_for_all_files(void **state)
{
	auto_free char *file = path_of(*state, "other");
	struct err e = ERR_NONE;
	struct settings c;

	write_file(*state, "qmpin.conf", "[qmpin]\nsettle_ms=1\n");
	write_file(*state, "conf.d/a.conf", "bad\n");
	write_file(*state, "other", "[qmpin]\nmode=pin\n");
	c = expect_success(*state, file);
	assert_int_equal(c.settle_ms, 10);
	assert_int_equal(c.mode, PLACE_PIN);
	settings_fini(&c);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(settings_load(*state, file, &c, &e), -ENOENT);
	assert_string_equal(e.source, file);
	assert_string_equal(e.text, "No such file or directory");
}

static void
errors_name_the_file(void **state)
{
	write_file(*state, "qmpin.conf", "[qmpin]\nmode=off\n");
	write_file(*state, "conf.d/a.conf", "[qmpin]\nmode=fast\n");
	expect_failure(*state, -EINVAL, "conf.d/a.conf", "\"fast\"");
	write_file(*state, "qmpin.conf", "[qmpin\n");
	expect_failure(*state, -EINVAL, "qmpin.conf", "missing ]");
}

static void
what_is_no_regular_file_is_refused_without_waiting(void **state)
{
	auto_free char *conf = path_of(*state, "qmpin.conf");
	auto_free char *fifo = path_of(*state, "conf.d/f.conf");
	auto_free char *link = path_of(*state, "conf.d/e.conf");

	assert_int_equal(mkfifo(fifo, 0644), 0);
	(void)alarm(20); /* a hang ends the test */
	expect_failure(*state, -EINVAL, "conf.d/f.conf", "not a regular file");
	(void)alarm(0);
	assert_int_equal(symlink("nowhere", link), 0);
	expect_failure(*state, -ENOENT, "conf.d/e.conf", "No such file");
	assert_int_equal(mkdir(conf, 0755), 0);
	expect_failure(*state, -EINVAL, "qmpin.conf", "not a regular file");
}

static void
unreadable_files_and_folders_are_errors(void **state)
{
	auto_free char *conf = path_of(*state, "qmpin.conf");
	auto_free char *conf_d = path_of(*state, "conf.d");
	bool root = geteuid() == 0;

	write_file(*state, "qmpin.conf", "[qmpin]\n");
	assert_int_equal(chmod(conf, 0), 0);
	if (root)
		assert_int_equal(seteuid(NOBODY), 0);
	expect_failure(*state, -EACCES, "qmpin.conf", "Permission denied");
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(conf, 0644), 0);
	assert_int_equal(chmod(conf_d, 0), 0);
	if (root)
		assert_int_equal(seteuid(NOBODY), 0);
	expect_failure(*state, -EACCES, "conf.d", "Permission denied");
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(conf_d, 0755), 0);
	assert_int_equal(rmdir(conf_d), 0);
	write_file(*state, "conf.d", "");
	expect_failure(*state, -ENOTDIR, "conf.d", "Not a directory");
}

static void
a_file_over_a_mebibyte_is_refused(void **state)
{
	size_t len = 1024 * 1024 + 1;
	auto_free char *text = xcalloc(1, len);
	struct settings c;

	memset(text, '\n', len);
	write_bytes(*state, "qmpin.conf", text, len);
	expect_failure(*state, -EINVAL, "qmpin.conf", "larger than 1048576 bytes");
	write_bytes(*state, "qmpin.conf", text, len - 1);
	c = expect_success(*state, NULL);
	settings_fini(&c);
}

static struct settings
above(const struct sources *files, const char *text)
{
	auto_free char *name = xstrdup("/etc/pve/qmpin.conf");
	auto_free char *copy = xstrdup(text);
	struct source cluster = {name, copy, strlen(text)};
	struct err e = ERR_NONE;
	struct settings c;

	if (sources_parse(files, &cluster, &c, &e) < 0)
		fail_msg("%s:%u: %s", e.source, e.line, e.text);
	return c;
}

static void
the_cluster_s_file_lies_under_all_others(void **state)
{
	struct sources files;
	struct settings c;
	enum settings_origin origin;
	unsigned int line;

	write_file(*state, "qmpin.conf", "[qmpin]\nsettle_ms=1\nselect=all\n");
	write_file(*state, "conf.d/a.conf", "[qmpin]\nsmt=avoid\n[vm 7]\nmode=pin\n");
	assert_int_equal(sources_read(*state, NULL, &files, NULL), 0);
	/* what is on disk by now counts with the next reading only */
	write_file(*state, "conf.d/a.conf", "bad\n");
	c = above(&files, "[qmpin]\nsettle_ms=2\nsmt=isolate\nselect=tagged\n"
			  "mode=float\n[vm 7]\nmode=off\nemulator=follow\n");
	assert_int_equal(c.settle_ms, 1);
	assert_int_equal(c.smt, PLACE_SMT_AVOID);
	assert_int_equal(c.select, SETTINGS_SELECT_ALL);
	assert_int_equal(c.select_origin, SETTINGS_ORIGIN_CONFIG);
	assert_int_equal(settings_mode(&c, "8", &origin), PLACE_FLOAT);
	assert_int_equal(origin, SETTINGS_ORIGIN_CLUSTER);
	assert_int_equal(settings_mode(&c, "7", NULL), PLACE_PIN);
	assert_int_equal(settings_emulator(&c, "7"), PLACE_EMULATOR_FOLLOW);
	assert_string_equal(settings_mode_file(&c, "8", &line), "/etc/pve/qmpin.conf");
	settings_fini(&c);
	c = above(&files, "[qmpin]\ncontrol_group = admins\nselect=tagged\n");
	assert_string_equal(c.control_group, "qmpin");
	assert_int_equal(c.n_warnings, 1);
	assert_string_equal(c.warnings[0],
		"/etc/pve/qmpin.conf:2: \"control_group\" has an effect in /etc/qmpin "
		"only");
	settings_fini(&c);
	sources_fini(&files);
}

static void
a_bad_file_of_the_cluster_leaves_the_output_alone(void **state)
{
	auto_free char *name = xstrdup("c");
	auto_free char *text = xstrdup("[qmpin\n");
	struct source bad = {name, text, strlen(text)};
	struct sources files;
	struct settings c;
	struct settings before;
	struct err e = ERR_NONE;

	assert_int_equal(sources_read(*state, NULL, &files, NULL), 0);
	memset(&c, 0x5a, sizeof(c));
	memcpy(&before, &c, sizeof(before));
	assert_int_equal(sources_parse(&files, &bad, &c, &e), -EINVAL);
	assert_string_equal(e.source, "c");
	assert_memory_equal(&c, &before, sizeof(c));
	sources_fini(&files);
}

/* Change 1 to 4 places of @text: another byte, a byte less, a doubled stretch. */
static void
mutate(struct strbuf *text, unsigned int *seed)
{
	int n = 1 + rand_r(seed) % 4;

	while (n-- > 0 && text->len > 16) {
		size_t at = (size_t)rand_r(seed) % (text->len - 8);
		char piece[8];

		switch (rand_r(seed) % 4) {
		case 0:
			text->s[at] = (char)rand_r(seed);
			break;
		case 1:
			text->s[at] = "[]=;#\n \t"[rand_r(seed) % 8];
			break;
		case 2:
			memmove(text->s + at, text->s + at + 1, text->len - at);
			text->len--;
			break;
		default:
			memcpy(piece, text->s + at, sizeof(piece));
			strbuf_add(text, piece, sizeof(piece));
			break;
		}
	}
}

static void
mutated_files_are_read_whole_or_change_nothing(void **state)
{
	static const char whole[] =
		"[qmpin]\nmode = pin\nsmt = share\nreserved_cpus = 0-3,64\n"
		"settle_ms = 20 ; a comment\n\n# [vm 1]\n[vm 103]\nmode = off\n"
		"[vm web-1]\nemulator = follow\nsmt = share\n[qmpin]\nadopt = now\n";
	auto_free char *path = path_of(*state, "qmpin.conf");
	unsigned int failed = 0;

	for (unsigned int seed = 1; seed <= 200; seed++) {
		struct strbuf text = {0};
		unsigned int random = seed;
		struct err e = ERR_NONE;
		struct settings c;
		struct settings before;
		int r;

		strbuf_adds(&text, whole);
		mutate(&text, &random);
		write_bytes(*state, "qmpin.conf", text.s, text.len);
		memset(&c, 0x5a, sizeof(c));
		memcpy(&before, &c, sizeof(before));
		r = settings_load(*state, NULL, &c, &e);
		if (r == 0) {
			settings_fini(&c);
		} else if (memcmp(&c, &before, sizeof(c)) != 0 || e.line == 0 ||
			   strcmp(e.source, path) != 0) {
			fail_msg("seed %u: %s:%u: %s", seed, e.source, e.line, e.text);
		}
		failed += r < 0;
		strbuf_fini(&text);
	}
	print_message("200 files, seeds 1 to 200: %u refused\n", failed);
	assert_in_range(failed, 50, 199);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_directory_stands_for_the_default_one),
		TEST(missing_default_files_are_the_defaults),
		TEST(files_override_in_byte_order_of_their_names),
		TEST(a_named_file_stands_for_all_files),
		TEST(errors_name_the_file),
		TEST(what_is_no_regular_file_is_refused_without_waiting),
		TEST(unreadable_files_and_folders_are_errors),
		TEST(a_file_over_a_mebibyte_is_refused),
		TEST(the_cluster_s_file_lies_under_all_others),
		TEST(a_bad_file_of_the_cluster_leaves_the_output_alone),
		TEST(mutated_files_are_read_whole_or_change_nothing),
	};

	return cmocka_run_group_tests_name("settings_load", tests, NULL, NULL);
}

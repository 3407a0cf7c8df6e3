// SPDX-License-Identifier: MIT
/*
 * The file of permanent modes: what is written, what stays, what is refused, and that
 * the settings read it.
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
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "conf/modefile.h"

#define PATH "conf.d/" MODEFILE_NAME
#define LOCK "conf.d/." MODEFILE_NAME ".lock"

/* A directory that is not there yet, in a fresh one; the test's state. */
static int
make_tree(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = xasprintf("%s/qmpin-test-XXXXXX", tmp != NULL ? tmp : "/tmp");

	if (mkdtemp(dir) == NULL)
		return -1;
	*state = xasprintf("%s/tree", dir);
	free(dir);
	return 0;
}

static int
remove_entry(const char *path, const struct stat *st UNUSED, int type UNUSED,
	struct FTW *ftw UNUSED)
{
	return remove(path);
}

static int
remove_tree(void **state)
{
	auto_free char *tree = *state;

	*strrchr(tree, '/') = '\0';
	return nftw(tree, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static char *
path_of(const char *tree, const char *name)
{
	return xasprintf("%s/%s", tree, name);
}

/* Contents of a file, NULL: there is none. */
static char *
read_file(const char *tree, const char *name)
{
	auto_free char *path = path_of(tree, name);
	FILE *in = fopen(path, "r");
	char *text;

	if (in == NULL)
		return NULL;
	text = xcalloc(1, 65536);
	assert_true(fread(text, 1, 65535, in) < 65535);
	(void)fclose(in);
	return text;
}

static void
write_file(const char *tree, const char *text)
{
	auto_free char *dir = path_of(tree, "conf.d");
	auto_free char *path = path_of(tree, PATH);
	FILE *out;

	(void)mkdir(tree, 0755);
	(void)mkdir(dir, 0755);
	out = fopen(path, "w");
	assert_non_null(out);
	(void)fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

static struct modefile
open_file(const char *tree)
{
	struct modefile f;
	struct err e = ERR_NONE;

	if (modefile_open(&f, tree, &e) < 0)
		fail_msg("%s:%u: %s", e.source, e.line, e.text);
	return f;
}

static void
set(const char *tree, const char *id, enum place_mode mode)
{
	struct modefile f = open_file(tree);

	assert_int_equal(modefile_set(&f, id, mode, NULL), 0);
	assert_int_equal(modefile_save(&f, NULL), 0);
	modefile_close(&f);
}

static void
unset(const char *tree, const char *id)
{
	struct modefile f = open_file(tree);

	modefile_unset(&f, id);
	assert_int_equal(modefile_save(&f, NULL), 0);
	modefile_close(&f);
}

/* What stands behind the comments. */
static void
check_sections(const char *tree, const char *want)
{
	auto_free char *text = read_file(tree, PATH);
	const char *sections;

	assert_non_null(text);
	sections = strstr(text, "\n\n");
	assert_true(sections != NULL && text[0] == '#');
	assert_string_equal(sections + 1, want);
}

static void
what_is_set_is_what_the_settings_read(void **state)
{
	struct settings c;
	enum settings_origin origin;

	set(*state, "103", PLACE_PIN);
	set(*state, "9", PLACE_OFF);
	check_sections(*state, "\n[vm 103]\nmode = pin\n\n[vm 9]\nmode = off\n");
	assert_int_equal(settings_load(NULL, *state, &c, NULL), 0);
	assert_int_equal(settings_mode(&c, "103", &origin), PLACE_PIN);
	assert_int_equal(origin, SETTINGS_ORIGIN_VM_SECTION);
	assert_int_equal(settings_mode(&c, "9", NULL), PLACE_OFF);
	assert_int_equal(c.n_warnings, 0);
	settings_fini(&c);
}

static void
other_vms_entries_stay_and_the_last_one_takes_the_file_along(void **state)
{
	set(*state, "103", PLACE_PIN);
	set(*state, "104", PLACE_OBSERVE);
	set(*state, "103", PLACE_AUTO);
	check_sections(*state, "\n[vm 103]\nmode = auto\n\n[vm 104]\nmode = observe\n");
	unset(*state, "103");
	unset(*state, "105");
	check_sections(*state, "\n[vm 104]\nmode = observe\n");
	unset(*state, "104");
	assert_null(read_file(*state, PATH));
	unset(*state, "104");
}

static void
a_mode_changed_by_hand_stays(void **state)
{
	write_file(*state, "[vm web.1]\n  mode: dedicated ; by me\n[vm 7]\n");
	set(*state, "103", PLACE_PIN);
	check_sections(
		*state, "\n[vm 103]\nmode = pin\n\n[vm web.1]\nmode = dedicated\n");
}

static void
what_is_not_understood_is_refused_with_its_line_and_stays(void **state)
{
	static const struct {
		const char *text;
		unsigned int line;
		const char *why;
	} cases[] = {
		{"[qmpin]\nmode = pin\n", 1, "[qmpin] is not for this file"},
		{"[vm 1]\nmode = pin\nsmt = avoid\n", 3, "\"smt\" is not for"},
		{"# a\n[vm 1]\nmode = fast\n", 3, "\"fast\" is not one of"},
		{"[vm 1\n", 1, "missing ]"},
		{"[vm ..x/]\nmode = pin\n", 1, "is not for this file"},
		{"[vm 1]\nmode = pin\nmode = off\n", 3, "already set"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *path = path_of(*state, PATH);
		auto_free char *after = NULL;
		struct modefile f;
		struct err e = ERR_NONE;

		write_file(*state, cases[i].text);
		assert_int_equal(modefile_open(&f, *state, &e), -EINVAL);
		if (!str_equal(e.source, path) || e.line != cases[i].line ||
			strstr(e.text, cases[i].why) == NULL)
			fail_msg("%s: %s:%u: %s", cases[i].text, e.source, e.line,
				e.text);
		after = read_file(*state, PATH);
		assert_string_equal(after, cases[i].text);
	}
}

static void
an_undo_brings_back_the_bytes(void **state)
{
	static const char text[] = "# mine\n[vm 1]\nmode=pin\n";
	auto_free char *after = NULL;
	struct modefile f;

	write_file(*state, text);
	f = open_file(*state);
	assert_int_equal(modefile_set(&f, "2", PLACE_OFF, NULL), 0);
	assert_int_equal(modefile_save(&f, NULL), 0);
	check_sections(*state, "\n[vm 1]\nmode = pin\n\n[vm 2]\nmode = off\n");
	assert_int_equal(modefile_undo(&f, NULL), 0);
	modefile_close(&f);
	after = read_file(*state, PATH);
	assert_string_equal(after, text);
}

/* Permissions of what is there, 0: nothing. */
static unsigned int
mode_of(const char *tree, const char *name)
{
	auto_free char *path = path_of(tree, name);
	struct stat st;

	return lstat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void
set_and_undo(const char *tree)
{
	struct modefile f = open_file(tree);

	assert_int_equal(modefile_set(&f, "2", PLACE_OFF, NULL), 0);
	assert_int_equal(modefile_save(&f, NULL), 0);
	assert_int_equal(modefile_undo(&f, NULL), 0);
	modefile_close(&f);
}

static void
an_undo_of_the_first_one_leaves_nothing_that_was_not_there(void **state)
{
	auto_free char *dir = path_of(*state, "conf.d");

	set_and_undo(*state);
	assert_int_equal(mode_of(*state, ""), 0);
	assert_int_equal(mkdir(*state, 0700), 0);
	set_and_undo(*state);
	assert_int_equal(mode_of(*state, ""), 0700);
	assert_int_equal(mode_of(*state, "conf.d"), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	set_and_undo(*state);
	assert_int_equal(mode_of(*state, "conf.d"), 0700);
	assert_int_equal(rmdir(dir), 0);
}

static void
what_somebody_puts_there_meanwhile_stays(void **state)
{
	struct modefile f = open_file(*state);

	write_file(*state, "");
	modefile_close(&f);
	assert_int_not_equal(mode_of(*state, PATH), 0);
}

static void
a_tree_that_cannot_be_opened_leaves_nothing_either(void **state)
{
	auto_free char *dir = path_of(*state, "conf.d");
	struct modefile f;

	assert_int_equal(mkdir(*state, 0755), 0);
	assert_int_equal(symlink("nowhere", dir), 0);
	assert_int_equal(modefile_open(&f, *state, NULL), -ENOENT);
	assert_int_equal(unlink(dir), 0);
	assert_int_equal(rmdir(*state), 0);
}

static void
two_at_once_do_not_lose_each_other_s_entries(void **state)
{
	struct modefile f = open_file(*state);
	struct modefile other;
	struct err e = ERR_NONE;

	assert_int_equal(modefile_open(&other, *state, &e), -EBUSY);
	assert_non_null(strstr(e.text, "try again"));
	assert_int_equal(mode_of(*state, LOCK), 0600);
	modefile_close(&f);
	f = open_file(*state);
	assert_int_equal(modefile_open(&other, *state, NULL), -EBUSY);
	modefile_close(&f);
}

#define WRITERS 4
#define ENTRIES 25u

/* Its entries, one at a time; 0 in the end. */
static int
write_entries(const char *tree, unsigned int first)
{
	for (unsigned int id = first; id < first + ENTRIES;) {
		auto_free char *name = xasprintf("%u", id);
		struct modefile f;
		int r = modefile_open(&f, tree, NULL);

		if (r == -EBUSY ||
			r == -ENOENT) /* the last one has taken conf.d along */
			continue;
		if (r < 0 || modefile_set(&f, name, PLACE_PIN, NULL) < 0 ||
			modefile_save(&f, NULL) < 0)
			return 1;
		modefile_close(&f);
		id++;
	}
	return 0;
}

static void
processes_that_come_and_go_lose_no_entry(void **state)
{
	struct modefile f;
	int status;

	for (unsigned int i = 0; i < WRITERS; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(write_entries(*state, 100 + i * ENTRIES));
		assert_true(pid > 0);
	}
	for (int i = 0; i < WRITERS; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	f = open_file(*state);
	assert_int_equal(f.modes.n_vms, WRITERS * ENTRIES);
	modefile_close(&f);
}

static void
who_may_only_read_keeps_nobody_from_writing(void **state)
{
	static const char *const readable[] = {"", "conf.d", PATH};

	set(*state, "1", PLACE_PIN);
	for (size_t i = 0; i < ARRAY_LEN(readable); i++) {
		auto_free char *path = path_of(*state, readable[i]);
		auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

		assert_int_equal(flock(fd, LOCK_EX), 0);
		set(*state, "2", PLACE_PIN);
	}
}

static void
everybody_may_read_it_and_nothing_else_is_left(void **state)
{
	auto_free char *temp = path_of(*state, "conf.d/." MODEFILE_NAME ".new");
	mode_t mask = umask(0077);
	FILE *stale;

	set(*state, "1", PLACE_PIN);
	stale = fopen(temp, "w"); /* of one that was killed */
	assert_non_null(stale);
	assert_int_equal(fclose(stale), 0);
	set(*state, "2", PLACE_PIN);
	assert_int_equal(umask(mask), 0077);
	assert_int_equal(mode_of(*state, ""), 0755);
	assert_int_equal(mode_of(*state, "conf.d"), 0755);
	assert_int_equal(mode_of(*state, PATH), 0644);
	assert_int_equal(mode_of(*state, "conf.d/." MODEFILE_NAME ".new"), 0);
	assert_int_equal(mode_of(*state, LOCK), 0);
}

static void
a_link_and_what_is_no_file_are_refused(void **state)
{
	auto_free char *path = path_of(*state, PATH);
	struct modefile f;

	write_file(*state, "");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(modefile_open(&f, *state, NULL), -ELOOP);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(modefile_open(&f, *state, NULL), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_tree, remove_tree)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_set_is_what_the_settings_read),
		TEST(other_vms_entries_stay_and_the_last_one_takes_the_file_along),
		TEST(a_mode_changed_by_hand_stays),
		TEST(what_is_not_understood_is_refused_with_its_line_and_stays),
		TEST(an_undo_brings_back_the_bytes),
		TEST(an_undo_of_the_first_one_leaves_nothing_that_was_not_there),
		TEST(what_somebody_puts_there_meanwhile_stays),
		TEST(a_tree_that_cannot_be_opened_leaves_nothing_either),
		TEST(two_at_once_do_not_lose_each_other_s_entries),
		TEST(processes_that_come_and_go_lose_no_entry),
		TEST(who_may_only_read_keeps_nobody_from_writing),
		TEST(everybody_may_read_it_and_nothing_else_is_left),
		TEST(a_link_and_what_is_no_file_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * Texts of /etc/pve through the real program, as files come, change, move and go, and
 * when they are not what they should be.
 */
#include "config.h"

#include "daemon/pvewatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "pve/vmconf.h"
#include "pveworld.h"
#include "trees.h"

/* A cluster of two nodes, of which this is one. */
static void
make_cluster(struct pveworld *w)
{
	auto_free char *other = trees_path(w->dir, "etc/pve/nodes/two/qemu-server/x");
	auto_free char *here = trees_path(w->dir, "etc/pve/nodes/one/qemu-server/x");
	auto_free char *link = trees_path(w->dir, "etc/pve/qemu-server");

	(void)here;
	(void)other;
	assert_int_equal(symlink("nodes/one/qemu-server", link), 0);
}

/* What pmxcfs makes up; entries of .vmlist. */
static void
set_counters(struct pveworld *w, unsigned int count, const char *vms)
{
	auto_free char *version =
		xasprintf("{\n\"starttime\": 1700000000,\n\"clinfo\": 2,\n"
			  "\"vmlist\": %u,\n\"storage.cfg\": 3\n}\n",
			count);
	auto_free char *list =
		xasprintf("{\n\"version\": %u,\n\n\"ids\": {\n%s}\n}\n", count, vms);

	pveworld_write(w, ".vmlist", list);
	pveworld_write(w, ".version", version);
}

#define ON(id, node, version)             \
	"\"" id "\": { \"node\": \"" node \
	"\", \"type\": \"qemu\", \"version\": " version " }"

static void
texts_come_change_and_go(void **state)
{
	struct pveworld *w = *state;

	pveworld_write(w, "qemu-server/100.conf", "cores: 2\n");
	pveworld_write(w, "qmpin.conf", "[qmpin]\n");
	pveworld_start(w, NULL, NULL);
	pvewatch_add(w->watch, "100");
	pvewatch_add(w->watch, "100");
	pvewatch_add(w->watch, "101");
	pvewatch_add(w->watch, "web-1");
	pvewatch_add(w->watch, "99");
	assert_true(pvewatch_awaits(w->watch, "100"));
	assert_false(pvewatch_awaits(w->watch, "web-1"));
	pveworld_until(w, pveworld_has_settled, "1");
	assert_true(pveworld_says(w, "100=cores: 2\n"));
	assert_true(pveworld_says(w, "101"));
	assert_true(pveworld_says(w, "qmpin.conf=[qmpin]\n"));
	assert_true(pveworld_says(w, "datacenter.cfg"));
	assert_false(pvewatch_awaits(w->watch, "100"));
	pveworld_write(w, "qemu-server/100.conf", "cores: 4\n");
	pveworld_until(w, pveworld_says, "100=cores: 4\n");
	pveworld_write(w, "qemu-server/101.conf", "");
	pveworld_until(w, pveworld_says, "101=");
	trees_cut(w->dir, "etc/pve/qemu-server/100.conf");
	trees_cut(w->dir, "etc/pve/qmpin.conf");
	pveworld_until(w, pveworld_says, "100");
	pveworld_until(w, pveworld_says, "qmpin.conf");
	pveworld_pass_looks(w);
	assert_int_equal(pveworld_find(w, "100")->times, 3);
	assert_int_equal(pveworld_find(w, "101")->times, 2);
	assert_int_equal(w->n_settled, 1);
	assert_int_equal(w->n_troubles, 0);
	assert_null(pveworld_find(w, "web-1"));
}

static void
what_is_added_later_is_answered_too(void **state)
{
	struct pveworld *w = *state;

	pveworld_write(w, "qemu-server/100.conf", "cores: 2\n");
	pveworld_start(w, NULL, NULL);
	pveworld_until(w, pveworld_has_settled, "1");
	pvewatch_add(w->watch, "100");
	pveworld_until(w, pveworld_has_settled, "2");
	assert_true(pveworld_says(w, "100=cores: 2\n"));
	pvewatch_remove(w->watch, "100");
	pveworld_write(w, "qemu-server/100.conf", "cores: 3\n");
	pveworld_pass_looks(w);
	assert_int_equal(pveworld_find(w, "100")->times, 1);
	pvewatch_add(w->watch, "100");
	pveworld_until(w, pveworld_has_settled, "3");
	assert_true(pveworld_says(w, "100=cores: 3\n"));
}

/* As a migration does: the source's until it is done. */
static void
a_file_that_moves_between_nodes_is_followed(void **state)
{
	struct pveworld *w = *state;
	auto_free char *from = NULL;
	auto_free char *to = NULL;

	make_cluster(w);
	pveworld_write(w, "nodes/two/qemu-server/100.conf", "cores: 2\n");
	set_counters(w, 1, ON("100", "two", "1"));
	pveworld_start(w, NULL, NULL);
	pvewatch_add(w->watch, "100");
	pveworld_until(w, pveworld_has_settled, "1");
	assert_true(pveworld_says(w, "100=cores: 2\n"));
	from = trees_path(w->dir, "etc/pve/nodes/two/qemu-server/100.conf");
	to = trees_path(w->dir, "etc/pve/nodes/one/qemu-server/100.conf");
	assert_int_equal(rename(from, to), 0);
	set_counters(w, 2, ON("100", "one", "2"));
	pveworld_pass_looks(w);
	assert_int_equal(pveworld_find(w, "100")->times, 1);
	pveworld_write(w, "nodes/one/qemu-server/100.conf", "cores: 4\n");
	set_counters(w, 3, ON("100", "one", "3"));
	pveworld_until(w, pveworld_says, "100=cores: 4\n");
	trees_cut(w->dir, "etc/pve/nodes/one/qemu-server/100.conf");
	set_counters(w, 4, "");
	pveworld_until(w, pveworld_says, "100");
}

static void
only_what_the_counters_name_is_read(void **state)
{
	struct pveworld *w = *state;

	make_cluster(w);
	pveworld_write(w, "nodes/one/qemu-server/100.conf", "cores: 1\n");
	pveworld_write(w, "nodes/one/qemu-server/101.conf", "cores: 1\n");
	set_counters(w, 1, ON("100", "one", "1") "," ON("101", "one", "2"));
	pveworld_start(w, NULL, NULL);
	pvewatch_add(w->watch, "100");
	pvewatch_add(w->watch, "101");
	pveworld_until(w, pveworld_has_settled, "1");
	pveworld_write(w, "nodes/one/qemu-server/100.conf", "cores: 2\n");
	pveworld_write(w, "nodes/one/qemu-server/101.conf", "cores: 2\n");
	pveworld_pass_looks(w);
	assert_true(pveworld_says(w, "100=cores: 1\n"));
	set_counters(w, 2, ON("100", "one", "3") "," ON("101", "one", "2"));
	pveworld_until(w, pveworld_says, "100=cores: 2\n");
	pveworld_pass_looks(w);
	assert_true(pveworld_says(w, "101=cores: 1\n"));
	pvewatch_look(w->watch); /* counters are not trusted then */
	pveworld_until(w, pveworld_says, "101=cores: 2\n");
}

/* pmxcfs was restarted, and has come to the same numbers. */
static void
counters_that_begin_anew_are_others(void **state)
{
	struct pveworld *w = *state;

	make_cluster(w);
	pveworld_write(w, "nodes/one/qemu-server/100.conf", "cores: 1\n");
	set_counters(w, 1, ON("100", "one", "1"));
	pveworld_start(w, NULL, NULL);
	pvewatch_add(w->watch, "100");
	pveworld_until(w, pveworld_has_settled, "1");
	pveworld_write(w, "nodes/one/qemu-server/100.conf", "cores: 2\n");
	pveworld_write(w, ".version", "{\"starttime\": 1700000009, \"vmlist\": 1}");
	pveworld_until(w, pveworld_says, "100=cores: 2\n");
	/* and count again */
	pveworld_write(w, "nodes/one/qemu-server/100.conf", "cores: 3\n");
	pveworld_write(w, ".version", "{\"starttime\": 1700000009, \"vmlist\": 2}");
	pveworld_pass_looks(w);
	assert_true(pveworld_says(w, "100=cores: 2\n"));
}

static void
counters_that_say_nothing_are_not_trusted(void **state)
{
	static const char *const versions[] = {"", "{", "[]", "{}",
		"{\"starttime\": 1, \"vmlist\": -1}",
		"{\"starttime\": \"1\", \"vmlist\": 1}", "\xff\xfe"};
	struct pveworld *w = *state;

	make_cluster(w);
	pveworld_write(w, ".vmlist", "{}");
	pveworld_start(w, NULL, NULL);
	pvewatch_add(w->watch, "100");
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		auto_free char *text = xasprintf("cores: %zu\n", i + 1);
		auto_free char *said = xasprintf("100=%s", text);

		pveworld_write(w, ".version", versions[i]);
		pveworld_pass_looks(w);
		pveworld_write(w, "nodes/one/qemu-server/100.conf", text);
		pveworld_until(w, pveworld_says, said);
	}
}

static void
a_list_of_lies_leads_nowhere(void **state)
{
	static const char *const lists[] = {
		"{\"ids\": {\"100\": {\"node\": \"../../secret\", \"version\": 1}}}",
		"{\"ids\": {\"100\": {\"node\": \"\", \"version\": 1}}}",
		"{\"ids\": {\"100\": {\"node\": 5, \"version\": 1}}}",
		"{\"ids\": {\"100\": \"two\"}}", "{\"ids\": []}", "garbage"};
	struct pveworld *w = *state;

	make_cluster(w);
	pveworld_write(w, "nodes/one/qemu-server/100.conf", "cores: 2\n");
	trees_write(w->dir, "secret/qemu-server/100.conf", "secret\n");
	pveworld_write(w, ".version", "{\"starttime\": 1, \"vmlist\": 1}");
	pveworld_write(w, ".vmlist", lists[0]);
	pveworld_start(w, NULL, NULL);
	pvewatch_add(w->watch, "100");
	pveworld_until(w, pveworld_has_settled, "1");
	assert_true(pveworld_says(w, "100=cores: 2\n"));
	trees_cut(w->dir, "etc/pve/nodes/one/qemu-server/100.conf");
	for (unsigned int i = 0; i < ARRAY_LEN(lists); i++) {
		auto_free char *version =
			xasprintf("{\"starttime\": 1, \"vmlist\": %u}", i + 2);

		pveworld_write(w, ".vmlist", lists[i]);
		pveworld_write(w, ".version", version);
		pveworld_until(w, pveworld_cannot_read, "100");
		pveworld_pass_looks(w);
		assert_true(pveworld_says(w, "100=cores: 2\n"));
	}
	set_counters(w, 20, "");
	pveworld_until(w, pveworld_says, "100");
	assert_false(pveworld_cannot_read(w, "100"));
}

static void
a_thousand_vms_are_told_once(void **state)
{
	struct pveworld *w = *state;
	char name[64];

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(
			name, sizeof(name), "etc/pve/qemu-server/%d.conf", 100 + i);
		trees_write(w->dir, name, "cores: 2\nmemory: 4096\n");
	}
	pveworld_start(w, NULL, NULL);
	for (int i = 999; i >= 0; i--) {
		(void)snprintf(name, sizeof(name), "%d", 100 + i);
		pvewatch_add(w->watch, name);
	}
	pveworld_until(w, pveworld_has_settled, "1");
	for (int i = 0; i < 1000; i++) {
		const struct pveworld_told *t;

		(void)snprintf(name, sizeof(name), "%d", 100 + i);
		t = pveworld_find(w, name);
		assert_non_null(t);
		assert_int_equal(t->times, 1);
		assert_string_equal(t->text, "cores: 2\nmemory: 4096\n");
	}
	assert_int_equal(w->n_settled, 1);
	print_message("longest turn of the loop: %u us\n", (unsigned int)w->turn_us);
}

/* ---- files that are none ---- */

static void
put_fifo(const char *path)
{
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void
put_directory(const char *path)
{
	assert_int_equal(mkdir(path, 0700), 0);
}

static void
put_link(const char *path)
{
	assert_int_equal(symlink("/etc/passwd", path), 0);
}

static void
put_endless(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)VMCONF_BYTES_MAX + 1), 0);
	(void)close(fd);
}

static void
what_is_no_text_leaves_the_last_one(void **state)
{
	static const struct {
		void (*put)(const char *path);
		const char *why;
	} cases[] = {
		{put_fifo, "it is no regular file"},
		{put_directory, "it is no regular file"},
		{put_link, "it is a symbolic link"},
		{put_endless, "it is too long"},
	};
	struct pveworld *w = *state;
	auto_free char *path = trees_path(w->dir, "etc/pve/qemu-server/100.conf");

	pveworld_write(w, "qemu-server/100.conf", "cores: 0\n");
	pveworld_start(w, NULL, NULL);
	pvewatch_add(w->watch, "100");
	pveworld_until(w, pveworld_has_settled, "1");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *fresh = trees_path(w->dir, "etc/pve/fresh");
		auto_free char *text = xasprintf("cores: %zu\n", i + 1);
		auto_free char *said = xasprintf("100=%s", text);

		cases[i].put(fresh);
		/* a directory takes the place of none but a directory */
		if (rename(fresh, path) < 0) {
			auto_free char *old = trees_path(w->dir, "etc/pve/old");

			trees_cut(w->dir, "etc/pve/old");
			assert_int_equal(rename(path, old), 0);
			assert_int_equal(rename(fresh, path), 0);
		}
		pveworld_until(w, pveworld_cannot_read, "100");
		assert_string_equal(pveworld_find(w, "100")->unread, cases[i].why);
		pveworld_pass_looks(w);
		trees_cut(w->dir, "etc/pve/qemu-server/100.conf");
		pveworld_write(w, "qemu-server/100.conf", text);
		pveworld_until(w, pveworld_says, said);
		assert_false(pveworld_cannot_read(w, "100"));
	}
	assert_int_equal(w->n_troubles, 0);
}

static void
the_longest_text_is_taken(void **state)
{
	struct pveworld *w = *state;
	auto_free char *text = xcalloc(VMCONF_BYTES_MAX + 1, 1);

	memset(text, '#', VMCONF_BYTES_MAX);
	trees_write_bytes(
		w->dir, "etc/pve/qemu-server/100.conf", text, VMCONF_BYTES_MAX);
	trees_write_bytes(w->dir, "etc/pve/qemu-server/101.conf", "a\0b", 3);
	pveworld_start(w, NULL, NULL);
	pvewatch_add(w->watch, "100");
	pvewatch_add(w->watch, "101");
	pveworld_until(w, pveworld_has_settled, "1");
	assert_int_equal(pveworld_find(w, "100")->len, VMCONF_BYTES_MAX);
	assert_int_equal(pveworld_find(w, "101")->len, 3);
	assert_memory_equal(pveworld_find(w, "101")->text, "a\0b", 3);
}

/* ---- hosts and programs that are not there ---- */

static void
a_host_without_proxmox_has_no_child_and_no_trouble(void **state)
{
	static const struct pvewatch_pace rare = {.retry_ms = 1000000};
	struct pveworld *w = *state;

	pveworld_start(w, NULL, &rare);
	pvewatch_add(w->watch, "100");
	pveworld_until(w, pveworld_has_settled, "1");
	pveworld_until(w, pveworld_has_no_child, NULL);
	pvewatch_add(w->watch, "101"); /* there was nothing just now */
	assert_false(pvewatch_awaits(w->watch, "101"));
	assert_int_equal(w->n_troubles, 0);
	assert_int_equal(w->n_told, 0);
	pveworld_write(w, "qemu-server/100.conf", "cores: 2\n");
	pvewatch_look(w->watch);
	pveworld_until(w, pveworld_says, "100=cores: 2\n");
	assert_int_equal(w->n_troubles, 0);
}

/* Unmounted is not empty. */
static void
what_was_known_survives_a_cluster_that_is_down(void **state)
{
	struct pveworld *w = *state;
	auto_free char *here = trees_path(w->dir, "etc/pve");
	auto_free char *aside = trees_path(w->dir, "etc/aside");

	pveworld_write(w, "qemu-server/100.conf", "cores: 2\n");
	pveworld_write(w, "qmpin.conf", "[qmpin]\n");
	pveworld_start(w, NULL, NULL);
	pvewatch_add(w->watch, "100");
	pveworld_until(w, pveworld_has_settled, "1");
	assert_int_equal(rename(here, aside), 0);
	assert_int_equal(mkdir(here, 0755), 0);
	pveworld_until(w, pveworld_has_trouble, "it is not mounted");
	assert_int_equal(rmdir(here), 0);
	pveworld_until(w, pveworld_has_trouble, "it is not there");
	assert_true(pveworld_says(w, "100=cores: 2\n"));
	assert_true(pveworld_says(w, "qmpin.conf=[qmpin]\n"));
	assert_int_equal(rename(aside, here), 0);
	pveworld_until(w, pveworld_has_trouble, NULL);
	pveworld_pass_looks(w);
	assert_int_equal(pveworld_find(w, "100")->times, 1);
	assert_int_equal(pveworld_find(w, "qmpin.conf")->times, 1);
}

static void
a_child_that_dies_is_followed_by_another(void **state)
{
	struct pveworld *w = *state;

	pveworld_write(w, "qemu-server/100.conf", "cores: 2\n");
	pveworld_start(w, NULL, NULL);
	pvewatch_add(w->watch, "100");
	pveworld_until(w, pveworld_has_settled, "1");
	pveworld_until(w, pveworld_has_child, NULL);
	assert_int_equal(kill(w->child, SIGKILL), 0);
	pveworld_until(w, pveworld_has_trouble, "qmpin-pve: it has ended");
	pveworld_write(w, "qemu-server/100.conf", "cores: 3\n");
	pveworld_until(w, pveworld_says, "100=cores: 3\n");
	pveworld_until(w, pveworld_has_trouble, NULL);
	assert_int_equal(w->n_troubles, 2);
}

/* A stand-in that says what the test has written. */
static void
a_child_that_lies_is_told_of_and_ended(void **state)
{
	static const struct {
		const char *say;
		const char *why;
	} cases[] = {
		{"hello", "not a message: 'hello'"},
		{"look", "qmpin-pve speaks out of turn"},
		{"text 100 1048577", "not a message"},
		{"text 50 1", "not a message"},
		{"\033[31m", "not a message: '\\x1b[31m'"},
	};
	struct pveworld *w = *state;
	auto_free char *say = trees_path(w->dir, "say");
	auto_free char *script =
		xasprintf("#!/bin/sh\nread -r x\ncat %s\nexec sleep 1000\n", say);
	auto_free char *program = trees_path(w->dir, "liar");

	trees_write(w->dir, "liar", script);
	assert_int_equal(chmod(program, 0700), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *line = xasprintf("%s\n", cases[i].say);

		trees_write(w->dir, "say", line);
		if (w->watch == NULL)
			pveworld_start(w, program, NULL);
		pveworld_until(w, pveworld_has_trouble, cases[i].why);
	}
	assert_int_equal(w->n_settled, 1);
}

static void
a_program_that_is_not_there_is_told_of(void **state)
{
	struct pveworld *w = *state;

	pveworld_start(w, "/nonexistent/qmpin-pve", NULL);
	pvewatch_add(w->watch, "100");
	pveworld_until(w, pveworld_has_settled, "1");
	assert_true(pveworld_has_trouble(w, "/nonexistent/qmpin-pve: No such file"));
	assert_false(pvewatch_awaits(w->watch, "100"));
}

static void
it_can_be_freed_by_what_it_calls(void **state)
{
	struct pveworld *w = *state;

	pveworld_write(w, "qmpin.conf", "[qmpin]\n");
	pveworld_write(w, "qemu-server/100.conf", "cores: 2\n");
	w->fragile = true;
	pveworld_start(w, NULL, NULL);
	pveworld_until(w, pveworld_says, "qmpin.conf=[qmpin]\n");
	assert_null(w->watch); /* and its child ends: the teardown waits for it */
}

static void
a_child_ends_with_its_pipe(void **state)
{
	struct pveworld *w = *state;

	pveworld_write(w, "qemu-server/100.conf", "cores: 2\n");
	pveworld_start(w, NULL, NULL);
	pveworld_until(w, pveworld_has_settled, "1");
	pvewatch_free(take_ptr(&w->watch));
	assert_false(pveworld_has_child(w, NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, pveworld_setup, pveworld_teardown)
		T(texts_come_change_and_go),
		T(what_is_added_later_is_answered_too),
		T(a_file_that_moves_between_nodes_is_followed),
		T(only_what_the_counters_name_is_read),
		T(counters_that_begin_anew_are_others),
		T(counters_that_say_nothing_are_not_trusted),
		T(a_list_of_lies_leads_nowhere),
		T(a_thousand_vms_are_told_once),
		T(what_is_no_text_leaves_the_last_one),
		T(the_longest_text_is_taken),
		T(a_host_without_proxmox_has_no_child_and_no_trouble),
		T(what_was_known_survives_a_cluster_that_is_down),
		T(a_child_that_dies_is_followed_by_another),
		T(a_child_that_lies_is_told_of_and_ended),
		T(a_program_that_is_not_there_is_told_of),
		T(it_can_be_freed_by_what_it_calls),
		T(a_child_ends_with_its_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

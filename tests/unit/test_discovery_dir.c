// SPDX-License-Identifier: MIT
/* Directories that come late, go, are swapped, and hold more than can be told. */
#include "config.h"

#include "vm/discovery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/xalloc.h"
#include "procs.h"
#include "watched.h"

static void
a_directory_that_comes_later_is_awaited(void **state)
{
	struct watched *f = *state;

	discovery_start(f->d);
	watched_expect(f, "! ");
	assert_non_null(
		strstr(f->trouble, "/vms: cannot watch the directory: No such file"));
	watched_make_dir(f);
	watched_bind(f, "103.qmp");
	watched_expect(f, "*103 ");
	watched_bind(f, "104.qmp");
	watched_expect(f, "*104 ");
}

static void
a_directory_that_is_removed_and_made_again_is_watched_again(void **state)
{
	struct watched *f = *state;

	watched_make_dir(f);
	watched_bind(f, "103.qmp");
	discovery_start(f->d);
	watched_expect(f, "+103 ");
	watched_drop(f, "103.qmp");
	assert_int_equal(rmdir(f->dir), 0);
	watched_expect(f, "-103 ! ");
	watched_make_dir(f);
	watched_bind(f, "103.qmp");
	watched_expect(f, "*103 ");
	watched_bind(f, "104.qmp");
	watched_expect(f, "*104 ");
}

/* Watches that this process holds on anything. */
static unsigned int
count_watches(void)
{
	unsigned int n = 0;
	char line[512];

	for (int fd = 0; fd < 64; fd++) {
		auto_free char *path = xasprintf("/proc/self/fdinfo/%d", fd);
		FILE *info = fopen(path, "r");

		while (info != NULL && fgets(line, sizeof(line), info) != NULL)
			n += strncmp(line, "inotify wd:", 11) == 0;
		if (info != NULL)
			fclose(info);
	}
	return n;
}

static void
a_directory_that_is_swapped_for_another_is_followed_at_once(void **state)
{
	struct watched *f = *state;
	auto_free char *old = xasprintf("%s/old", f->top);
	struct watched moved = {.dir = old};
	unsigned int before = count_watches();

	watched_make_dir(f);
	watched_bind(f, "103.qmp");
	discovery_start(f->d);
	watched_expect_now(f, true, "+103 ");
	assert_int_equal(rename(f->dir, old), 0);
	watched_make_dir(f);
	watched_bind(f, "104.qmp");
	watched_expect_now(f, true, "-103 *104 ");
	/* what happens in the old one is nobody's business */
	watched_bind(&moved, "105.qmp");
	watched_bind(f, "106.qmp");
	watched_expect(f, "*106 ");
	assert_int_equal(count_watches(), before + 1);
}

static void
a_directory_that_is_moved_away_takes_its_sockets_with_it(void **state)
{
	struct watched *f = *state;
	auto_free char *old = xasprintf("%s/old", f->top);

	watched_make_dir(f);
	watched_bind(f, "103.qmp");
	watched_bind(f, "104.qmp");
	discovery_start(f->d);
	watched_expect_now(f, true, "+103 +104 ");
	assert_int_equal(rename(f->dir, old), 0);
	watched_expect_now(f, true, "-104 -103 ! ");
	assert_int_equal(rename(old, f->dir), 0);
	watched_expect(f, "*103 *104 ");
}

/* No event tells of a mount: the watch is compared with the path from time to time. */
static void
a_directory_that_is_mounted_over_is_noticed(void **state)
{
	struct watched *f = *state;

	watched_make_dir(f);
	watched_bind(f, "103.qmp");
	discovery_start(f->d);
	watched_expect(f, "+103 ");
	/* in a mount namespace of our own: it goes with the test */
	if (unshare(CLONE_NEWNS) < 0 ||
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", f->dir, "tmpfs", 0, NULL) < 0) {
		print_message("skipped: cannot mount here\n");
		skip();
	}
	watched_bind(f, "104.qmp");
	watched_expect(f, "-103 *104 ");
	assert_int_equal(umount2(f->dir, MNT_DETACH), 0);
	watched_expect(f, "-104 *103 ");
}

static void
what_is_no_directory_is_trouble_told_once(void **state)
{
	struct watched *f = *state;

	assert_int_equal(mknod(f->dir, S_IFREG | 0600, 0), 0);
	discovery_start(f->d);
	watched_expect(f, "! ");
	discovery_rescan(f->d);
	discovery_rescan(f->d);
	watched_expect(f, "");
	assert_non_null(strstr(f->trouble, "Not a directory"));
	assert_int_equal(unlink(f->dir), 0);
	/* another reason is told */
	discovery_rescan(f->d);
	watched_expect(f, "! ");
	watched_make_dir(f);
	watched_bind(f, "103.qmp");
	watched_expect(f, "*103 ");
}

static unsigned int
max_queued_events(void)
{
	FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
	unsigned int n = 0;

	if (file != NULL) {
		if (fscanf(file, "%u", &n) != 1)
			n = 0;
		fclose(file);
	}
	return n;
}

static void
an_overflow_of_the_queue_loses_nothing(void **state)
{
	struct watched *f = *state;
	unsigned int n = max_queued_events();

	if (n == 0 || n > 200000) {
		print_message("skipped: queue of %u events\n", n);
		skip();
	}
	watched_make_dir(f);
	watched_bind(f, "103.qmp");
	watched_bind(f, "104.qmp");
	discovery_start(f->d);
	watched_expect(f, "+103 +104 ");
	/* names differ: equal events in a row would be merged */
	for (unsigned int i = 0; i < n / 2 + 1; i++) {
		const char *name = i % 2 == 0 ? "junk" : "rubbish";

		watched_node(f, name, S_IFREG);
		watched_drop(f, name);
	}
	/* their events are lost */
	watched_drop(f, "103.qmp");
	watched_bind(f, "105.qmp");
	watched_expect(f, "-103 *105 ");
	watched_bind(f, "106.qmp");
	watched_expect(f, "*106 ");
}

static void
sockets_beyond_the_cap_are_left_out_until_there_is_room(void **state)
{
	struct watched *f = *state;
	char name[32];

	watched_make_dir(f);
	for (unsigned int i = 0; i < DISCOVERY_VMS_MAX - 1; i++) {
		(void)snprintf(name, sizeof(name), "%u.qmp", 1000 + i);
		watched_node(f, name, S_IFSOCK);
	}
	discovery_start(f->d);
	assert_int_equal(f->n_found, DISCOVERY_VMS_MAX - 1);
	assert_int_equal(f->n_trouble, 0);
	strbuf_drop(&f->log, f->log.len);
	watched_node(f, "100.qmp", S_IFSOCK);
	watched_node(f, "999999999.qmp", S_IFSOCK);
	watched_expect(f, "*100 ! ");
	assert_non_null(strstr(f->trouble, "some monitor sockets are left out"));
	watched_node(f, "102.qmp", S_IFSOCK);
	watched_drop(f, "102.qmp");
	discovery_rescan(f->d);
	watched_expect(f, "");
	watched_drop(f, "100.qmp");
	watched_expect(f, "-100 *999999999 ");
	/* full, but nothing is left out; all of them go at once */
	assert_int_equal(f->n_trouble, 1);
	for (unsigned int i = 0; i < DISCOVERY_VMS_MAX - 1; i++) {
		(void)snprintf(name, sizeof(name), "%u.qmp", 1000 + i);
		watched_drop(f, name);
	}
	discovery_rescan(f->d);
	assert_int_equal(f->n_lost, DISCOVERY_VMS_MAX);
}

#define WITH_DIR(test) \
	cmocka_unit_test_setup_teardown(test, watched_set_up, watched_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(a_directory_that_comes_later_is_awaited),
		WITH_DIR(a_directory_that_is_removed_and_made_again_is_watched_again),
		WITH_DIR(a_directory_that_is_swapped_for_another_is_followed_at_once),
		WITH_DIR(a_directory_that_is_moved_away_takes_its_sockets_with_it),
		WITH_DIR(a_directory_that_is_mounted_over_is_noticed),
		WITH_DIR(what_is_no_directory_is_trouble_told_once),
		WITH_DIR(an_overflow_of_the_queue_loses_nothing),
		WITH_DIR(sockets_beyond_the_cap_are_left_out_until_there_is_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

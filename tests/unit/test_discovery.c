// SPDX-License-Identifier: MIT
/*
 * Sockets that come and go in real directories under a real inotify watch. The owner's
 * view (a log of what it was told) is compared with what must have been told.
 */
#include "config.h"

#include "vm/discovery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "procs.h"

#define DEADLINE_S 20

struct fixture {
	char *top;
	char *dir; /* below top; watched; not made by set_up */
	struct event_base *base;
	struct discovery *d;
	struct strbuf log; /* "+103 " found, "*103 " found fresh, "-103 " lost, "! "
			      trouble */
	unsigned int n_found;
	unsigned int n_lost;
	unsigned int n_trouble;
	char trouble[512];
	const char *free_on; /* the log's word at which the owner frees the object */
	bool rescan_inside;
};

static void
note(struct fixture *f, const char *word)
{
	strbuf_addf(&f->log, "%s ", word);
	if (str_equal(word, f->free_on)) {
		discovery_free(f->d);
		f->d = NULL;
	}
	if (f->rescan_inside && f->d != NULL)
		discovery_rescan(f->d);
}

static void
on_found(void *owner, const struct discovered *found)
{
	struct fixture *f = owner;
	auto_free char *socket_path = xasprintf("%s/%s.qmp", f->dir, found->id);
	auto_free char *pid_path = xasprintf("%s/%s.pid", f->dir, found->id);
	auto_free char *word = xasprintf("%c%s", found->fresh ? '*' : '+', found->id);
	auto_free char *id = xasprintf("%d", found->vmid);

	assert_string_equal(found->socket_path, socket_path);
	assert_string_equal(found->pid_path, pid_path);
	assert_string_equal(found->id, id);
	f->n_found++;
	note(f, word);
}

static void
on_lost(void *owner, const char *id)
{
	struct fixture *f = owner;
	auto_free char *word = xasprintf("-%s", id);

	f->n_lost++;
	note(f, word);
}

static void
on_trouble(void *owner, const struct err *why)
{
	struct fixture *f = owner;

	f->n_trouble++;
	(void)err_format(why, f->trouble, sizeof(f->trouble));
	note(f, "!");
}

static const struct discovery_handlers handlers = {on_found, on_lost, on_trouble};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->top = procs_make_dir();
	f->dir = xasprintf("%s/vms", f->top);
	f->base = event_base_new();
	f->d = discovery_new(f->base, f->dir, &handlers, f);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	discovery_free(f->d);
	event_base_free(f->base);
	procs_remove_dir(f->top);
	free(f->dir);
	strbuf_fini(&f->log);
	free(f);
	return 0;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
on_tick(int fd, short what, void *owner)
{
	(void)fd;
	(void)what;
	(void)owner;
}

/* Run the loop until the log is @want. What was told too much shows at the end. */
static void
expect(struct fixture *f, const char *want)
{
	int64_t until = now_ms() + DEADLINE_S * 1000;
	struct event *tick = event_new(f->base, -1, EV_PERSIST, on_tick, NULL);
	struct timeval every = {.tv_usec = 100000};

	event_add(tick, &every);
	while (!str_equal(strbuf_text(&f->log), want) && now_ms() < until)
		event_base_loop(f->base, EVLOOP_ONCE);
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	event_free(tick);
	assert_string_equal(strbuf_text(&f->log), want);
	strbuf_drop(&f->log, f->log.len);
}

static void
make_socket(const struct fixture *f, const char *name)
{
	auto_free char *path = xasprintf("%s/%s", f->dir, name);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	str_copy(sa.sun_path, sizeof(sa.sun_path), path);
	assert_int_equal(bind(fd, (const void *)&sa, sizeof(sa)), 0);
}

/* Only the file of a socket: enough for what is asked here, and quick. */
static void
make_node(const struct fixture *f, const char *name)
{
	auto_free char *path = xasprintf("%s/%s", f->dir, name);

	assert_int_equal(mknod(path, S_IFSOCK | 0600, 0), 0);
}

static void
make_file(const struct fixture *f, const char *name)
{
	auto_free char *path = xasprintf("%s/%s", f->dir, name);

	assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
}

static void
move(const struct fixture *f, const char *from, const char *to)
{
	auto_free char *a = xasprintf("%s/%s", f->dir, from);
	auto_free char *b = xasprintf("%s/%s", f->dir, to);

	assert_int_equal(rename(a, b), 0);
}

static void
drop(const struct fixture *f, const char *name)
{
	auto_free char *path = xasprintf("%s/%s", f->dir, name);

	assert_int_equal(unlink(path), 0);
}

static void
make_dir(const struct fixture *f)
{
	assert_int_equal(mkdir(f->dir, 0700), 0);
}

static void
only_names_of_vms_are_names(void **state)
{
	static const char *const bad[] = {"", ".", "..", ".qmp", "1.qmp", "12.qmp",
		"-1.qmp", "012.qmp", "0123.qmp", "000.qmp", "1000000000.qmp",
		"99999999999999999999.qmp", "103", "103.", "103.qm", "103.qmpx",
		"103.qmp.", "103.QMP", "103.pid", "103qmp", " 103.qmp", "103 .qmp",
		"+103.qmp", "1e3.qmp", "103.qmp\n", "x103.qmp", "103x.qmp",
		"10\xb3.qmp"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (discovery_parse_name(bad[i]) != -1)
			fail_msg("\"%s\" was accepted", bad[i]);
	}
	assert_int_equal(discovery_parse_name("100.qmp"), 100);
	assert_int_equal(discovery_parse_name("103.qmp"), 103);
	assert_int_equal(discovery_parse_name("999999999.qmp"), 999999999);
}

static void
what_is_there_at_the_start_is_found_in_order(void **state)
{
	struct fixture *f = *state;

	make_dir(f);
	make_socket(f, "205.qmp");
	make_socket(f, "103.qmp");
	make_socket(f, "-1.qmp");
	make_socket(f, "103.vnc");
	make_file(f, "104.qmp");
	make_file(f, "103.pid");
	discovery_start(f->d);
	expect(f, "+103 +205 ");
	discovery_rescan(f->d);
	expect(f, "");
}

static void
a_socket_that_appears_is_fresh_and_told_once(void **state)
{
	struct fixture *f = *state;

	make_dir(f);
	discovery_start(f->d);
	expect(f, "");
	make_socket(f, "103.qmp");
	make_socket(f, "1000000000.qmp");
	make_socket(f, "-1.qmp");
	expect(f, "*103 ");
	discovery_rescan(f->d);
	make_socket(f, "104.qmp");
	expect(f, "*104 ");
	drop(f, "103.qmp");
	drop(f, "1000000000.qmp");
	expect(f, "-103 ");
	make_socket(f, "103.qmp");
	expect(f, "*103 ");
}

static void
a_socket_that_came_and_went_unseen_is_not_told(void **state)
{
	struct fixture *f = *state;

	make_dir(f);
	discovery_start(f->d);
	make_socket(f, "103.qmp");
	drop(f, "103.qmp");
	make_socket(f, "104.qmp");
	expect(f, "*104 ");
}

static void
a_replaced_socket_is_lost_and_found(void **state)
{
	struct fixture *f = *state;

	make_dir(f);
	make_socket(f, "103.qmp");
	discovery_start(f->d);
	expect(f, "+103 ");
	/* both changes are one batch of events */
	drop(f, "103.qmp");
	make_socket(f, "103.qmp");
	expect(f, "-103 *103 ");
	/* by a rename over it */
	make_socket(f, "new");
	move(f, "new", "103.qmp");
	expect(f, "-103 *103 ");
	/* and found by a scan alone */
	drop(f, "103.qmp");
	make_socket(f, "103.qmp");
	discovery_rescan(f->d);
	expect(f, "-103 *103 ");
}

static void
names_that_move_come_and_go(void **state)
{
	struct fixture *f = *state;

	make_dir(f);
	make_socket(f, "103.qmp");
	discovery_start(f->d);
	expect(f, "+103 ");
	move(f, "103.qmp", "104.qmp");
	expect(f, "-103 *104 ");
	move(f, "104.qmp", "x");
	expect(f, "-104 ");
	move(f, "x", "104.qmp");
	expect(f, "*104 ");
}

static void
a_file_that_takes_a_sockets_name_is_a_loss(void **state)
{
	struct fixture *f = *state;

	make_dir(f);
	make_socket(f, "103.qmp");
	discovery_start(f->d);
	expect(f, "+103 ");
	drop(f, "103.qmp");
	make_file(f, "103.qmp");
	expect(f, "-103 ");
	drop(f, "103.qmp");
	make_socket(f, "103.qmp");
	expect(f, "*103 ");
}

static void
a_link_to_a_socket_is_no_socket(void **state)
{
	struct fixture *f = *state;
	auto_free char *link = xasprintf("%s/103.qmp", f->dir);

	make_dir(f);
	make_socket(f, "real");
	assert_int_equal(symlink("real", link), 0);
	discovery_start(f->d);
	make_socket(f, "104.qmp");
	expect(f, "*104 ");
}

static void
a_directory_that_comes_later_is_awaited(void **state)
{
	struct fixture *f = *state;

	discovery_start(f->d);
	expect(f, "! ");
	assert_non_null(
		strstr(f->trouble, "/vms: cannot watch the directory: No such file"));
	make_dir(f);
	make_socket(f, "103.qmp");
	expect(f, "*103 ");
	make_socket(f, "104.qmp");
	expect(f, "*104 ");
}

static void
a_directory_that_is_removed_and_made_again_is_watched_again(void **state)
{
	struct fixture *f = *state;

	make_dir(f);
	make_socket(f, "103.qmp");
	discovery_start(f->d);
	expect(f, "+103 ");
	drop(f, "103.qmp");
	assert_int_equal(rmdir(f->dir), 0);
	expect(f, "-103 ! ");
	make_dir(f);
	make_socket(f, "103.qmp");
	expect(f, "*103 ");
	make_socket(f, "104.qmp");
	expect(f, "*104 ");
}

static void
a_directory_that_is_swapped_for_another_is_followed(void **state)
{
	struct fixture *f = *state;
	auto_free char *old = xasprintf("%s/old", f->top);
	struct fixture moved = {.dir = old};

	make_dir(f);
	make_socket(f, "103.qmp");
	discovery_start(f->d);
	expect(f, "+103 ");
	assert_int_equal(rename(f->dir, old), 0);
	make_dir(f);
	make_socket(f, "104.qmp");
	expect(f, "-103 *104 ");
	/* what happens in the old one is nobody's business */
	make_socket(&moved, "105.qmp");
	make_socket(f, "106.qmp");
	expect(f, "*106 ");
}

/* No event tells of a mount: the watch is compared with the path from time to time. */
static void
a_directory_that_is_mounted_over_is_noticed(void **state)
{
	struct fixture *f = *state;

	make_dir(f);
	make_socket(f, "103.qmp");
	discovery_start(f->d);
	expect(f, "+103 ");
	/* in a mount namespace of our own: it goes with the test */
	if (unshare(CLONE_NEWNS) < 0 ||
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", f->dir, "tmpfs", 0, NULL) < 0) {
		print_message("skipped: cannot mount here\n");
		skip();
	}
	make_socket(f, "104.qmp");
	expect(f, "-103 *104 ");
	assert_int_equal(umount2(f->dir, MNT_DETACH), 0);
	expect(f, "-104 *103 ");
}

static void
what_is_no_directory_is_trouble_told_once(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mknod(f->dir, S_IFREG | 0600, 0), 0);
	discovery_start(f->d);
	expect(f, "! ");
	discovery_rescan(f->d);
	discovery_rescan(f->d);
	expect(f, "");
	assert_non_null(strstr(f->trouble, "Not a directory"));
	assert_int_equal(unlink(f->dir), 0);
	/* another reason is told */
	discovery_rescan(f->d);
	expect(f, "! ");
	make_dir(f);
	make_socket(f, "103.qmp");
	expect(f, "*103 ");
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
	struct fixture *f = *state;
	unsigned int n = max_queued_events();

	if (n == 0 || n > 200000) {
		print_message("skipped: queue of %u events\n", n);
		skip();
	}
	make_dir(f);
	make_socket(f, "103.qmp");
	make_socket(f, "104.qmp");
	discovery_start(f->d);
	expect(f, "+103 +104 ");
	/* names differ: equal events in a row would be merged */
	for (unsigned int i = 0; i < n / 2 + 1; i++) {
		const char *name = i % 2 == 0 ? "junk" : "rubbish";

		make_file(f, name);
		drop(f, name);
	}
	/* their events are lost */
	drop(f, "103.qmp");
	make_socket(f, "105.qmp");
	expect(f, "-103 *105 ");
	make_socket(f, "106.qmp");
	expect(f, "*106 ");
}

static void
sockets_beyond_the_cap_are_left_out_until_there_is_room(void **state)
{
	struct fixture *f = *state;
	char name[32];

	make_dir(f);
	for (unsigned int i = 0; i < DISCOVERY_VMS_MAX - 1; i++) {
		(void)snprintf(name, sizeof(name), "%u.qmp", 1000 + i);
		make_node(f, name);
	}
	discovery_start(f->d);
	assert_int_equal(f->n_found, DISCOVERY_VMS_MAX - 1);
	assert_int_equal(f->n_trouble, 0);
	strbuf_drop(&f->log, f->log.len);
	make_node(f, "100.qmp");
	make_node(f, "999999999.qmp");
	expect(f, "*100 ! ");
	assert_non_null(strstr(f->trouble, "some monitor sockets are left out"));
	make_node(f, "102.qmp");
	drop(f, "102.qmp");
	discovery_rescan(f->d);
	expect(f, "");
	drop(f, "100.qmp");
	expect(f, "-100 *999999999 ");
	/* full, but nothing is left out; all of them go at once */
	assert_int_equal(f->n_trouble, 1);
	for (unsigned int i = 0; i < DISCOVERY_VMS_MAX - 1; i++) {
		(void)snprintf(name, sizeof(name), "%u.qmp", 1000 + i);
		drop(f, name);
	}
	discovery_rescan(f->d);
	assert_int_equal(f->n_lost, DISCOVERY_VMS_MAX);
}

static void
it_may_be_freed_inside_any_callback(void **state)
{
	static const char *const words[] = {
		"+103", "+104", "*105", "-103", "-104", "!"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct fixture *f;

		set_up(state);
		f = *state;
		f->free_on = words[i];
		make_dir(f);
		make_socket(f, "103.qmp");
		make_socket(f, "104.qmp");
		discovery_start(f->d);
		make_socket(f, "105.qmp");
		event_base_loop(f->base, EVLOOP_NONBLOCK);
		drop(f, "103.qmp");
		make_socket(f, "103.qmp");
		event_base_loop(f->base, EVLOOP_NONBLOCK);
		drop(f, "103.qmp");
		drop(f, "104.qmp");
		drop(f, "105.qmp");
		rmdir(f->dir);
		event_base_loop(f->base, EVLOOP_NONBLOCK);
		assert_null(f->d);
		/* nothing is told after that */
		assert_int_equal(f->log.len - 1, strstr(f->log.s, words[i]) - f->log.s +
							 (ptrdiff_t)strlen(words[i]));
		if (i + 1 < ARRAY_LEN(words))
			tear_down(state);
	}
}

static void
a_rescan_inside_a_callback_waits_its_turn(void **state)
{
	struct fixture *f = *state;

	f->rescan_inside = true;
	make_dir(f);
	make_socket(f, "103.qmp");
	make_socket(f, "104.qmp");
	discovery_start(f->d);
	expect(f, "+103 +104 ");
	drop(f, "103.qmp");
	make_socket(f, "103.qmp");
	make_socket(f, "105.qmp");
	expect(f, "-103 *103 *105 ");
	f->rescan_inside = false;
}

static void
nothing_is_left_open(void **state)
{
	size_t fds;
	struct fixture *f;

	(void)state;
	fds = procs_count_fds();
	set_up((void **)&f);
	make_dir(f);
	discovery_start(f->d);
	rmdir(f->dir);
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	make_dir(f);
	discovery_rescan(f->d);
	tear_down((void **)&f);
	assert_int_equal(procs_count_fds(), fds);
	discovery_free(NULL);
}

static void
a_trailing_slash_changes_no_path(void **state)
{
	struct fixture *f = *state;
	auto_free char *dir = xasprintf("%s//", f->dir);

	discovery_free(f->d);
	f->d = discovery_new(f->base, dir, &handlers, f);
	make_dir(f);
	make_socket(f, "103.qmp");
	discovery_start(f->d);
	expect(f, "+103 ");
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_names_of_vms_are_names),
		WITH_DIR(what_is_there_at_the_start_is_found_in_order),
		WITH_DIR(a_socket_that_appears_is_fresh_and_told_once),
		WITH_DIR(a_socket_that_came_and_went_unseen_is_not_told),
		WITH_DIR(a_replaced_socket_is_lost_and_found),
		WITH_DIR(names_that_move_come_and_go),
		WITH_DIR(a_file_that_takes_a_sockets_name_is_a_loss),
		WITH_DIR(a_link_to_a_socket_is_no_socket),
		WITH_DIR(a_directory_that_comes_later_is_awaited),
		WITH_DIR(a_directory_that_is_removed_and_made_again_is_watched_again),
		WITH_DIR(a_directory_that_is_swapped_for_another_is_followed),
		WITH_DIR(a_directory_that_is_mounted_over_is_noticed),
		WITH_DIR(what_is_no_directory_is_trouble_told_once),
		WITH_DIR(an_overflow_of_the_queue_loses_nothing),
		WITH_DIR(sockets_beyond_the_cap_are_left_out_until_there_is_room),
		cmocka_unit_test_teardown(
			it_may_be_freed_inside_any_callback, tear_down),
		WITH_DIR(a_rescan_inside_a_callback_waits_its_turn),
		cmocka_unit_test(nothing_is_left_open),
		WITH_DIR(a_trailing_slash_changes_no_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

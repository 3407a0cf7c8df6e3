// SPDX-License-Identifier: MIT
/* Sockets that come and go in a directory that stays. */
#include "config.h"

#include "vm/discovery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/xalloc.h"
#include "procs.h"
#include "watched.h"

static void
what_is_there_at_the_start_is_found_in_order(void **state)
{
	struct watched *f = *state;

	watched_make_dir(f);
	watched_bind(f, "205.qmp");
	watched_bind(f, "103.qmp");
	watched_bind(f, "-1.qmp");
	watched_bind(f, "103.vnc");
	watched_node(f, "104.qmp", S_IFREG);
	watched_node(f, "103.pid", S_IFREG);
	discovery_start(f->d);
	watched_expect(f, "+103 +205 ");
	discovery_rescan(f->d);
	watched_expect(f, "");
}

static void
a_socket_that_appears_is_fresh_and_told_once(void **state)
{
	struct watched *f = *state;

	watched_make_dir(f);
	discovery_start(f->d);
	watched_expect(f, "");
	watched_bind(f, "103.qmp");
	watched_bind(f, "1000000000.qmp");
	watched_bind(f, "-1.qmp");
	watched_expect(f, "*103 ");
	discovery_rescan(f->d);
	watched_bind(f, "104.qmp");
	watched_expect(f, "*104 ");
	watched_drop(f, "103.qmp");
	watched_drop(f, "1000000000.qmp");
	watched_expect(f, "-103 ");
	watched_bind(f, "103.qmp");
	watched_expect(f, "*103 ");
}

static void
a_socket_that_came_and_went_unseen_is_not_told(void **state)
{
	struct watched *f = *state;

	watched_make_dir(f);
	discovery_start(f->d);
	watched_bind(f, "103.qmp");
	watched_drop(f, "103.qmp");
	watched_bind(f, "104.qmp");
	watched_expect(f, "*104 ");
}

static void
a_replaced_socket_is_lost_and_found(void **state)
{
	struct watched *f = *state;

	watched_make_dir(f);
	watched_bind(f, "103.qmp");
	discovery_start(f->d);
	watched_expect(f, "+103 ");
	/* both changes are one batch of events; a file made within the same tick could
	 * get the old one's inode number and birth time */
	procs_wait_tick();
	watched_drop(f, "103.qmp");
	watched_bind(f, "103.qmp");
	watched_expect(f, "-103 *103 ");
	/* by a rename over it */
	watched_bind(f, "new");
	watched_move(f, "new", "103.qmp");
	watched_expect(f, "-103 *103 ");
	/* and found by a scan alone */
	procs_wait_tick();
	watched_drop(f, "103.qmp");
	watched_bind(f, "103.qmp");
	discovery_rescan(f->d);
	watched_expect_now(f, false, "-103 *103 ");
	watched_expect_now(f, true, "");
}

static void
names_that_move_come_and_go(void **state)
{
	struct watched *f = *state;

	watched_make_dir(f);
	watched_bind(f, "103.qmp");
	discovery_start(f->d);
	watched_expect(f, "+103 ");
	watched_move(f, "103.qmp", "104.qmp");
	watched_expect(f, "-103 *104 ");
	watched_move(f, "104.qmp", "x");
	watched_expect(f, "-104 ");
	watched_move(f, "x", "104.qmp");
	watched_expect(f, "*104 ");
}

static void
a_file_that_takes_a_sockets_name_is_a_loss(void **state)
{
	struct watched *f = *state;

	watched_make_dir(f);
	watched_bind(f, "103.qmp");
	discovery_start(f->d);
	watched_expect(f, "+103 ");
	watched_drop(f, "103.qmp");
	watched_node(f, "103.qmp", S_IFREG);
	watched_expect(f, "-103 ");
	watched_drop(f, "103.qmp");
	watched_bind(f, "103.qmp");
	watched_expect(f, "*103 ");
}

/* What happened is seen in events, or compared in one scan. */
static void
let_it_see(struct watched *f, bool scan)
{
	if (scan && f->d != NULL)
		discovery_rescan(f->d);
	event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static void
free_on(const char *word, bool scan)
{
	struct watched *f;
	size_t told;

	watched_set_up((void **)&f);
	f->free_on = word;
	watched_make_dir(f);
	watched_bind(f, "103.qmp");
	watched_bind(f, "104.qmp");
	discovery_start(f->d);
	watched_bind(f, "105.qmp");
	watched_bind(f, "106.qmp");
	let_it_see(f, scan);
	procs_wait_tick();
	watched_drop(f, "105.qmp");
	watched_bind(f, "105.qmp");
	let_it_see(f, scan);
	watched_drop(f, "103.qmp");
	watched_drop(f, "104.qmp");
	watched_drop(f, "105.qmp");
	watched_drop(f, "106.qmp");
	rmdir(f->dir);
	let_it_see(f, scan);
	assert_null(f->d);
	/* and nothing is told after that */
	told = (size_t)(strstr(f->log.s, word) - f->log.s) + strlen(word);
	assert_int_equal(f->log.len, told + 1);
	watched_tear_down((void **)&f);
}

static void
it_may_be_freed_inside_any_callback(void **state)
{
	static const char *const words[] = {
		"+103", "+104", "*105", "*106", "-103", "-104", "-105", "!"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		free_on(words[i], false);
		free_on(words[i], true);
	}
}

static void
a_rescan_inside_a_callback_waits_its_turn(void **state)
{
	struct watched *f = *state;

	watched_make_dir(f);
	watched_bind(f, "103.qmp");
	watched_bind(f, "104.qmp");
	f->drop_on = "+103";
	discovery_start(f->d);
	/* 104 was seen before; that it is gone shows in the second look */
	watched_expect_now(f, false, "+103 +104 -104 ");
	watched_expect_now(f, true, "");
	f->drop_on = "*103";
	watched_bind(f, "104.qmp");
	watched_expect(f, "*104 ");
	procs_wait_tick();
	watched_drop(f, "103.qmp");
	watched_bind(f, "103.qmp");
	watched_expect(f, "-103 *103 -104 ");
}

static void
nothing_is_left_open(void **state)
{
	size_t fds = procs_count_fds();
	struct watched *f;

	(void)state;
	watched_set_up((void **)&f);
	watched_make_dir(f);
	discovery_start(f->d);
	watched_tear_down((void **)&f);
	assert_int_equal(procs_count_fds(), fds);
	discovery_free(NULL);
}

static void
a_trailing_slash_changes_no_path(void **state)
{
	struct watched *f = *state;
	auto_free char *dir = xasprintf("%s//", f->dir);

	discovery_free(f->d);
	f->d = discovery_new(f->base, dir, &watched_handlers, f);
	watched_make_dir(f);
	watched_bind(f, "103.qmp");
	discovery_start(f->d);
	watched_expect(f, "+103 ");
}

#define WITH_DIR(test) \
	cmocka_unit_test_setup_teardown(test, watched_set_up, watched_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(what_is_there_at_the_start_is_found_in_order),
		WITH_DIR(a_socket_that_appears_is_fresh_and_told_once),
		WITH_DIR(a_socket_that_came_and_went_unseen_is_not_told),
		WITH_DIR(a_replaced_socket_is_lost_and_found),
		WITH_DIR(names_that_move_come_and_go),
		WITH_DIR(a_file_that_takes_a_sockets_name_is_a_loss),
		cmocka_unit_test(it_may_be_freed_inside_any_callback),
		WITH_DIR(a_rescan_inside_a_callback_waits_its_turn),
		cmocka_unit_test(nothing_is_left_open),
		WITH_DIR(a_trailing_slash_changes_no_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

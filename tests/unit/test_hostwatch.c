// SPDX-License-Identifier: MIT
/* Changes of the files are told, and of a storm of events one is made. */
#include "config.h"

#include "daemon/hostwatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "repeat.h"
#include "trees.h"

#define CPUS TREES_SYSTEM "cpu/online"
#define NODES TREES_SYSTEM "node/online"
/* Events of a storm come so quickly that it does not settle between them. */
#define STORM_TICK_MS 5
#define PATIENCE_S 60

struct fixture {
	char *root;
	struct hostwatch *w;
	struct event_base *base;
	struct event *storm;
	unsigned int n_left; /* events still to come */
	unsigned int n_heard;
	unsigned int n_told;
	uint64_t first_us;
	uint64_t last_us;
	uint64_t told_us;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->root = trees_new();
	trees_write(f->root, CPUS, "0-3\n");
	trees_write(f->root, NODES, "0,4\n");
	f->w = hostwatch_new(f->root);
	f->base = event_base_new();
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	hostwatch_free(f->w);
	if (f->storm != NULL)
		event_free(f->storm);
	event_base_free(f->base);
	libevent_global_shutdown();
	trees_remove(f->root);
	free(f);
	return 0;
}

static void
without_events_a_change_is_told_twice(void **state)
{
	struct fixture *f = *state;

	assert_false(hostwatch_changed(f->w));
	trees_write(f->root, CPUS, "0-2\n");
	assert_true(hostwatch_changed(f->w));
	assert_true(hostwatch_changed(f->w));
	assert_false(hostwatch_changed(f->w));
	trees_write(f->root, NODES, "0,4-5\n");
	assert_true(hostwatch_changed(f->w));
	trees_write(f->root, NODES, "0\n");
	trees_write(f->root, CPUS, "1\n");
	assert_true(hostwatch_changed(f->w));
	assert_true(hostwatch_changed(f->w));
	assert_false(hostwatch_changed(f->w));
	trees_write(f->root, "sys/fs/cgroup/cpuset.cpus.isolated", "1\n");
	assert_true(hostwatch_changed(f->w));
	assert_true(hostwatch_changed(f->w));
	assert_false(hostwatch_changed(f->w));
}

static void
a_file_that_vanishes_or_is_empty_is_no_change(void **state)
{
	struct fixture *f = *state;

	trees_cut(f->root, CPUS);
	trees_cut(f->root, NODES);
	assert_false(hostwatch_changed(f->w));
	trees_write(f->root, CPUS, "");
	trees_write(f->root, NODES, "");
	assert_false(hostwatch_changed(f->w));
	trees_write(f->root, CPUS, "0-3\n");
	trees_write(f->root, NODES, "0,4\n");
	assert_false(hostwatch_changed(f->w));
}

static void
a_host_without_nodes_is_watched_all_the_same(void **state)
{
	struct fixture *f = *state;
	struct hostwatch *w;

	trees_cut(f->root, NODES);
	w = hostwatch_new(f->root);
	assert_false(hostwatch_changed(w));
	trees_write(f->root, CPUS, "0-1\n");
	assert_true(hostwatch_changed(w));
	hostwatch_free(w);
}

static void
on_event(void *owner)
{
	struct fixture *f = owner;

	assert_false(hostwatch_is_pending(f->w));
	f->told_us = clock_now_us(clock_system());
	f->n_told++;
	if (f->n_left == 0)
		(void)event_base_loopbreak(f->base);
}

static void
on_storm_tick(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *f = arg;

	(void)fd;
	(void)what;
	hostwatch_heard(f->w);
	assert_true(hostwatch_is_pending(f->w));
	f->last_us = clock_now_us(clock_system());
	if (f->n_heard++ == 0)
		f->first_us = f->last_us;
	if (--f->n_left == 0)
		event_del(f->storm);
}

static void
listen_to_kernel(struct fixture *f)
{
	struct err e = ERR_NONE;

	if (hostwatch_listen(f->w, f->base, on_event, f, &e) < 0)
		fail_msg("%s: %s", e.source, e.text);
}

/* Until on_event says that it is enough; a bound for a test that would hang. */
static void
run(struct fixture *f)
{
	const struct timeval patience = {PATIENCE_S, 0};

	(void)event_base_loopexit(f->base, &patience);
	(void)event_base_dispatch(f->base);
	assert_true(event_base_got_break(f->base));
}

static void
run_storm(struct fixture *f, unsigned int n_events)
{
	const struct timeval tick = {0, STORM_TICK_MS * 1000};

	listen_to_kernel(f);
	f->n_left = n_events;
	f->storm = event_new(f->base, -1, EV_PERSIST, on_storm_tick, f);
	event_add(f->storm, &tick);
	run(f);
}

static void
one_event_is_told_when_things_have_settled(void **state)
{
	struct fixture *f = *state;

	assert_false(hostwatch_is_pending(f->w));
	run_storm(f, 1);
	assert_int_equal(f->n_told, 1);
	/* a timer of libevent may be early by a tick of its coarse clock */
	assert_true(f->told_us - f->last_us > (HOSTWATCH_SETTLE_MS - 20) * 1000);
}

/* How often a storm may be told of before its end: on a busy machine it takes longer
 * than its ticks. */
static unsigned int
most_told(const struct fixture *f)
{
	return (unsigned int)((f->last_us - f->first_us) /
			      (HOSTWATCH_LATEST_MS * 1000u));
}

static void
a_storm_is_told_once(void **state)
{
	struct fixture *f = *state;

	run_storm(f, 60);
	assert_int_equal(f->n_heard, 60);
	assert_in_range(f->n_told, 1, 1 + most_told(f));
	assert_true(f->told_us > f->last_us);
}

static void
a_change_that_is_seen_first_is_told_as_an_event(void **state)
{
	struct fixture *f = *state;

	listen_to_kernel(f);
	trees_write(f->root, CPUS, "0-2\n");
	assert_false(hostwatch_changed(f->w));
	assert_true(hostwatch_is_pending(f->w));
	trees_write(f->root, NODES, "0\n");
	run(f);
	assert_int_equal(f->n_told, 1);
	assert_false(hostwatch_changed(f->w));
	assert_false(hostwatch_is_pending(f->w));
}

static void
what_could_not_be_read_is_told_again(void **state)
{
	struct fixture *f = *state;

	hostwatch_again(f->w);
	assert_true(hostwatch_changed(f->w));
	assert_false(hostwatch_changed(f->w));
	listen_to_kernel(f);
	hostwatch_again(f->w);
	assert_true(hostwatch_is_pending(f->w));
	assert_false(hostwatch_changed(f->w));
	run(f);
	assert_int_equal(f->n_told, 1);
	assert_false(hostwatch_is_pending(f->w));
}

static void
a_storm_that_does_not_end_is_told_of_meanwhile(void **state)
{
	struct fixture *f = *state;

	run_storm(f, 2 * HOSTWATCH_LATEST_MS / STORM_TICK_MS);
	/* each second, and the end of it */
	assert_in_range(f->n_told, 2, 2 + most_told(f));
	assert_true(f->told_us > f->last_us);
}

static void
what_is_pending_at_the_end_is_forgotten(void **state)
{
	struct fixture *f = *state;

	listen_to_kernel(f);
	hostwatch_heard(f->w);
	hostwatch_free(f->w);
	f->w = NULL;
	assert_int_equal(event_base_get_num_events(f->base, EVENT_BASE_COUNT_ADDED), 0);
	hostwatch_free(NULL);
}

static void
an_event_of_the_kernel_is_told(void **state)
{
	struct fixture *f = *state;
	int turn = repeat_turn();
	int r;

	listen_to_kernel(f);
	r = repeat_event(REPEAT_OTHER, "change");
	if (r == 0)
		r = repeat_event(REPEAT_CPU, "online");
	if (r == 0)
		run(f);
	close(turn);
	if (r < 0) {
		print_message("no event to be had: %s\n", strerror(-r));
		skip();
	}
	assert_int_equal(f->n_told, 1);
}

static void
without_events_the_files_are_still_looked_at(void **state)
{
	struct fixture *f = *state;
	struct rlimit none = {0};
	struct rlimit old;
	struct err e = ERR_NONE;
	int r;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = hostwatch_listen(f->w, f->base, on_event, f, &e);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(r, -EMFILE);
	assert_true(err_is_set(&e));
	assert_false(hostwatch_is_pending(f->w));
	trees_write(f->root, CPUS, "0-2\n");
	assert_true(hostwatch_changed(f->w));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			without_events_a_change_is_told_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_file_that_vanishes_or_is_empty_is_no_change, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_host_without_nodes_is_watched_all_the_same, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			one_event_is_told_when_things_have_settled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_storm_is_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_change_that_is_seen_first_is_told_as_an_event, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			what_could_not_be_read_is_told_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_storm_that_does_not_end_is_told_of_meanwhile, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_pending_at_the_end_is_forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			an_event_of_the_kernel_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			without_events_the_files_are_still_looked_at, set_up,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

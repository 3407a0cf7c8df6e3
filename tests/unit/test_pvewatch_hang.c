// SPDX-License-Identifier: MIT
/*
 * A file system that stops to answer, so that who reads it cannot even be killed:
 * nobody else may wait for it.
 */
#include "config.h"

#include "daemon/pvewatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pvefuse.h"
#include "pveworld.h"
#include "trees.h"

/* A turn of the loop in which it waited for the file system would not end at all; this
 * is for a machine that stands still. */
#define TURN_US 1000000u
#define NO_ANSWER "/etc/pve does not answer: the last known configurations stay"

static const struct pvewatch_pace quick = {
	.poll_ms = 5, .deadline_ms = 200, .retry_ms = 20, .retry_max_ms = 100};

static struct pvefuse fuse_of_group;

static int
set_up(void **state)
{
	struct pveworld *w;
	auto_free char *path = NULL;

	if (pveworld_setup(state) < 0)
		return -1;
	w = *state;
	path = trees_path(w->dir, "etc/pve/x");
	*strrchr(path, '/') = '\0';
	if (!pvefuse_start(&fuse_of_group, path)) {
		print_message(
			"no file system in user space here: %s\n", strerror(errno));
		exit(77);
	}
	return 0;
}

static int
tear_down(void **state)
{
	struct pveworld *w = *state;
	auto_free char *path = xasprintf("%s/etc/pve", w->dir);

	pvefuse_stop(&fuse_of_group);
	(void)umount2(path, MNT_DETACH);
	return pveworld_teardown(state);
}

static bool
requests_wait(struct pveworld *w, const char *unused)
{
	(void)w;
	(void)unused;
	return pvefuse_waiting(&fuse_of_group) > 0;
}

/* Without the server. */
static unsigned int
count_children(void)
{
	auto_free char *path = xasprintf("/proc/self/task/%d/children", (int)getpid());
	FILE *f = fopen(path, "re");
	unsigned int n = 0;
	int pid;

	assert_non_null(f);
	while (fscanf(f, "%d", &pid) == 1)
		n += pid != fuse_of_group.server;
	(void)fclose(f);
	return n;
}

static void
begin_and_hang(struct pveworld *w)
{
	pveworld_start(w, NULL, &quick);
	pvewatch_add(w->watch, "100");
	pveworld_until(w, pveworld_has_settled, "1");
	pveworld_until(w, pveworld_says, "100=cores: 2\n");
	pvefuse_hang(&fuse_of_group);
	pveworld_until(w, pveworld_has_trouble, NO_ANSWER);
}

static void
what_was_known_stays_and_nobody_waits(void **state)
{
	struct pveworld *w = *state;
	struct timespec some_tries = {0, 300000000};

	begin_and_hang(w);
	pveworld_until(w, requests_wait, NULL);
	/* time for more tries, which are not made */
	(void)nanosleep(&some_tries, NULL);
	pvewatch_add(w->watch, "101");
	assert_false(pvewatch_awaits(w->watch, "101"));
	assert_true(pvewatch_is_silent(w->watch, "101"));
	assert_false(pvewatch_is_silent(w->watch, "100")); /* of which all is known */
	pvewatch_look(w->watch);
	for (unsigned int i = 0; i < 100; i++)
		(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
	assert_int_equal(count_children(), 1);
	assert_true(pveworld_says(w, "100=cores: 2\n"));
	pvefuse_recover(&fuse_of_group);
	pveworld_until(w, pveworld_has_trouble, NULL);
	pveworld_until(w, pveworld_says, "101");
	assert_false(pvewatch_is_silent(w->watch, "101"));
	assert_int_equal(pveworld_find(w, "100")->times, 1);
	assert_true(w->turn_us < TURN_US);
	print_message("longest turn of the loop: %u us\n", (unsigned int)w->turn_us);
}

static void
one_that_hangs_from_the_start_is_waited_for_once(void **state)
{
	struct pveworld *w = *state;

	pvefuse_hang(&fuse_of_group);
	pveworld_start(w, NULL, &quick);
	pvewatch_add(w->watch, "100");
	assert_true(pvewatch_awaits(w->watch, "100"));
	pveworld_until(w, pveworld_has_settled, "1");
	assert_false(pvewatch_awaits(w->watch, "100"));
	pveworld_until(w, pveworld_has_trouble, NO_ANSWER);
	assert_int_equal(w->n_told, 0);
	assert_true(pvewatch_is_silent(w->watch, "100"));
	assert_false(pvewatch_is_silent(w->watch, "web-1"));
	pvefuse_recover(&fuse_of_group);
	pveworld_until(w, pveworld_says, "100=cores: 2\n");
	pveworld_until(w, pveworld_has_trouble, NULL);
	assert_true(w->turn_us < TURN_US);
}

/* Its server is stopped: requests are not even taken, and who waits can be killed. */
static void
a_server_that_is_stopped_is_tried_again(void **state)
{
	struct pveworld *w = *state;

	pveworld_start(w, NULL, &quick);
	pvewatch_add(w->watch, "100");
	pveworld_until(w, pveworld_says, "100=cores: 2\n");
	assert_int_equal(kill(fuse_of_group.server, SIGSTOP), 0);
	pveworld_until(w, pveworld_has_trouble, NO_ANSWER);
	assert_int_equal(kill(fuse_of_group.server, SIGCONT), 0);
	pveworld_until(w, pveworld_has_trouble, NULL);
	assert_true(w->turn_us < TURN_US);
}

/* A mount whose server has died. */
static void
a_dead_server_is_told_of(void **state)
{
	struct pveworld *w = *state;

	pveworld_start(w, NULL, &quick);
	pvewatch_add(w->watch, "100");
	pveworld_until(w, pveworld_says, "100=cores: 2\n");
	pvefuse_stop(&fuse_of_group);
	pveworld_until(w, pveworld_has_trouble, "Transport endpoint is not connected");
	assert_true(pveworld_says(w, "100=cores: 2\n"));
}

/* What the daemon does when it is told to end. */
static void
the_end_is_not_waited_for(void **state)
{
	struct pveworld *w = *state;
	uint64_t began_us;
	pid_t daemon = fork();
	int status;

	if (daemon == 0) {
		begin_and_hang(w);
		began_us = clock_now_us(clock_system());
		pvewatch_free(take_ptr(&w->watch));
		_exit(clock_now_us(clock_system()) - began_us < TURN_US ? 0 : 1);
	}
	assert_true(daemon > 0);
	assert_int_equal(waitpid(daemon, &status, 0), daemon);
	assert_int_equal(status, 0);
	/* and its child is still there, hanging */
	assert_true(pvefuse_waiting(&fuse_of_group) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(what_was_known_stays_and_nobody_waits),
		T(one_that_hangs_from_the_start_is_waited_for_once),
		T(a_server_that_is_stopped_is_tried_again),
		T(a_dead_server_is_told_of),
		T(the_end_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

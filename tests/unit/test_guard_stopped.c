// SPDX-License-Identifier: MIT
/* What the guard does for clients while its daemon is stopped, dead, or busy. */
#include "config.h"

#include "qmp/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guard_world.h"
#include "qmp/accepted.h"

#define KEY 103u
/* So long nothing must happen, where that is what is tested. */
#define QUIET_MS 300u

#define MANY 200u
#define WATCHED 2u /* descriptors: the listener and the pidfd */

struct fixture {
	struct world world;
	struct daemon daemon;
	bool runs;
	struct guard_terms terms; /* for the daemon's session */
	int served;		  /* QEMU's end of it */
	int mine;		  /* and the daemon's, where the test needs it */
	int pairs[MANY][2];
	bool has_child; /* of the daemon; it lives until this is closed: */
	int lifeline[2];
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	world_init(&f->world);
	f->served = f->mine = -1;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	if (f->runs)
		daemon_kill(&f->daemon);
	if (f->served >= 0)
		close(f->served);
	if (f->mine >= 0)
		close(f->mine);
	world_fini(&f->world);
	free(f);
	return 0;
}

static void
start(struct fixture *f, daemon_begin *begin)
{
	daemon_start(&f->daemon, &f->world, begin, f);
	f->runs = true;
}

static void
watch(const struct daemon *d)
{
	if (guard_watch(d->guard, KEY, d->world->listener, d->world->pidfd) < 0)
		_exit(99);
}

static void
begin_to_hold(struct daemon *d, void *arg)
{
	const struct fixture *f = arg;

	watch(d);
	(void)daemon_hold(d, KEY, &f->terms);
}

/* A stopped daemon with a session that is served. */
static void
hold_and_stop(struct fixture *f, const struct guard_terms *terms)
{
	f->terms = *terms;
	start(f, begin_to_hold);
	f->served = world_accept(&f->world);
	wait_for_copies(f->daemon.guard_pid, WATCHED + 1);
	daemon_stop(&f->daemon);
}

static void
a_client_does_not_wait_for_a_stopped_daemon(void **state)
{
	static const struct guard_terms terms = {.wait_ms = 20};
	struct fixture *f = *state;
	uint64_t start_us;
	uint64_t took_us;
	int waiter;

	hold_and_stop(f, &terms);
	start_us = now_us();
	waiter = world_connect(&f->world);
	assert_true(world_is_ended(f->served, WORLD_LIMIT_MS));
	took_us = now_us() - start_us;
	print_message("ended after %.1f ms\n", (double)took_us / 1000);
	/* less by a look when the guard had seen the daemon in the queue before that */
	assert_in_range(took_us, 15000, WORLD_LIMIT_MS * 1000);
	close(world_accept(&f->world));
	assert_true(world_is_ended(waiter, WORLD_LIMIT_MS));
	close(waiter);
	wait_for_copies(f->daemon.guard_pid, WATCHED);
}

static void
a_client_that_is_served_in_time_ends_nothing(void **state)
{
	static const struct guard_terms terms = {.wait_ms = 1500};
	struct fixture *f = *state;

	hold_and_stop(f, &terms);
	for (unsigned int i = 0; i < 25; i++) {
		int waiter = world_connect(&f->world);

		assert_false(world_is_ended(f->served, 20));
		close(world_accept(&f->world));
		close(waiter);
		assert_false(world_is_ended(f->served, 50));
	}
	assert_false(world_is_ended(f->served, QUIET_MS));
}

/* As by a proxy, which accepts on the listener while it has the session. */
static void
clients_that_are_served_one_after_the_other_end_nothing(void **state)
{
	static const struct guard_terms terms = {.wait_ms = 1000};
	struct fixture *f = *state;
	uint64_t limit_us = now_us() + 3500000;
	unsigned int n = 0;
	int waiter;

	hold_and_stop(f, &terms);
	while (now_us() < limit_us) {
		int clients[] = {world_connect(&f->world), world_connect(&f->world)};

		close(world_accept(&f->world));
		close(world_accept(&f->world));
		close(clients[0]);
		close(clients[1]);
		n += 2;
	}
	print_message("%u clients\n", n);
	assert_false(world_is_ended(f->served, QUIET_MS));
	waiter = world_connect(&f->world);
	assert_true(world_is_ended(f->served, WORLD_LIMIT_MS));
	close(waiter);
}

static void
without_a_client_nothing_is_ended(void **state)
{
	static const struct guard_terms terms = {.wait_ms = 20};
	struct fixture *f = *state;

	hold_and_stop(f, &terms);
	assert_false(world_is_ended(f->served, QUIET_MS));
}

static void
without_terms_a_client_waits(void **state)
{
	static const struct guard_terms terms;
	struct fixture *f = *state;
	int waiter;

	hold_and_stop(f, &terms);
	waiter = world_connect(&f->world);
	assert_false(world_is_ended(f->served, QUIET_MS));
	close(waiter);
}

static void
a_lease_ends_the_session_of_a_stopped_daemon(void **state)
{
	static const struct guard_terms terms = {.lease_ms = 200};
	struct fixture *f = *state;
	uint64_t start_us = now_us();

	hold_and_stop(f, &terms);
	assert_true(world_is_ended(f->served, WORLD_LIMIT_MS));
	assert_in_range(now_us() - start_us, 200000, WORLD_LIMIT_MS * 1000);
}

/* -- not connected, or not accepted yet */

static void
begin_to_stop_before_connect(struct daemon *d, void *arg)
{
	const struct fixture *f = arg;

	watch(d);
	if (guard_hold(d->guard, KEY, f->mine, &f->terms) < 0)
		_exit(99);
	daemon_say(d, 0);
	raise(SIGSTOP);
	daemon_say(d, world_try_connect(d->world, f->mine));
	(void)shutdown(f->mine, SHUT_RDWR);
}

static void
stop_before_connect(struct fixture *f, const struct guard_terms *terms)
{
	f->terms = *terms;
	f->mine = world_socket();
	start(f, begin_to_stop_before_connect);
	daemon_await_stop(&f->daemon);
}

static void
a_session_that_connects_too_late_does_not_connect(void **state)
{
	static const struct guard_terms terms = {.lease_ms = 100};
	struct fixture *f = *state;

	stop_before_connect(f, &terms);
	assert_true(world_is_ended(f->mine, WORLD_LIMIT_MS));
	kill(f->daemon.pid, SIGCONT);
	assert_int_equal(daemon_hear(&f->daemon), -EINVAL);
}

static void
a_client_need_not_fear_a_session_that_connects_late(void **state)
{
	static const struct guard_terms terms = {.wait_ms = 20};
	struct fixture *f = *state;
	int waiter;

	stop_before_connect(f, &terms);
	waiter = world_connect(&f->world);
	assert_true(world_is_ended(f->mine, WORLD_LIMIT_MS));
	kill(f->daemon.pid, SIGCONT);
	assert_int_equal(daemon_hear(&f->daemon), -EINVAL);
	close(waiter);
}

static void
a_session_that_connects_in_time_is_guarded(void **state)
{
	static const struct guard_terms terms = {.wait_ms = 20, .lease_ms = 20000};
	struct fixture *f = *state;

	stop_before_connect(f, &terms);
	wait_for_copies(f->daemon.guard_pid, WATCHED + 1);
	kill(f->daemon.pid, SIGCONT);
	assert_int_equal(daemon_hear(&f->daemon), 0);
	/* the daemon shuts it down itself, and the guard lets go */
	f->served = world_accept(&f->world);
	assert_true(world_is_ended(f->served, WORLD_LIMIT_MS));
	wait_for_copies(f->daemon.guard_pid, WATCHED);
}

/* QEMU is busy: we are one of those who wait, not the one they wait for. */
static void
a_session_in_the_queue_is_in_nobodys_way(void **state)
{
	static const struct guard_terms terms = {.wait_ms = 20};
	struct fixture *f = *state;
	int diag = accepted_open();
	int waiter;

	if (diag < 0)
		skip();
	close(diag);
	f->terms = terms;
	start(f, begin_to_hold);
	daemon_stop(&f->daemon);
	waiter = world_connect(&f->world);
	wait_for_copies(f->daemon.guard_pid, WATCHED + 1);
	assert_false(world_is_ended(waiter, QUIET_MS));
	wait_for_copies(f->daemon.guard_pid, WATCHED + 1);
	f->served = world_accept(&f->world);
	assert_true(world_is_ended(f->served, WORLD_LIMIT_MS));
	close(waiter);
}

/* -- private sessions */

static void
begin_to_drain(struct daemon *d, void *arg)
{
	const struct fixture *f = arg;

	if (guard_hold(d->guard, KEY, f->mine, &f->terms) < 0)
		_exit(99);
}

static void
make_private(struct fixture *f, daemon_begin *begin, unsigned int drain_ms)
{
	int pair[2];

	f->terms = (struct guard_terms){.drain_ms = drain_ms};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
				 0, pair),
		0);
	f->mine = pair[0];
	f->served = pair[1];
	start(f, begin);
}

/* As QEMU sends events, of all lengths: what does not fit waits until a quarter of the
 * buffer is used. (Were all as long as each other, a full buffer that is read would
 * look like one that is not.) Returns false when the session has ended. */
static bool
send_events(int fd, unsigned int ms)
{
	static const char event[180] = "{\"event\": \"RTC_CHANGE\"}";
	uint64_t limit_us = now_us() + ms * 1000;
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	unsigned int n = 0;

	while (now_us() < limit_us) {
		while (send(fd, event, sizeof(event) - n % 101, MSG_NOSIGNAL) > 0)
			n = n * 5 + 7;
		if (errno != EAGAIN)
			return false;
		(void)poll(&p, 1, 10);
	}
	return true;
}

static void
what_is_not_drained_is_ended(void **state)
{
	struct fixture *f = *state;
	uint64_t start_us;

	make_private(f, begin_to_drain, 200);
	assert_false(world_is_ended(f->served, QUIET_MS));
	start_us = now_us();
	assert_false(send_events(f->served, WORLD_LIMIT_MS));
	assert_in_range(now_us() - start_us, 199000, WORLD_LIMIT_MS * 1000);
	wait_for_copies(f->daemon.guard_pid, 0);
}

static void
on_events(evutil_socket_t fd, short what, void *arg)
{
	char bytes[4096];

	(void)what;
	(void)arg;
	if (recv(fd, bytes, sizeof(bytes), 0) == 0)
		_exit(0);
}

static void
begin_to_read(struct daemon *d, void *arg)
{
	const struct fixture *f = arg;

	begin_to_drain(d, arg);
	event_add(event_new(d->base, f->mine, EV_READ | EV_PERSIST, on_events, NULL),
		NULL);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	const struct fixture *f = arg;

	(void)fd;
	on_events(f->mine, what, NULL);
}

/* 4 KiB every 2 ms: slower than what comes. */
static void
begin_to_read_slowly(struct daemon *d, void *arg)
{
	const struct timeval tick = {.tv_usec = 2000};

	begin_to_drain(d, arg);
	event_add(event_new(d->base, -1, EV_PERSIST, on_tick, arg), &tick);
}

static void
a_storm_of_events_that_are_read_ends_nothing(void **state)
{
	struct fixture *f = *state;

	make_private(f, begin_to_read, 1000);
	assert_true(send_events(f->served, 4000));
	daemon_stop(&f->daemon);
	assert_false(send_events(f->served, WORLD_LIMIT_MS));
}

static void
a_reader_that_falls_behind_is_not_one_that_stopped(void **state)
{
	struct fixture *f = *state;

	make_private(f, begin_to_read_slowly, 1000);
	assert_true(send_events(f->served, 4000));
}

/* -- a dead daemon */

static void
begin_to_hold_all(struct daemon *d, void *arg)
{
	static const struct guard_terms terms;
	const struct fixture *f = arg;
	char byte;

	for (unsigned int i = 0; i < MANY; i++) {
		if (guard_hold(d->guard, i + 1, f->pairs[i][0], &terms) < 0)
			_exit(99);
	}
	if (f->has_child && fork() == 0) {
		close(f->lifeline[1]);
		_exit(read(f->lifeline[0], &byte, 1) == 0 ? 0 : 99);
	}
}

static void
hold_all(struct fixture *f)
{
	assert_int_equal(pipe(f->lifeline), 0);
	for (unsigned int i = 0; i < MANY; i++)
		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f->pairs[i]),
			0);
	start(f, begin_to_hold_all);
	for (unsigned int i = 0; i < MANY; i++)
		close(f->pairs[i][0]);
	wait_for_copies(f->daemon.guard_pid, MANY);
}

static void
expect_all_to_end(struct fixture *f)
{
	uint64_t start_us = now_us();

	kill(f->daemon.pid, SIGKILL);
	for (unsigned int i = 0; i < MANY; i++)
		assert_true(world_is_ended(f->pairs[i][1], WORLD_LIMIT_MS));
	print_message("%u sessions ended after %.1f ms\n", MANY,
		(double)(now_us() - start_us) / 1000);
	assert_true(has_ended(f->daemon.guard_pidfd));
	for (unsigned int i = 0; i < MANY; i++)
		close(f->pairs[i][1]);
	close(f->lifeline[0]);
	close(f->lifeline[1]);
}

static void
a_killed_daemon_leaves_nothing(void **state)
{
	struct fixture *f = *state;

	hold_all(f);
	expect_all_to_end(f);
}

/* Which has inherited the sessions and the pipe to the guard. */
static void
a_child_of_the_daemon_does_not_keep_anything_up(void **state)
{
	struct fixture *f = *state;

	f->has_child = true;
	hold_all(f);
	expect_all_to_end(f);
}

/* -- a dead QEMU */

static void
a_dead_machine_refuses_clients_though_the_daemon_is_stopped(void **state)
{
	static const struct guard_terms terms;
	struct fixture *f = *state;
	uint64_t start_us;
	int waiter;
	int late;
	int r;

	hold_and_stop(f, &terms);
	waiter = world_connect(&f->world);
	start_us = now_us();
	procs_kill(&f->world.process);
	assert_true(world_is_ended(f->served, WORLD_LIMIT_MS));
	assert_true(world_is_ended(waiter, WORLD_LIMIT_MS));
	print_message("hung up after %.1f ms\n", (double)(now_us() - start_us) / 1000);
	late = world_socket();
	r = world_try_connect(&f->world, late);
	assert_int_equal(r, -ECONNREFUSED);
	wait_for_copies(f->daemon.guard_pid, 0);
	close(waiter);
	close(late);
}

static void
what_ends_a_daemon_does_not_end_its_guard(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE};
	static const struct guard_terms terms = {.wait_ms = 20};
	struct fixture *f = *state;
	int waiter;

	hold_and_stop(f, &terms);
	for (unsigned int i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		kill(f->daemon.guard_pid, signals[i]);
	waiter = world_connect(&f->world);
	assert_true(world_is_ended(f->served, WORLD_LIMIT_MS));
	close(waiter);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_client_does_not_wait_for_a_stopped_daemon),
		test(a_client_that_is_served_in_time_ends_nothing),
		test(clients_that_are_served_one_after_the_other_end_nothing),
		test(without_a_client_nothing_is_ended),
		test(without_terms_a_client_waits),
		test(a_lease_ends_the_session_of_a_stopped_daemon),
		test(a_session_that_connects_too_late_does_not_connect),
		test(a_client_need_not_fear_a_session_that_connects_late),
		test(a_session_that_connects_in_time_is_guarded),
		test(a_session_in_the_queue_is_in_nobodys_way),
		test(what_is_not_drained_is_ended),
		test(a_storm_of_events_that_are_read_ends_nothing),
		test(a_reader_that_falls_behind_is_not_one_that_stopped),
		test(a_killed_daemon_leaves_nothing),
		test(a_child_of_the_daemon_does_not_keep_anything_up),
		test(a_dead_machine_refuses_clients_though_the_daemon_is_stopped),
		test(what_ends_a_daemon_does_not_end_its_guard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

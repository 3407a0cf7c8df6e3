// SPDX-License-Identifier: MIT
/*
 * The control server among clients that send garbage, come in crowds, stall or idle:
 * what they cost is bounded, and nobody else is disturbed.
 */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl_world.h"

#define LIST "{\"method\":\"io.qmpin.ListVMs\",\"more\":true}"

/* Sizes within reach of a test, and the default times. */
static int
set_up(void **state)
{
	*state = ctl_world_new(NULL);
	return 0;
}

static int
set_up_tight(void **state)
{
	struct ctl_limits limits = ctl_world_patient;

	limits.clients = 32;
	limits.client_bytes = 4u << 20;
	limits.total_bytes = 6u << 20;
	*state = ctl_world_new(&limits);
	return 0;
}

/* Times that can be waited for, one at a time: a busy machine is slow itself. */
static int
set_up_short_idle(void **state)
{
	struct ctl_limits limits = ctl_world_patient;

	limits.idle_ms = 500;
	*state = ctl_world_new(&limits);
	return 0;
}

static int
set_up_short_stall(void **state)
{
	struct ctl_limits limits = ctl_world_patient;

	limits.stall_ms = 150;
	*state = ctl_world_new(&limits);
	return 0;
}

static int
set_up_short_half(void **state)
{
	struct ctl_limits limits = ctl_world_patient;

	limits.half_ms = 150;
	*state = ctl_world_new(&limits);
	return 0;
}

static int
set_up_short_all(void **state)
{
	struct ctl_limits limits = ctl_world_patient;

	limits.idle_ms = limits.half_ms = limits.stall_ms = 100;
	*state = ctl_world_new(&limits);
	return 0;
}

static int
tear_down(void **state)
{
	ctl_world_free(*state);
	return 0;
}

static json_t *
params_of(const json_t *reply)
{
	return json_object_get(reply, "parameters");
}

/* ---- what is not varlink ---- */

static void
repeat(struct strbuf *b, const char *bytes, size_t len, unsigned int times)
{
	for (unsigned int i = 0; i < times; i++)
		strbuf_add(b, bytes, len);
}

static void
expect_dropped(struct ctl_world *w, const char *name, const char *bytes, size_t len)
{
	int bystander = ctl_world_dial(w, CTL_SOCKET);
	int fd = ctl_world_dial(w, CTL_SOCKET_RO);
	unsigned int calls = w->n_calls;
	json_t *reply;

	print_message("%s\n", name);
	ctl_world_ask(w, bystander, CTL_WORLD_MONITOR);
	ctl_world_settle(w);
	assert_int_equal(w->n_calls, calls + 1);
	(void)ctl_world_send(w, fd, bytes, len);
	(void)ctl_world_drain(w, fd);
	assert_int_equal(w->n_calls, calls + 1);
	ctl_reply(w->held[--w->n_held], json_object(), false);
	reply = ctl_world_read(w, bystander);
	assert_non_null(reply);
	json_decref(reply);
	(void)close(bystander);
	ctl_world_expect_served(w);
}

static void
garbage_is_dropped_and_disturbs_nobody(void **state)
{
	static const char nuls[1000];
	static const char binary[] = "\x16\x03\x01\x02\xff\xfe\x80{}\x00\x01";
	struct ctl_world *w = *state;
	struct strbuf b = {0};

	expect_dropped(w, "NUL flood", nuls, sizeof(nuls));
	expect_dropped(w, "binary", binary, sizeof(binary));
	expect_dropped(w, "HTTP", "GET / HTTP/1.1\r\n\r\n\0", 19);
	expect_dropped(w, "array", "[]\0", 3);
	expect_dropped(w, "no method", "{}\0", 3);
	expect_dropped(w, "garbage before a request", "x\0" CTL_WORLD_STATUS,
		sizeof(CTL_WORLD_STATUS) + 2);
	expect_dropped(w, "more and oneway",
		"{\"method\":\"a.B\",\"more\":true,\"oneway\":true}\0", 43);

	repeat(&b, "x", 1, 70000);
	expect_dropped(w, "no end", b.s, b.len);
	strbuf_fini(&b);

	strbuf_adds(&b, "{\"method\":\"io.qmpin.GetStatus\",\"x\":\"");
	repeat(&b, "y", 1, 66000);
	strbuf_add(&b, "\"}", 3);
	expect_dropped(w, "oversized request", b.s, b.len);
	strbuf_fini(&b);

	repeat(&b, "{\"a\":", 5, 5000);
	strbuf_add(&b, "", 1);
	expect_dropped(w, "nested", b.s, b.len);
	strbuf_fini(&b);

	repeat(&b, "[{},{}],", 8, 8000);
	strbuf_add(&b, "", 1);
	expect_dropped(w, "value bomb", b.s, b.len);
	strbuf_fini(&b);
}

static void
half_a_request_and_the_end_is_dropped(void **state)
{
	struct ctl_world *w = *state;

	for (unsigned int i = 0; i < 2; i++) {
		int fd = ctl_world_dial(w, CTL_SOCKET);

		assert_true(ctl_world_send(w, fd, CTL_WORLD_STATUS, 10));
		ctl_world_settle(w);
		if (i == 0) {
			assert_int_equal(shutdown(fd, SHUT_WR), 0);
			(void)ctl_world_drain(w, fd);
		} else {
			(void)close(fd);
			ctl_world_settle(w);
		}
	}
	assert_int_equal(w->n_calls, 0);
	ctl_world_expect_served(w);
}

static void
request_has_its_time_however_it_trickles(void **state)
{
	struct ctl_world *w = *state;
	uint64_t begin_us = clock_now_us(clock_system());
	int quiet = ctl_world_dial(w, CTL_SOCKET);
	int fd = ctl_world_dial(w, CTL_SOCKET);

	while (ctl_world_send(w, fd, " ", 1)) {
		ctl_world_step(w);
		assert_true(clock_now_us(clock_system()) - begin_us <
			    CTL_WORLD_PATIENCE_MS * UINT64_C(1000));
	}
	(void)close(fd);
	/* who has begun nothing has more time */
	ctl_world_ask(w, quiet, CTL_WORLD_STATUS);
	json_decref(ctl_world_read(w, quiet));
	assert_int_equal(w->n_calls, 1);
	(void)close(quiet);
}

static void
half_a_request_waits_for_the_answer_before_it(void **state)
{
	struct ctl_world *w = *state;
	struct timespec pause = {.tv_nsec = 300000000};
	int fd = ctl_world_dial(w, CTL_SOCKET);

	ctl_world_ask(w, fd, CTL_WORLD_MONITOR);
	assert_true(ctl_world_send(w, fd, CTL_WORLD_STATUS, 10));
	ctl_world_settle(w);
	(void)nanosleep(&pause, NULL);
	ctl_world_settle(w);
	ctl_world_answer_held(w, fd);
}

/* ---- many, slow and idle clients ---- */

static void
two_hundred_clients_at_once_are_all_served(void **state)
{
	struct ctl_world *w = *state;
	int fds[200];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = ctl_world_dial(w, CTL_SOCKET_RO);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		ctl_world_ask(w, fds[i], CTL_WORLD_STATUS);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		json_t *reply = ctl_world_read(w, fds[i]);

		assert_non_null(json_object_get(params_of(reply), "version"));
		json_decref(reply);
		(void)close(fds[i]);
	}
	assert_int_equal(w->n_calls, ARRAY_LEN(fds));
}

static void
crowd_on_the_read_only_socket_keeps_nobody_from_the_other(void **state)
{
	struct ctl_world *w = *state;
	int fds[256];
	int fd;

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = ctl_world_dial(w, CTL_SOCKET_RO);
	ctl_world_settle(w);
	fd = ctl_world_dial(w, CTL_SOCKET_RO);
	(void)ctl_world_drain(w, fd);
	ctl_world_expect_served(w);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
	ctl_world_settle(w);
	fd = ctl_world_dial(w, CTL_SOCKET_RO);
	ctl_world_ask(w, fd, CTL_WORLD_STATUS);
	json_decref(ctl_world_read(w, fd));
	(void)close(fd);
}

static void
clients_beyond_the_cap_are_turned_away(void **state)
{
	struct ctl_world *w = *state;
	int fds[256];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = ctl_world_dial(w, CTL_SOCKET);
	ctl_world_settle(w);
	(void)ctl_world_drain(w, ctl_world_dial(w, CTL_SOCKET));
	ctl_world_ask(w, fds[0], CTL_WORLD_STATUS);
	json_decref(ctl_world_read(w, fds[0]));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
	ctl_world_settle(w);
	ctl_world_expect_served(w);
}

/* Nothing tells the server of those who end their side and leave later: while nothing
 * is sent to them they look as if they waited. */
static void
those_who_left_unseen_make_room(void **state)
{
	struct ctl_world *w = *state;
	int fds[32];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = ctl_world_dial(w, CTL_SOCKET);
		ctl_world_ask(w, fds[i], CTL_WORLD_MONITOR);
		assert_int_equal(shutdown(fds[i], SHUT_WR), 0);
	}
	ctl_world_settle(w);
	assert_int_equal(w->n_held, ARRAY_LEN(fds));
	(void)close(fds[0]);
	(void)close(fds[1]);
	ctl_world_settle(w);
	ctl_world_expect_served(w);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		assert_int_equal(ctl_call_gone(w->held[i]), i < 2);
		ctl_reply(w->held[i], json_object(), false);
		if (i > 1)
			assert_int_equal(ctl_world_drain(w, fds[i]), 1);
	}
}

static void
idle_client_is_dropped_unless_its_call_is_in_flight(void **state)
{
	struct ctl_world *w = *state;
	int idle = ctl_world_dial(w, CTL_SOCKET);
	int waiting = ctl_world_dial(w, CTL_SOCKET);

	ctl_world_ask(w, waiting, CTL_WORLD_MONITOR);
	(void)ctl_world_drain(w, idle);
	/* A second one, begun later, has gone too: its whole time has passed as well.
	 */
	(void)ctl_world_drain(w, ctl_world_dial(w, CTL_SOCKET));
	ctl_world_answer_held(w, waiting);
}

static void
reader_that_stalls_is_dropped(void **state)
{
	struct ctl_world *w = *state;
	uint64_t begin_us = clock_now_us(clock_system());
	int fd = ctl_world_dial(w, CTL_SOCKET);
	struct pollfd end = {.fd = fd, .events = POLLRDHUP};

	w->n_vms = 3000; /* 1 MB, the socket holds 200 kB */
	ctl_world_ask(w, fd, LIST);
	while (poll(&end, 1, 0) == 0) {
		ctl_world_step(w);
		ctl_world_expect_served(w);
		assert_true(clock_now_us(clock_system()) - begin_us <
			    CTL_WORLD_PATIENCE_MS * UINT64_C(1000));
	}
	assert_in_range(ctl_world_drain(w, fd), 1, w->n_vms - 1);
}

/* As after SIGSTOP: time has passed for the server, not for its clients. */
static void
server_that_was_held_up_drops_nobody(void **state)
{
	struct ctl_world *w = *state;
	int reader = ctl_world_dial(w, CTL_SOCKET);
	int asker;
	struct timespec pause = {.tv_nsec = 400000000};
	json_t *reply;

	ctl_world_ask(w, reader, CTL_WORLD_MONITOR);
	ctl_world_settle(w);
	asker = ctl_world_dial(w, CTL_SOCKET);
	ctl_world_ask(w, asker, CTL_WORLD_STATUS);
	ctl_reply(w->held[0], json_object(), false);
	(void)nanosleep(&pause, NULL);
	reply = ctl_world_read(w, reader);
	assert_non_null(reply);
	json_decref(reply);
	reply = ctl_world_read(w, asker);
	assert_non_null(reply);
	json_decref(reply);
	(void)close(reader);
	(void)close(asker);
}

static void
slow_reader_gets_all_of_it(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);
	unsigned int seen = 0;
	bool on = true;

	w->n_vms = 2000;
	ctl_world_ask(w, fd, LIST);
	while (on) {
		json_t *reply = ctl_world_read(w, fd);

		assert_non_null(reply);
		on = json_is_true(json_object_get(reply, "continues"));
		json_decref(reply);
		if (++seen % 100 == 0)
			ctl_world_step(w);
	}
	assert_int_equal(seen, w->n_vms);
	(void)close(fd);
}

static void
answer_beyond_the_cap_ends_the_connection(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);

	w->n_vms = 14000; /* about 5 MB, the cap is 4 */
	ctl_world_ask(w, fd, LIST);
	assert_true(ctl_world_drain(w, fd) < w->n_vms);
	ctl_world_expect_served(w);
}

static void
largest_backlog_pays_when_all_are_too_large(void **state)
{
	struct ctl_world *w = *state;
	int large = ctl_world_dial(w, CTL_SOCKET);
	int small = ctl_world_dial(w, CTL_SOCKET);
	json_t *reply;

	ctl_world_ask(w, large, CTL_WORLD_MONITOR);
	ctl_world_ask(w, small, CTL_WORLD_MONITOR);
	ctl_world_settle(w);
	assert_int_equal(w->n_held, 2);
	/* No loop in between: all of it stays in memory. */
	for (unsigned int i = 0; i < 7; i++) {
		char *text = xcalloc(500001, 1);

		memset(text, 'x', 500000);
		ctl_reply(w->held[0], json_pack("{s:s}", "text", text), true);
		if (i < 6)
			ctl_reply(w->held[1], json_pack("{s:s}", "text", text), true);
		free(text);
		assert_int_equal(ctl_call_gone(w->held[0]), i == 6);
	}
	assert_false(ctl_call_gone(w->held[1]));
	ctl_reply(w->held[0], json_object(), false);
	ctl_reply(w->held[1], json_object(), false);
	(void)ctl_world_drain(w, large);
	for (unsigned int i = 0; i < 7; i++) {
		reply = ctl_world_read(w, small);
		assert_non_null(reply);
		json_decref(reply);
	}
	(void)close(small);
}

static void
stream_is_told_how_much_its_reader_has_not_read(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);
	auto_free char *text = xcalloc(100001, 1);

	memset(text, 'x', 100000);
	ctl_world_ask(w, fd, CTL_WORLD_MONITOR);
	ctl_world_settle(w);
	assert_int_equal(ctl_call_unread(w->held[0]), 0);
	/* No loop in between: all of it stays in memory. */
	for (unsigned int i = 0; i < 3; i++)
		ctl_reply(w->held[0], json_pack("{s:s}", "text", text), true);
	assert_true(ctl_call_unread(w->held[0]) > 300000);
	for (unsigned int i = 0; i < 3; i++)
		json_decref(ctl_world_read(w, fd));
	assert_int_equal(ctl_call_unread(w->held[0]), 0);
	ctl_reply(w->held[0], json_object(), false);
	json_decref(ctl_world_read(w, fd));
	(void)close(fd);
}

/* 60 KB of requests would make 200 MB of answers: they are taken as they are read. */
static void
pipelining_without_reading_does_not_pile_up(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);

	w->n_vms = 1000; /* 350 kB an answer */
	for (unsigned int i = 0; i < 600; i++)
		ctl_world_ask(w, fd, LIST);
	for (unsigned int i = 0; i < 50; i++)
		(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
	assert_in_range(w->n_calls, 1, 4);
	(void)close(fd);
	ctl_world_expect_served(w);
}

static void
flood_of_cheap_requests_leaves_others_their_turn(void **state)
{
	struct ctl_world *w = *state;
	int flood = ctl_world_dial(w, CTL_SOCKET);
	int other = ctl_world_dial(w, CTL_SOCKET);
	json_t *reply;

	for (unsigned int i = 0; i < 500; i++)
		ctl_world_ask(w, flood, CTL_WORLD_STATUS);
	ctl_world_ask(w, other, "{\"method\":\"io.qmpin.ListVMs\"}");
	reply = ctl_world_read(w, other);
	assert_non_null(reply);
	json_decref(reply);
	assert_true(w->n_calls < 200);
	(void)close(other);
	for (unsigned int i = 0; i < 500; i++)
		json_decref(ctl_world_read(w, flood));
	(void)close(flood);
}

#define WITH(limits, name) \
	cmocka_unit_test_setup_teardown(name, set_up_##limits, tear_down)
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(garbage_is_dropped_and_disturbs_nobody),
		CASE(half_a_request_and_the_end_is_dropped),
		CASE(two_hundred_clients_at_once_are_all_served),
		CASE(crowd_on_the_read_only_socket_keeps_nobody_from_the_other),
		CASE(clients_beyond_the_cap_are_turned_away),
		WITH(short_half, request_has_its_time_however_it_trickles),
		WITH(short_half, half_a_request_waits_for_the_answer_before_it),
		WITH(tight, those_who_left_unseen_make_room),
		WITH(short_idle, idle_client_is_dropped_unless_its_call_is_in_flight),
		WITH(short_stall, reader_that_stalls_is_dropped),
		WITH(short_all, server_that_was_held_up_drops_nobody),
		WITH(tight, slow_reader_gets_all_of_it),
		WITH(tight, answer_beyond_the_cap_ends_the_connection),
		WITH(tight, largest_backlog_pays_when_all_are_too_large),
		CASE(stream_is_told_how_much_its_reader_has_not_read),
		CASE(pipelining_without_reading_does_not_pile_up),
		CASE(flood_of_cheap_requests_leaves_others_their_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Who reads in which turn of a real loop; time passes only while somebody reads. */
#include "config.h"

#include "qmp/rota.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define READERS 10u
/* Three of them and a turn is over. */
#define READ_US 800u

struct fixture;

struct reader {
	struct fixture *f;
	int ends[2];
	struct event *readable;
	struct rota_place place;
	unsigned int reads;
	bool drains;		  /* after that nothing is left to read */
	struct reader *takes_out; /* when it has read */
};

struct fixture {
	struct clock clock; /* first: the clock is the fixture */
	uint64_t now_us;
	struct event_base *base;
	struct rota rota;
	uint64_t turn;
	unsigned int reads; /* in this turn */
	struct reader readers[READERS];
};

static uint64_t
fake_now(const struct clock *c)
{
	return ((const struct fixture *)(const void *)c)->now_us;
}

static void
on_turn(void *owner)
{
	struct reader *r = owner;
	char byte;

	if (r->drains && read(r->ends[0], &byte, 1) != 1)
		return; /* it was readable when the turn began */
	r->reads++;
	r->f->reads++;
	r->f->now_us += READ_US;
	if (r->takes_out != NULL) {
		event_del(r->takes_out->readable);
		rota_leave(&r->f->rota, &r->takes_out->place);
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct reader *r = arg;
	struct fixture *f = r->f;

	(void)fd;
	(void)what;
	rota_come(&f->rota, &r->place, &f->clock);
}

static int
set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){.clock = {fake_now, fake_now}, .base = event_base_new()};
	assert_non_null(f.base);
	f.rota.turn = &f.turn;
	for (unsigned int i = 0; i < READERS; i++) {
		struct reader *r = &f.readers[i];

		r->f = &f;
		r->place = (struct rota_place){.on_turn = on_turn, .owner = r};
		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, r->ends),
			0);
		assert_int_equal(write(r->ends[1], "x", 1), 1);
		r->readable = event_new(
			f.base, r->ends[0], EV_READ | EV_PERSIST, on_readable, r);
		event_add(r->readable, NULL);
	}
	*state = &f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < READERS; i++) {
		event_free(f->readers[i].readable);
		close(f->readers[i].ends[0]);
		close(f->readers[i].ends[1]);
	}
	event_base_free(f->base);
	return 0;
}

/* Returns how many read. */
static unsigned int
turn(struct fixture *f)
{
	f->turn++;
	f->reads = 0;
	assert_int_equal(event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK), 0);
	return f->reads;
}

static void
a_turn_ends_when_its_time_is_up(void **state)
{
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(turn(*state), 3);
}

static void
all_read_equally_often(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 10 * READERS; i++)
		(void)turn(f);
	for (unsigned int i = 0; i < READERS; i++)
		assert_in_range(f->readers[i].reads, 20, 40);
}

static void
where_turns_have_no_number_all_read_at_once(void **state)
{
	struct fixture *f = *state;

	f->rota.turn = NULL;
	assert_int_equal(turn(f), READERS);
	rota_leave(NULL, &f->readers[0].place);
}

static void
who_has_read_all_does_not_come_again(void **state)
{
	struct fixture *f = *state;
	unsigned int turns = 0;

	for (unsigned int i = 0; i < READERS; i++)
		f->readers[i].drains = true;
	while (turn(f) > 0)
		turns++;
	assert_int_equal(turns, 4);
	for (unsigned int i = 0; i < READERS; i++)
		assert_int_equal(f->readers[i].reads, 1);
}

static void
who_left_while_it_waited_has_no_turn(void **state)
{
	struct fixture *f = *state;

	f->readers[0].takes_out = &f->readers[READERS - 1];
	for (unsigned int i = 0; i < READERS; i++)
		(void)turn(f);
	assert_int_equal(f->readers[READERS - 1].reads, 0);
	assert_in_range(f->readers[1].reads, 3, 4);
}

static void
one_that_vanished_from_its_place_holds_up_nobody(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(turn(f), 3);
	for (unsigned int i = 3; i < READERS; i++)
		event_del(f->readers[i].readable); /* they still wait */
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(turn(f), 3);
	assert_in_range(f->readers[0].reads, 2, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_turn_ends_when_its_time_is_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			all_read_equally_often, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			where_turns_have_no_number_all_read_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			who_has_read_all_does_not_come_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			who_left_while_it_waited_has_no_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			one_that_vanished_from_its_place_holds_up_nobody, set_up,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

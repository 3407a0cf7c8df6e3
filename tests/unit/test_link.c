// SPDX-License-Identifier: MIT
/* A session on a descriptor that somebody else connected. */
#include "config.h"

#include "qmp/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"

#define GREETING "{\"QMP\": {}}\r\n"
#define AGREED "{\"return\": {}, \"id\": \"qmpin:1\"}\r\n"

struct fixture {
	struct clock clock; /* first: the clock is the fixture */
	uint64_t now_us;
	struct event_base *base;
	struct link *link;
	int near;
	int far;
	struct strbuf told;
};

static uint64_t
fake_now(const struct clock *c)
{
	return ((const struct fixture *)c)->now_us;
}

static void
on_tell(void *owner, enum session_tell tell, const struct session_told *told)
{
	static const char words[] = {
		[SESSION_UP] = 'u',
		[SESSION_EVENT] = 'e',
		[SESSION_FACTS] = 'f',
		[SESSION_NO_FACTS] = 'n',
		[SESSION_STALLED] = 's',
		[SESSION_BROKEN] = 'b',
		[SESSION_CLOSED] = 'c',
	};
	struct fixture *f = owner;

	(void)told;
	if (tell != SESSION_GREETED && tell != SESSION_ASKED)
		strbuf_add(&f->told, &words[tell], 1);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int pair[2];

	if (f == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	f->clock = (struct clock){fake_now, fake_now};
	f->base = event_base_new();
	f->near = pair[0];
	f->far = pair[1];
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	link_free(f->link);
	event_base_free(f->base);
	close(f->far);
	strbuf_fini(&f->told);
	free(f);
	return 0;
}

static void
open_link(struct fixture *f)
{
	const struct link_options options = {
		.clock = &f->clock, .session_ms = 50, .query_ms = 50};

	f->link = link_new(f->base, f->near, &options, on_tell, f);
}

static void
say(struct fixture *f, const char *text)
{
	assert_int_equal(send(f->far, text, strlen(text), 0), strlen(text));
}

/* What the link has sent, as far as it has come. */
static void
expect_heard(struct fixture *f, const char *expected)
{
	char text[1024];
	ssize_t n = recv(f->far, text, sizeof(text), MSG_DONTWAIT);

	assert_int_equal(n, strlen(expected));
	assert_memory_equal(text, expected, strlen(expected));
}

/* All that is ready now. */
static void
turn(struct fixture *f)
{
	for (unsigned int i = 0; i < 5; i++)
		event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static void
a_session_runs_on_any_descriptor(void **state)
{
	struct fixture *f = *state;

	open_link(f);
	turn(f);
	say(f, GREETING);
	turn(f);
	expect_heard(f, "{\"execute\":\"qmp_capabilities\",\"id\":\"qmpin:1\"}\n");
	say(f, AGREED "{\"event\": \"STOP\"}");
	turn(f);
	assert_string_equal(f->told.s, "ue");
	link_observe(f->link);
	turn(f);
	assert_true(link_is_busy(f->link));
	expect_heard(f, "{\"execute\":\"query-status\",\"id\":\"qmpin:2\"}\n"
			"{\"execute\":\"query-cpus-fast\",\"id\":\"qmpin:3\"}\n"
			"{\"execute\":\"query-hotpluggable-cpus\",\"id\":\"qmpin:4\"}\n"
			"{\"execute\":\"query-iothreads\",\"id\":\"qmpin:5\"}\n"
			"{\"execute\":\"query-name\",\"id\":\"qmpin:6\"}\n"
			"{\"execute\":\"query-memdev\",\"id\":\"qmpin:7\"}\n"
			"{\"execute\":\"query-memory-devices\",\"id\":\"qmpin:8\"}\n");
}

static void
drips_are_put_together(void **state)
{
	static const char text[] = GREETING AGREED;
	struct fixture *f = *state;

	open_link(f);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		assert_int_equal(send(f->far, text + i, 1, 0), 1);
		turn(f);
	}
	assert_string_equal(f->told.s, "u");
}

static void
output_that_finds_no_room_waits_for_it(void **state)
{
	static const char expected[] =
		"{\"execute\":\"qmp_capabilities\",\"id\":\"qmpin:1\"}\n";
	static const char junk[4096] = "";
	struct fixture *f = *state;
	struct strbuf heard = {0};
	char bytes[65536];
	ssize_t n;

	while (send(f->near, junk, sizeof(junk), MSG_DONTWAIT) > 0) {
	}
	open_link(f);
	say(f, GREETING);
	turn(f);
	say(f, "{\"event\": \"STOP\"}");
	turn(f);
	assert_string_equal(f->told.s, "e");
	while ((n = recv(f->far, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		strbuf_add(&heard, bytes, (size_t)n);
		turn(f);
	}
	assert_true(heard.len > strlen(expected));
	assert_string_equal(heard.s + heard.len - strlen(expected), expected);
	assert_int_equal(heard.s[heard.len - strlen(expected) - 1], '\0');
	strbuf_fini(&heard);
}

static void
what_was_said_before_leaving_is_heard(void **state)
{
	struct fixture *f = *state;

	open_link(f);
	say(f, GREETING AGREED "{\"event\": \"SHUTDOWN\"}\r\n{\"half");
	close(f->far);
	turn(f);
	assert_string_equal(f->told.s, "uec");
	link_observe(f->link);
	turn(f);
	assert_string_equal(f->told.s, "uec");
	f->far = -1;
}

/* We were stopped, not the peer: the answer lies there though the time is over. */
static void
an_answer_that_is_there_counts_however_late_we_look(void **state)
{
	struct fixture *f = *state;

	open_link(f);
	f->now_us = 60000000;
	say(f, GREETING AGREED);
	usleep(60000); /* the timer is due as well, which is the point */
	turn(f);
	assert_string_equal(f->told.s, "u");
}

#define AN_EVENT "{\"event\": \"RTC_CHANGE\", \"data\": {\"offset\": 78}}\r\n"
#define N_EVENTS 2000u

static void
say_many_events(struct fixture *f)
{
	struct strbuf all = {0};

	for (unsigned int i = 0; i < N_EVENTS; i++)
		strbuf_adds(&all, AN_EVENT);
	say(f, all.s);
	strbuf_fini(&all);
}

/* Others wait meanwhile: as long as a read of 32 KiB takes. */
static void
a_flood_is_heard_bit_by_bit(void **state)
{
	struct fixture *f = *state;

	open_link(f);
	say(f, GREETING AGREED);
	turn(f);
	say_many_events(f);
	event_base_loop(f->base, EVLOOP_ONCE);
	assert_in_range(f->told.len, 1, 1 + 32768 / strlen(AN_EVENT));
	turn(f);
	assert_int_equal(f->told.len, 1 + N_EVENTS);
}

static void
an_answer_behind_a_flood_counts_when_the_time_is_over(void **state)
{
	struct fixture *f = *state;

	open_link(f);
	say(f, GREETING);
	turn(f);
	say_many_events(f);
	say(f, AGREED);
	f->now_us = 60000000;
	usleep(60000); /* as above */
	turn(f);
	assert_non_null(f->told.s);
	assert_null(strchr(f->told.s, 's'));
	assert_non_null(strchr(f->told.s, 'u'));
}

static void
a_timer_that_is_early_is_set_again(void **state)
{
	struct fixture *f = *state;

	open_link(f);
	event_base_loop(f->base, EVLOOP_ONCE);
	assert_int_equal(f->told.len, 0);
	f->now_us = 50000;
	event_base_loop(f->base, EVLOOP_ONCE);
	assert_string_equal(f->told.s, "s");
}

static void
freeing_closes(void **state)
{
	struct fixture *f = *state;
	char c;

	open_link(f);
	link_free(f->link);
	f->link = NULL;
	assert_int_equal(recv(f->far, &c, 1, MSG_DONTWAIT), 0);
	link_free(NULL);
}

#define test_with_pair(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_pair(a_session_runs_on_any_descriptor),
		test_with_pair(drips_are_put_together),
		test_with_pair(output_that_finds_no_room_waits_for_it),
		test_with_pair(what_was_said_before_leaving_is_heard),
		test_with_pair(an_answer_that_is_there_counts_however_late_we_look),
		test_with_pair(a_flood_is_heard_bit_by_bit),
		test_with_pair(an_answer_behind_a_flood_counts_when_the_time_is_over),
		test_with_pair(a_timer_that_is_early_is_set_again),
		test_with_pair(freeing_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

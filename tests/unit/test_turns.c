// SPDX-License-Identifier: MIT
/* How long turns of a loop are, and that the loop is run as ever. */
#include "config.h"

#include "daemon/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <time.h>

#include "base/attr.h"

static void
each_length_is_counted_in_its_class(void **state)
{
	static const struct {
		uint64_t us;
		unsigned int class;
	} cases[] = {{0, 0}, {1000, 0}, {1001, 1}, {10000, 3}, {10001, 4}, {100000, 6},
		{100001, 7}, {UINT64_MAX, 7}};
	struct turns sum = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct turns t = {0};

		turns_add(&t, cases[i].us);
		if (t.counts[cases[i].class] != 1)
			fail_msg("%ju us: not in class %u", (uintmax_t)cases[i].us,
				cases[i].class);
		assert_true(t.longest_us == cases[i].us);
	}
	assert_int_equal(turns_bound_us(0), 1000);
	turns_add(&sum, 5);
	turns_add(&sum, 7);
	assert_int_equal(sum.total_us, 12);
	assert_int_equal(turns_bound_us(TURNS_CLASSES - 1), 0);
}

static uint64_t
busy_us(void)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts), 0);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void
on_work(evutil_socket_t fd, short what, void *arg)
{
	uint64_t until_us = busy_us() + *(const uint64_t *)arg;

	(void)fd;
	(void)what;
	while (busy_us() < until_us)
		continue;
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)event_base_loopbreak(arg);
}

/* Waiting is no work: the turn of 12 ms is alone above 10 ms. */
static void
a_busy_callback_is_one_long_turn(void **state)
{
	static const struct timeval soon = {.tv_usec = 1000};
	static const struct timeval later = {.tv_usec = 60000};
	struct event_base *base = event_base_new();
	uint64_t work_us = 12000;
	struct event *work = evtimer_new(base, on_work, &work_us);
	struct event *end = evtimer_new(base, on_end, base);
	struct turns t = {0};
	uint64_t long_ones = 0;

	(void)state;
	evtimer_add(work, &soon);
	evtimer_add(end, &later);
	turns_run(&t, base);
	for (unsigned int i = 4; i < TURNS_CLASSES; i++)
		long_ones += t.counts[i];
	assert_int_equal(long_ones, 1);
	assert_true(t.longest_us >= work_us);
	event_free(work);
	event_free(end);
	event_base_free(base);
}

static void
a_loop_with_nothing_to_wait_for_ends(void **state)
{
	struct event_base *base = event_base_new();
	struct turns t = {0};

	(void)state;
	turns_run(&t, base);
	assert_int_equal(t.longest_us, 0);
	event_base_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_length_is_counted_in_its_class),
		cmocka_unit_test(a_busy_callback_is_one_long_turn),
		cmocka_unit_test(a_loop_with_nothing_to_wait_for_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

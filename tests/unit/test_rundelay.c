// SPDX-License-Identifier: MIT
/* Waiting of threads, from made-up counters. */
#include "config.h"

#include "daemon/rundelay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/attr.h"

#define MS UINT64_C(1000)
#define STEP_US (2000 * MS)

/* Windows of two seconds; what was run and waited in each, in milliseconds. */
static struct rundelay
thread(unsigned int n, const unsigned int (*ms)[2])
{
	struct rundelay r = {.tid = 1};
	struct schedstat s = {5000000000, 7000000000, 100};
	uint64_t now_us = 50000 * MS;

	rundelay_add(&r, &s, now_us);
	for (unsigned int i = 0; i < n; i++) {
		s.run_ns += ms[i][0] * UINT64_C(1000000);
		s.wait_ns += ms[i][1] * UINT64_C(1000000);
		rundelay_add(&r, &s, now_us += STEP_US);
	}
	return r;
}

static void
a_vm_waits_too_much_when_it_does_in_both_windows(void **state)
{
	static const struct {
		const char *what;
		unsigned int ms[2][2];
		bool too_much;
	} cases[] = {
		{"half of the time", {{1000, 1000}, {1000, 1000}}, true},
		{"a bit over 5 %", {{1000, 53}, {1000, 53}}, true},
		{"a bit below", {{1000, 52}, {1000, 52}}, false},
		{"only before", {{1000, 1000}, {1000, 0}}, false},
		{"only now", {{1000, 0}, {1000, 1000}}, false},
		{"much of next to nothing", {{10, 39}, {10, 39}}, false},
		{"nothing at all", {{0, 0}, {0, 0}}, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rundelay r = thread(2, cases[i].ms);

		if (rundelay_is_above(&r, 1, 0.05) != cases[i].too_much)
			fail_msg("%s", cases[i].what);
	}
}

static void
one_vcpu_that_waits_much_is_not_hidden_by_the_others(void **state)
{
	static const unsigned int busy[2][2] = {{2000, 0}, {2000, 0}};
	static const unsigned int waits[2][2] = {{1400, 340}, {1400, 340}};
	static const unsigned int starves[2][2] = {{1400, 600}, {1400, 600}};
	struct rundelay r[8];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(r); i++)
		r[i] = thread(2, busy);
	r[3] = thread(2, waits);
	assert_false(rundelay_is_above(r, ARRAY_LEN(r), 0.05));
	r[3] = thread(2, starves);
	assert_true(rundelay_share(r, ARRAY_LEN(r)) < 0.05);
	assert_true(rundelay_is_above(r, ARRAY_LEN(r), 0.05));
}

static void
the_share_is_of_the_last_two_windows(void **state)
{
	static const unsigned int ms[3][2] = {{0, 2000}, {900, 100}, {700, 300}};
	struct rundelay r = thread(3, ms);

	(void)state;
	assert_float_equal(rundelay_share(&r, 1), 0.2, 1e-9);
	assert_float_equal(rundelay_busy(&r), 0.35, 1e-9);
}

static void
what_was_never_seen_twice_is_unknown(void **state)
{
	struct rundelay r = thread(0, NULL);

	(void)state;
	assert_true(rundelay_share(&r, 1) < 0);
	assert_true(rundelay_share(NULL, 0) < 0);
	assert_false(rundelay_is_above(&r, 1, 0.05));
	assert_float_equal(rundelay_busy(&r), 0, 0);
}

static void
one_window_is_not_enough_but_a_share(void **state)
{
	static const unsigned int ms[1][2] = {{1000, 1000}};
	struct rundelay r = thread(1, ms);

	(void)state;
	assert_false(rundelay_is_above(&r, 1, 0.05));
	assert_float_equal(rundelay_share(&r, 1), 0.5, 1e-9);
}

static void
a_new_thread_has_no_windows_and_hides_none(void **state)
{
	static const unsigned int ms[2][2] = {{1000, 1000}, {1000, 1000}};
	struct rundelay r[2] = {thread(2, ms), thread(0, NULL)};

	(void)state;
	assert_true(rundelay_is_above(r, 2, 0.05));
	assert_float_equal(rundelay_share(r, 2), 0.5, 1e-9);
}

static void
counters_and_clocks_that_jump_begin_anew(void **state)
{
	static const unsigned int ms[2][2] = {{1000, 1000}, {1000, 1000}};
	static const struct {
		const char *what;
		int64_t run_ms;
		int64_t wait_ms;
		int64_t span_ms;
	} cases[] = {
		{"ran backwards", -1, 1, 2000},
		{"waited backwards", 1, -1, 2000},
		{"ran longer than time passed", 9000, 0, 2000},
		{"clock went back", 1, 1, -2000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rundelay r = thread(2, ms);
		struct schedstat s = r.last;

		s.run_ns += (uint64_t)(cases[i].run_ms * 1000000);
		s.wait_ns += (uint64_t)(cases[i].wait_ms * 1000000);
		rundelay_add(&r, &s, r.at_us + (uint64_t)(cases[i].span_ms * 1000));
		if (r.n != 0 || rundelay_share(&r, 1) >= 0)
			fail_msg("%s", cases[i].what);
	}
}

/* It began before the window: what is beyond it belongs to none. */
static void
a_wait_longer_than_the_window_fills_the_window(void **state)
{
	static const unsigned int ms[2][2] = {{0, 0}, {500, 60000}};
	struct rundelay r = thread(2, ms);

	(void)state;
	assert_int_equal(r.n, 2);
	assert_float_equal(rundelay_share(&r, 1), 0.75, 1e-9);
}

static void
a_sample_too_soon_is_left_out(void **state)
{
	static const unsigned int ms[1][2] = {{1000, 1000}};
	struct rundelay r = thread(1, ms);
	struct rundelay before = r;
	struct schedstat s = r.last;

	(void)state;
	s.run_ns += 1000000;
	rundelay_add(&r, &s, r.at_us + 100 * MS);
	assert_memory_equal(&r, &before, sizeof(r));
}

static void
after_a_restart_nothing_is_known(void **state)
{
	static const unsigned int ms[2][2] = {{1000, 1000}, {1000, 1000}};
	struct rundelay r = thread(2, ms);

	(void)state;
	rundelay_restart(&r);
	assert_true(rundelay_share(&r, 1) < 0);
	rundelay_add(&r, &r.last, r.at_us + STEP_US);
	assert_int_equal(r.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vm_waits_too_much_when_it_does_in_both_windows),
		cmocka_unit_test(one_vcpu_that_waits_much_is_not_hidden_by_the_others),
		cmocka_unit_test(the_share_is_of_the_last_two_windows),
		cmocka_unit_test(what_was_never_seen_twice_is_unknown),
		cmocka_unit_test(one_window_is_not_enough_but_a_share),
		cmocka_unit_test(a_new_thread_has_no_windows_and_hides_none),
		cmocka_unit_test(counters_and_clocks_that_jump_begin_anew),
		cmocka_unit_test(a_wait_longer_than_the_window_fills_the_window),
		cmocka_unit_test(a_sample_too_soon_is_left_out),
		cmocka_unit_test(after_a_restart_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* How long is waited after failures. */
#include "config.h"

#include "qmp/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void
delays_double_up_to_the_maximum(void **state)
{
	static const uint64_t expected[] = {
		250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};

	(void)state;
	for (unsigned int i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(backoff_ms(i + 1, 250, 30000, 0), expected[i]);
	assert_int_equal(backoff_ms(UINT32_MAX, 250, 30000, 0), 30000);
	assert_int_equal(backoff_ms(0, 250, 30000, 0), 250);
}

static void
a_minimum_above_the_maximum_is_cut(void **state)
{
	(void)state;
	assert_int_equal(backoff_ms(1, 500, 100, 0), 100);
	assert_int_equal(backoff_ms(9, UINT32_MAX, UINT32_MAX, 0), UINT32_MAX);
}

static void
jitter_adds_at_most_a_quarter(void **state)
{
	uint64_t least = UINT64_MAX;
	uint64_t most = 0;

	(void)state;
	for (uint32_t random = 0; random < 10000; random++) {
		uint64_t ms = backoff_ms(3, 250, 30000, random);

		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
	}
	assert_int_equal(least, 1000);
	assert_int_equal(most, 1250);
}

static void
a_full_queue_is_tried_again_within_100_to_250_ms(void **state)
{
	uint64_t least = UINT64_MAX;
	uint64_t most = 0;

	(void)state;
	for (uint32_t random = UINT32_MAX; random > UINT32_MAX - 10000; random--) {
		uint64_t ms = backoff_queue_ms(random);

		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
	}
	assert_int_equal(least, 100);
	assert_int_equal(most, 250);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_double_up_to_the_maximum),
		cmocka_unit_test(a_minimum_above_the_maximum_is_cut),
		cmocka_unit_test(jitter_adds_at_most_a_quarter),
		cmocka_unit_test(a_full_queue_is_tried_again_within_100_to_250_ms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* From batches to a latency. */
#include "config.h"

#include "probe/estimate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/attr.h"
#include "mutate.h"

static void
without_batches_there_is_none(void **state)
{
	(void)state;
	assert_true(estimate_one_way_ns(NULL, 0, 32) == 0);
}

static void
one_way_is_half_a_round_trip(void **state)
{
	uint32_t batch = 6400;

	(void)state;
	assert_true(estimate_one_way_ns(&batch, 1, 32) == 100.0F);
}

static void
disturbed_batches_do_not_count(void **state)
{
	uint32_t batches[40];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(batches); i++)
		batches[i] = i % 4 == 0 ? 6400 + i : 10000 * (i + 1);
	assert_true(estimate_one_way_ns(batches, ARRAY_LEN(batches), 32) < 101);
}

static void
a_single_impossible_batch_does_not_count(void **state)
{
	uint32_t batches[40];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(batches); i++)
		batches[i] = 6400;
	batches[17] = 3;
	assert_true(estimate_one_way_ns(batches, ARRAY_LEN(batches), 32) == 100.0F);
}

static void
order_does_not_matter(void **state)
{
	uint32_t batches[64];
	uint64_t seed = 42;
	float before = 0;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(batches); i++)
		batches[i] = 6400 + i * 10;
	for (unsigned int turn = 0; turn < 100; turn++) {
		size_t at = mutate_random(&seed) % ARRAY_LEN(batches);
		uint32_t first = batches[0];
		float ns;

		batches[0] = batches[at];
		batches[at] = first;
		ns = estimate_one_way_ns(batches, ARRAY_LEN(batches), 32);
		assert_true(turn == 0 || ns == before);
		before = ns;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_batches_there_is_none),
		cmocka_unit_test(one_way_is_half_a_round_trip),
		cmocka_unit_test(disturbed_batches_do_not_count),
		cmocka_unit_test(a_single_impossible_batch_does_not_count),
		cmocka_unit_test(order_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

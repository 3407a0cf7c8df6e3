// SPDX-License-Identifier: MIT
/* The burst model on slots whose answers are known. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "base/attr.h"
#include "place/wait.h"

#define CPUS(n) ((int32_t)(n)*WAIT_UNIT)

static void
put(struct wait *w, const char *id, unsigned int slot, unsigned int home,
	unsigned int cpus)
{
	struct wait_need need = wait_need_of(id, CPUS(cpus));

	wait_enter(w, home, &need);
	wait_put(w, slot, &need);
}

static void
draws_follow_the_probabilities(void **state)
{
	static const double wanted[4] = {0.1, 0.2, 0.3, 0.5};

	(void)state;
	for (unsigned int p = 0; p < 4; p++) {
		double busy = 0;
		char id[16];

		for (unsigned int vm = 0; vm < 200; vm++) {
			struct wait_need need;

			(void)snprintf(id, sizeof(id), "%u", 100 + vm);
			need = wait_need_of(id, 1);
			for (unsigned int k = p * 64; k < (p + 1) * 64; k++)
				busy += wait_need_in(&need, k);
		}
		busy /= 200.0 * 64;
		if (fabs(busy - wanted[p]) > 0.02)
			fail_msg("busy %f of the draws, %f wanted", busy, wanted[p]);
	}
}

static void
draws_depend_on_the_id_only(void **state)
{
	struct wait_need a = wait_need_of("100", CPUS(4));
	struct wait_need again = wait_need_of("100", CPUS(4));
	struct wait_need other = wait_need_of("101", CPUS(4));
	struct wait_need scaled = wait_need_scaled(&a, CPUS(2));

	(void)state;
	assert_memory_equal(&a, &again, sizeof(a));
	assert_memory_not_equal(&a, &other, sizeof(a));
	for (unsigned int k = 0; k < WAIT_LANES; k++)
		assert_int_equal(wait_need_in(&scaled, k) * 2, wait_need_in(&a, k));
}

static void
nobody_waits_where_all_fit(void **state)
{
	struct wait *w = wait_new(8);
	struct wait_cost c;

	(void)state;
	put(w, "100", 0, 0, 4);
	put(w, "101", 0, 0, 4);
	wait_settle(w);
	c = wait_measure(w);
	assert_true(c.mean == 0 && c.tail == 0 && c.all_cpus == 0);
	wait_free(w);
}

/* Two VMs of 4 on 4 CPUs while 4 more idle: half the demand waits when both are busy.
 */
static void
what_a_slot_cannot_run_waits(void **state)
{
	struct wait *w = wait_new(8);
	unsigned int half = wait_add_slot(w, 0, 4);
	struct wait_need a = wait_need_of("100", CPUS(4));
	struct wait_need b = wait_need_of("101", CPUS(4));
	unsigned int both = 0;
	struct wait_cost c;

	(void)state;
	put(w, "100", half, 0, 4);
	put(w, "101", half, 0, 4);
	for (unsigned int k = 0; k < WAIT_DRAWS; k++)
		both += wait_need_in(&a, k) > 0 && wait_need_in(&b, k) > 0;
	assert_in_range(both, 5, 50);
	wait_settle(w);
	c = wait_measure(w);
	assert_true(fabs(c.mean - both * 0.5 / WAIT_DRAWS) < 1e-5);
	assert_true(fabs(c.tail - (double)both / WAIT_DRAWS) < 1e-9);
	assert_true(c.all_cpus == 4);
	assert_int_equal(wait_excess(w, half), (int64_t)both * CPUS(4));
	wait_free(w);
}

static void
what_limits_force_does_not_count(void **state)
{
	struct wait *w = wait_new(8);
	unsigned int half = wait_add_slot(w, 0, 4);
	struct wait_cost c;

	(void)state;
	put(w, "100", half, half, 4);
	put(w, "101", half, half, 4);
	wait_settle(w);
	c = wait_measure(w);
	assert_true(c.mean == 0 && c.tail == 0 && c.all_cpus == 0);
	wait_free(w);
}

/* A try must say what really comes out when the move is made. */
static void
a_try_tells_what_a_move_does(void **state)
{
	struct wait *w = wait_new(16);
	unsigned int left = wait_add_slot(w, 0, 8);
	unsigned int right = wait_add_slot(w, 0, 8);
	unsigned int leaf = wait_add_slot(w, left, 4);
	struct wait_need need = wait_need_of("107", CPUS(6));
	const unsigned int slots[4] = {0, left, right, leaf};
	char id[16];

	(void)state;
	for (unsigned int i = 0; i < 7; i++) {
		(void)snprintf(id, sizeof(id), "%u", 100 + i);
		put(w, id, slots[i % 4], 0, 3);
	}
	wait_settle(w);
	wait_enter(w, 0, &need);
	for (int from = -1; from < 4; from++) {
		int at = from < 0 ? -1 : (int)slots[from];

		if (at >= 0)
			wait_put(w, (unsigned int)at, &need);
		for (unsigned int to = 0; to < 4; to++) {
			struct wait_cost said = wait_try(w, at, slots[to], &need);
			struct wait_cost came;

			if (at >= 0)
				wait_take(w, (unsigned int)at, &need);
			wait_put(w, slots[to], &need);
			came = wait_measure(w);
			wait_take(w, slots[to], &need);
			if (at >= 0)
				wait_put(w, (unsigned int)at, &need);
			if (said.mean != came.mean || said.tail != came.tail ||
				said.all_cpus != came.all_cpus)
				fail_msg("from %d to slot %u: %f said, %f came", at,
					slots[to], said.mean, came.mean);
		}
		if (at >= 0)
			wait_take(w, (unsigned int)at, &need);
	}
	wait_free(w);
}

static void
a_wider_slot_never_waits_more(void **state)
{
	struct wait *w = wait_new(16);
	unsigned int left = wait_add_slot(w, 0, 8);
	unsigned int leaf = wait_add_slot(w, left, 4);
	struct wait_need need = wait_need_of("100", CPUS(4));
	struct wait_cost narrow;
	struct wait_cost wide;

	(void)state;
	put(w, "101", leaf, 0, 3);
	put(w, "102", left, 0, 5);
	wait_settle(w);
	wait_enter(w, 0, &need);
	narrow = wait_try(w, -1, leaf, &need);
	wide = wait_try(w, -1, left, &need);
	assert_true(wide.mean <= narrow.mean && narrow.mean > 0);
	assert_true(wait_try(w, -1, 0, &need).mean <= wide.mean);
	wait_free(w);
}

/* Two halves of 4 CPUs in a host of 16; others always use 4 and 2 of them. */
static void
what_others_always_use_takes_room_and_never_waits(void **state)
{
	static const struct {
		unsigned int cpus; /* wanted in the left half */
		double waits;
	} cases[] = {{0, 0}, {2, 2}, {4, 4}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct wait *w = wait_new(16);
		unsigned int left = wait_add_slot(w, 0, 4);
		unsigned int right = wait_add_slot(w, 0, 4);
		struct wait_cost cost;

		wait_enter_always(w, left, CPUS(4));
		wait_enter_always(w, right, CPUS(2));
		put(w, "101", left, 0, cases[i].cpus);
		put(w, "102", right, 0, 2);
		wait_settle(w);
		cost = wait_measure(w);
		assert_true(fabs(cost.all_cpus - cases[i].waits) < 1e-9);
		assert_true((cost.mean > 0) == (cases[i].waits > 0));
		wait_free(w);
	}
}

static void
a_part_has_less_room_where_others_are(void **state)
{
	struct wait *w = wait_new(16);
	unsigned int left = wait_add_slot(w, 0, 8);
	unsigned int part = wait_add_part(w, left, 4);

	(void)state;
	wait_enter_always(w, left, CPUS(4));
	put(w, "101", part, 0, 4);
	wait_settle(w);
	/* half of what others leave */
	assert_true(fabs(wait_measure(w).all_cpus - 2) < 1e-9);
	wait_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(draws_follow_the_probabilities),
		cmocka_unit_test(draws_depend_on_the_id_only),
		cmocka_unit_test(nobody_waits_where_all_fit),
		cmocka_unit_test(what_a_slot_cannot_run_waits),
		cmocka_unit_test(what_limits_force_does_not_count),
		cmocka_unit_test(a_try_tells_what_a_move_does),
		cmocka_unit_test(a_wider_slot_never_waits_more),
		cmocka_unit_test(what_others_always_use_takes_room_and_never_waits),
		cmocka_unit_test(a_part_has_less_room_where_others_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

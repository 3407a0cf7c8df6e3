// SPDX-License-Identifier: MIT
/* When a VM is given up to somebody who keeps changing its masks, and for how long. */
#include "config.h"

#include "daemon/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/attr.h"

#define S UINT64_C(1000000)
#define MIN (60 * S)
#define HOUR (60 * MIN)
#define BEGIN (1234 * S)

/* Repairs every so often until it gives way; 0: not within a week. */
static unsigned int
repairs_until_peace(struct patience *p, uint64_t *now_us, uint64_t every_us)
{
	uint64_t end_us = *now_us + 7 * 24 * HOUR;

	for (unsigned int n = 1; *now_us < end_us; n++) {
		if (patience_spend(p, *now_us) > 0)
			return n;
		*now_us += every_us;
	}
	return 0;
}

static void
the_quicker_he_comes_the_sooner_he_is_given_way_to(void **state)
{
	static const struct {
		uint64_t every_us;
		unsigned int repairs;
	} cases[] = {
		{0, 30},
		{2 * S, 30},
		{15 * S, 30},
		{MIN, 33},
		{5 * MIN, 58},
		{10 * MIN, 0},
		{HOUR, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct patience p = {.used = 0};
		uint64_t now_us = BEGIN;
		unsigned int n = repairs_until_peace(&p, &now_us, cases[i].every_us);

		if (n != cases[i].repairs)
			fail_msg("case %zu: %u repairs", i, n);
	}
}

static void
what_was_spent_is_counted_since_the_budget_was_full(void **state)
{
	struct patience p = {.used = 0};

	(void)state;
	assert_int_equal(patience_spend(&p, BEGIN), 0);
	assert_int_equal(patience_spend(&p, BEGIN + HOUR), 0);
	assert_int_equal(p.spent, 1);
	assert_int_equal(p.began_us, BEGIN + HOUR);
	assert_int_equal(patience_spend(&p, BEGIN + HOUR + MIN), 0);
	assert_int_equal(p.spent, 2);
	assert_int_equal(p.began_us, BEGIN + HOUR);
}

static void
each_peace_is_twice_as_long_as_the_last_until_he_has_rested(void **state)
{
	static const unsigned int minutes[] = {10, 20, 40, 80, 160, 320, 480, 480};
	struct patience p = {.used = 0};
	uint64_t now_us = BEGIN;

	(void)state;
	assert_int_equal(repairs_until_peace(&p, &now_us, 2 * S), 30);
	for (size_t i = 0; i < ARRAY_LEN(minutes); i++) {
		assert_int_equal(p.peace_us, minutes[i] * MIN);
		now_us += p.peace_us;
		patience_try(&p, now_us);
		/* one puts it right, the second shows that he is still there */
		assert_int_equal(repairs_until_peace(&p, &now_us, 2 * S), 2);
	}
	now_us += p.peace_us;
	patience_try(&p, now_us);
	assert_int_equal(patience_spend(&p, now_us), 0);
	now_us += 3 * HOUR;
	assert_in_range(repairs_until_peace(&p, &now_us, 2 * S), 15, 30);
	assert_int_equal(p.peace_us, 10 * MIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_quicker_he_comes_the_sooner_he_is_given_way_to),
		cmocka_unit_test(what_was_spent_is_counted_since_the_budget_was_full),
		cmocka_unit_test(
			each_peace_is_twice_as_long_as_the_last_until_he_has_rested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Budgets: the first burst, the rate after it, and what can be saved up. */
#include "config.h"

#include "base/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define S UINT64_C(1000000)

/* How many of @tries at one time are granted. */
static unsigned int
take(struct budget *b, uint64_t now_us, unsigned int tries)
{
	unsigned int n = 0;

	while (tries-- > 0)
		n += budget_take(b, now_us, 4, 0.5);
	return n;
}

static void
a_new_budget_is_full(void **state)
{
	struct budget b = {0};

	(void)state;
	assert_int_equal(take(&b, 7 * S, 3), 3);
	assert_false(budget_is_spent(&b));
	assert_int_equal(take(&b, 7 * S, 3), 1);
	assert_true(budget_is_spent(&b));
}

static void
a_spent_budget_grants_what_the_rate_gives(void **state)
{
	struct budget b = {0};
	unsigned int n = 0;

	(void)state;
	(void)take(&b, S, 9);
	for (uint64_t s = 2; s <= 101; s++)
		n += take(&b, s * S, 2);
	assert_int_equal(n, 50);
}

static void
it_is_known_when_there_is_one_again(void **state)
{
	struct budget b = {0};

	(void)state;
	assert_int_equal(budget_next_us(&b, 0.5), 0);
	(void)take(&b, S, 3);
	assert_int_equal(budget_next_us(&b, 0.5), 0);
	(void)take(&b, S, 1);
	assert_int_equal(budget_next_us(&b, 0.5), 3 * S);
	assert_int_equal(take(&b, 2 * S, 1), 0);
	assert_int_equal(budget_next_us(&b, 0.5), 3 * S);
	assert_int_equal(take(&b, 3 * S, 2), 1);
	assert_int_equal(budget_next_us(&b, 0.5), 5 * S);
}

static void
no_more_is_saved_than_there_was_at_first(void **state)
{
	struct budget b = {0};

	(void)state;
	(void)take(&b, S, 9);
	assert_int_equal(take(&b, 3600 * S, 9), 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_budget_is_full),
		cmocka_unit_test(a_spent_budget_grants_what_the_rate_gives),
		cmocka_unit_test(it_is_known_when_there_is_one_again),
		cmocka_unit_test(no_more_is_saved_than_there_was_at_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

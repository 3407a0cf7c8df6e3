// SPDX-License-Identifier: MIT
/*
 * Random hosts through random events; what must hold is in invariants.h and trials.h.
 * Each seed is one host. A failure prints its seed: QMPIN_SEED=N runs and shows that
 * one alone; QMPIN_CASES=N goes on until so many events were planned ("make
 * check-random CASES=N"), from seed QMPIN_FIRST on; both print how often each rule was
 * looked at.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "cases.h"
#include "trials.h"

#define CASES 2000u
#define EVENTS 5u
/* Failures that are shown before it is enough. */
#define BROKEN_MAX 40u

static void
print_counts(const struct trials *t)
{
	print_message("%lu events, %lu plans, %lu VMs rebalanced\n", t->events,
		t->plans, t->rebalanced);
	for (unsigned int i = 0; i < N_INVARIANTS; i++)
		print_message("%10lu  %s\n", t->inv.checked[i],
			invariant_name((enum invariant)i));
	for (unsigned int m = 0; m < PLACE_N_MODES; m++)
		print_message("%10lu  planned, %lu not: mode %s\n", t->inv.planned[m],
			t->inv.left[m], place_mode_name((enum place_mode)m));
	print_message(
		"rebalance among VMs with rules: %lu rounds, %lu worse, at most %.1f %%\n",
		t->limited, t->limited_worse, 100 * t->limited_max);
	if (t->renumbered > 0)
		print_message(
			"other CPU numbers: %lu of %lu starts come to another objective, "
			"mean difference of all %.2f %%, largest %.0f %%\n",
			t->renumbered_differ, t->renumbered,
			100 * t->renumbered_sum / (double)t->renumbered,
			100 * t->renumbered_max);
}

static void
all_rules_hold_whatever_happens(void **state)
{
	unsigned long only = cases_number("QMPIN_SEED", 0);
	unsigned long cases = cases_of(CASES);
	unsigned long first = only > 0 ? only : cases_number("QMPIN_FIRST", 1);
	unsigned long broken = 0;
	struct trials t = {.show = only > 0 ? stderr : NULL};

	(void)state;
	for (unsigned long seed = first; t.events < cases; seed++) {
		struct chance c = chance_of_seed(seed);

		trials_run(&t, &c, EVENTS);
		if (t.inv.broken) {
			print_message("%s (QMPIN_SEED=%lu)\n", t.inv.text, seed);
			t.inv.broken = false;
			broken++;
		}
		if (broken >= BROKEN_MAX)
			break;
		if (only > 0)
			break;
	}
	print_counts(&t);
	if (broken > 0)
		fail_msg("%lu of the hosts", broken);
}

/* Bytes of a fuzzer are such a source as well; used up, they still make a host. */
static void
all_rules_hold_for_bytes_too(void **state)
{
	static const uint8_t bytes[8] = {3, 1, 4, 1, 5, 9, 2, 6};
	struct trials t = {0};

	(void)state;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		struct chance c = chance_of_bytes(bytes, n);

		trials_run(&t, &c, EVENTS);
		if (t.inv.broken)
			fail_msg("%zu bytes: %s", n, t.inv.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_rules_hold_whatever_happens),
		cmocka_unit_test(all_rules_hold_for_bytes_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

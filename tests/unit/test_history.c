// SPDX-License-Identifier: MIT
/* The last decisions about a VM: in order, few, their own copies. */
#include "config.h"

#include "daemon/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void
the_last_ones_are_kept_the_oldest_first(void **state)
{
	struct history h = {.n = 0};
	char text[16];

	(void)state;
	for (unsigned int i = 1; i <= 3 * HISTORY_MAX + 1; i++) {
		unsigned int first = i > HISTORY_MAX ? i - HISTORY_MAX + 1 : 1;

		(void)snprintf(text, sizeof(text), "decision %u", i);
		history_add(&h, i, i % 2 != 0 ? CAUSE_RESUME : CAUSE_RELOAD, text);
		assert_int_equal(h.n, i < HISTORY_MAX ? i : HISTORY_MAX);
		assert_int_equal(history_at(&h, 0)->time_us, first);
		assert_int_equal(history_at(&h, h.n - 1)->time_us, i);
		assert_string_equal(history_at(&h, h.n - 1)->text, text);
		assert_int_equal(history_at(&h, h.n - 1)->cause,
			i % 2 != 0 ? CAUSE_RESUME : CAUSE_RELOAD);
	}
	history_clear(&h);
	assert_int_equal(h.n, 0);
	history_clear(&h);
}

static void
repairs_push_out_few_decisions(void **state)
{
	struct history h = {.n = 0};
	char text[16];

	(void)state;
	history_add(&h, 1, CAUSE_APPEARED, "here");
	for (unsigned int i = 2; i < 20; i++) {
		(void)snprintf(text, sizeof(text), "repair %u", i);
		history_add_repair(&h, i, CAUSE_DRIFT, text);
	}
	history_add(&h, 20, CAUSE_HOTPLUG, "there");
	assert_int_equal(h.n, 2 + HISTORY_REPAIRS_MAX);
	assert_string_equal(history_at(&h, 0)->text, "here");
	assert_string_equal(history_at(&h, 1)->text, "repair 18");
	assert_string_equal(history_at(&h, 2)->text, "repair 19");
	assert_string_equal(history_at(&h, 3)->text, "there");
	history_clear(&h);
}

static void
the_same_repair_is_kept_once_as_the_last(void **state)
{
	struct history h = {.n = 0};

	(void)state;
	/* also when it is the oldest of all that there is room for */
	history_add_repair(&h, 1, CAUSE_DRIFT, "taskset");
	for (unsigned int i = 2; i <= HISTORY_MAX; i++)
		history_add(&h, i, CAUSE_RELOAD, "decision");
	history_add(&h, 9, CAUSE_RELOAD, "decision"); /* the ring has turned */
	history_add_repair(&h, 10, CAUSE_DRIFT, "taskset");
	history_add(&h, 11, CAUSE_RELOAD, "decision");
	history_add_repair(&h, 12, CAUSE_DRIFT, "taskset");
	assert_int_equal(h.n, HISTORY_MAX);
	for (unsigned int i = 0; i + 1 < HISTORY_MAX; i++)
		assert_int_equal(history_at(&h, i)->cause, CAUSE_RELOAD);
	assert_int_equal(history_at(&h, h.n - 1)->time_us, 12);
	assert_string_equal(history_at(&h, h.n - 1)->text, "taskset");
	history_clear(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_ones_are_kept_the_oldest_first),
		cmocka_unit_test(repairs_push_out_few_decisions),
		cmocka_unit_test(the_same_repair_is_kept_once_as_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_ones_are_kept_the_oldest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Causes: names, what they need, which events bring them. */
#include "config.h"

#include "daemon/cause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
every_cause_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int a = 0; a < CAUSE_N; a++) {
		assert_non_null(cause_name((enum cause)a));
		for (int b = 0; b < a; b++)
			assert_string_not_equal(
				cause_name((enum cause)a), cause_name((enum cause)b));
	}
}

static void
events_that_change_threads_have_a_cause_and_others_none(void **state)
{
	(void)state;
	assert_int_equal(cause_of_event(QMP_EVENT_RESUME), CAUSE_RESUME);
	assert_int_equal(cause_of_event(QMP_EVENT_ACPI_DEVICE_OST), CAUSE_HOTPLUG);
	assert_int_equal(cause_of_event(QMP_EVENT_DEVICE_DELETED), CAUSE_UNPLUG);
	assert_int_equal(cause_of_event(QMP_EVENT_OTHER), -1);
}

static void
what_a_guest_can_do_at_will_is_marked(void **state)
{
	(void)state;
	assert_true(cause_by_guest(CAUSE_HOTPLUG));
	assert_true(cause_by_guest(CAUSE_RESET));
	assert_true(cause_by_guest(CAUSE_RESUME));
	assert_false(cause_by_guest(CAUSE_DRIFT));
	assert_false(cause_by_guest(CAUSE_APPEARED));
}

static void
drift_is_repaired_without_asking_qmp_but_a_new_thread_is_not(void **state)
{
	(void)state;
	assert_false(cause_needs_facts(cause_bit(CAUSE_DRIFT)));
	assert_false(
		cause_needs_facts(cause_bit(CAUSE_DRIFT) | cause_bit(CAUSE_RELOAD)));
	assert_true(
		cause_needs_facts(cause_bit(CAUSE_DRIFT) | cause_bit(CAUSE_THREADS)));
}

static void
a_set_is_told_by_its_first_cause(void **state)
{
	(void)state;
	assert_int_equal(cause_first(cause_bit(CAUSE_DRIFT)), CAUSE_DRIFT);
	assert_int_equal(cause_first(cause_bit(CAUSE_DRIFT) | cause_bit(CAUSE_RESUME)),
		CAUSE_RESUME);
}

static void
that_the_monitor_was_used_tells_less_than_any_other_cause(void **state)
{
	(void)state;
	assert_true(cause_needs_facts(cause_bit(CAUSE_USED)));
	assert_false(cause_by_guest(CAUSE_USED));
	for (int c = 0; c < CAUSE_N; c++)
		assert_int_equal(
			cause_first(cause_bit(CAUSE_USED) | cause_bit((enum cause)c)),
			c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cause_has_a_name_of_its_own),
		cmocka_unit_test(
			events_that_change_threads_have_a_cause_and_others_none),
		cmocka_unit_test(what_a_guest_can_do_at_will_is_marked),
		cmocka_unit_test(
			drift_is_repaired_without_asking_qmp_but_a_new_thread_is_not),
		cmocka_unit_test(a_set_is_told_by_its_first_cause),
		cmocka_unit_test(
			that_the_monitor_was_used_tells_less_than_any_other_cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * A thread that lost its CPU during a burst has measured nothing. Real visits; the
 * linker lets the test say what the meter hears of switches (--wrap).
 */
#include "config.h"

#include "probe/meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "probe/grip.h"

#define VISITS 20

uint64_t __real_grip_switches(void);
uint64_t __wrap_grip_switches(void);

/* On which of two CPUs one more switch is heard of each time; both threads ask. */
static atomic_uint preempted_cpus;
static atomic_uint cpus_of_pair[2];
static _Thread_local uint64_t heard;

#define ON_FIRST 1u
#define ON_SECOND 2u

uint64_t
__wrap_grip_switches(void)
{
	unsigned int cpu = (unsigned int)sched_getcpu();
	unsigned int where = atomic_load(&preempted_cpus);

	for (unsigned int i = 0; i < 2; i++) {
		if ((where & 1u << i) != 0 && atomic_load(&cpus_of_pair[i]) == cpu)
			heard++;
	}
	return __real_grip_switches() + heard;
}

struct fixture {
	struct meter *meter;
	struct cpuset allowed;
	unsigned int a;
	unsigned int b;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	assert_int_equal(grip_allowed(0, &f->allowed), 0);
	f->a = cpuset_next(&f->allowed, 0);
	f->b = cpuset_next(&f->allowed, f->a + 1);
	atomic_store(&preempted_cpus, 0);
	atomic_store(&cpus_of_pair[0], f->a);
	atomic_store(&cpus_of_pair[1], f->b);
	assert_int_equal(meter_new(&f->meter, NULL), 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	meter_free(f->meter);
	free(f);
	return 0;
}

static void
need_two_cpus(const struct fixture *f)
{
	if (f->b < CPUSET_CAP)
		return;
	print_message("skipped: one CPU only\n");
	skip();
}

/* The machine may be busy with other tests: a good one among many. */
static bool
measures(struct fixture *f)
{
	struct meter_visit v;

	for (unsigned int i = 0; i < 1000; i++) {
		meter_visit(f->meter, f->a, f->b, &v);
		if (v.outcome == METER_OK)
			return v.ns > 0 && v.dropped < v.bursts;
	}
	return false;
}

static void
undisturbed_bursts_are_counted(void **state)
{
	struct fixture *f = *state;

	need_two_cpus(f);
	assert_true(measures(f));
}

static void
bursts_in_which_a_thread_was_preempted_are_dropped(void **state)
{
	static const unsigned int where[] = {ON_FIRST, ON_SECOND, ON_FIRST | ON_SECOND};
	struct fixture *f = *state;
	struct meter_visit v;

	need_two_cpus(f);
	for (size_t i = 0; i < ARRAY_LEN(where); i++) {
		atomic_store(&preempted_cpus, where[i]);
		for (unsigned int n = 0; n < VISITS; n++) {
			meter_visit(f->meter, f->a, f->b, &v);
			if (v.outcome != METER_DISTURBED || v.dropped != v.bursts ||
				v.bursts == 0 || v.ns > 0)
				fail_msg("case %zu: %u of %u dropped, %.1f ns", i,
					v.dropped, v.bursts, (double)v.ns);
		}
		/* not for another reason */
		atomic_store(&preempted_cpus, 0);
		assert_true(measures(f));
	}
}

#define WITH_METER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_METER(undisturbed_bursts_are_counted),
		WITH_METER(bursts_in_which_a_thread_was_preempted_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

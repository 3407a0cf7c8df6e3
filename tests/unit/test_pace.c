// SPDX-License-Identifier: MIT
/* The share of their time that CPUs give to measuring, in virtual time. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/xalloc.h"
#include "probe/pace.h"

#define SECOND 1000000u
#define TEN_MINUTES (600ull * SECOND)

static uint64_t
next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

/* What one CPU gave and when, until @end. Works whenever it may. */
struct work {
	size_t n;
	uint64_t at[200000];
	uint64_t us[200000];
};

static void
work_until(struct pace *p, unsigned int cpu, uint64_t end, uint64_t least,
	uint64_t most, struct work *w)
{
	uint64_t now = 0;
	uint64_t seed = 5;

	while (now < end) {
		struct cpuset resting = pace_resting(p, now);

		if (cpuset_has(&resting, cpu)) {
			uint64_t next = pace_next_us(p, now);

			assert_true(next > now);
			now = next;
			continue;
		}
		assert_true(w->n < sizeof(w->at) / sizeof(w->at[0]));
		w->at[w->n] = now;
		w->us[w->n] = least + next_random(&seed) % (most - least + 1);
		now += w->us[w->n];
		pace_spend(p, cpu, w->us[w->n], now);
		w->n++;
	}
}

/* Every window that begins with one visit and ends with another. */
static void
check_windows(const struct work *w, double share, double saved)
{
	for (size_t i = 0; i < w->n; i++) {
		double sum = 0;

		for (size_t k = i; k < w->n && k < i + 300; k++) {
			double window = (double)(w->at[k] + w->us[k] - w->at[i]);

			sum += (double)w->us[k];
			if (sum > share * window + saved)
				fail_msg("visits %zu to %zu: %.0f us in %.0f", i, k,
					sum, window);
		}
	}
}

static void
nobody_rests_at_first(void **state)
{
	struct cpuset cpus = cpuset_below(4);
	struct pace *p = pace_new(&cpus, 3, 77);
	struct cpuset resting = pace_resting(p, 77);

	(void)state;
	assert_true(cpuset_empty(&resting));
	assert_true(pace_next_us(p, 77) == UINT64_MAX);
	pace_free(p);
}

static void
no_window_has_more_than_the_share_and_what_was_saved(void **state)
{
	struct cpuset cpus = cpuset_below(2);
	static const double cold_s[] = {0, 3, 600};

	(void)state;
	for (size_t i = 0; i < sizeof(cold_s) / sizeof(cold_s[0]); i++) {
		struct pace *p = pace_new(&cpus, cold_s[i], 0);
		struct work *w = xcalloc(1, sizeof(*w));

		work_until(p, 1, 120 * SECOND, 1500, 1500, w);
		assert_true((double)w->n >= 120 * 1000 * PACE_LATER_SHARE / 1.5);
		check_windows(w, cold_s[i] > 0 ? PACE_COLD_SHARE : PACE_LATER_SHARE,
			PACE_SAVED_US);
		free(w);
		pace_free(p);
	}
}

static void
a_visit_longer_than_expected_is_paid_back(void **state)
{
	struct cpuset cpus = cpuset_below(2);
	struct pace *p = pace_new(&cpus, 600, 0);
	struct work *w = xcalloc(1, sizeof(*w));

	(void)state;
	work_until(p, 0, 120 * SECOND, 200, 12000, w);
	check_windows(w, PACE_COLD_SHARE, PACE_SAVED_US + 12000);
	free(w);
	pace_free(p);
}

static void
the_whole_share_can_be_used(void **state)
{
	struct cpuset cpus = cpuset_below(1);
	struct pace *p = pace_new(&cpus, 600, 0);
	struct work *w = xcalloc(1, sizeof(*w));
	double sum = 0;

	(void)state;
	work_until(p, 0, 100 * SECOND, 1000, 2000, w);
	for (size_t i = 0; i < w->n; i++)
		sum += (double)w->us[i];
	assert_true(sum >= 0.99 * PACE_COLD_SHARE * 100 * SECOND);
	free(w);
	pace_free(p);
}

static void
the_host_gives_at_most_one_percent_of_ten_minutes(void **state)
{
	enum { CPUS = 16 };
	struct cpuset cpus = cpuset_below(CPUS);
	struct pace *p = pace_new(&cpus, 600, 0);
	struct work *w = xcalloc(1, sizeof(*w));
	double sum = 0;

	(void)state;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		w->n = 0;
		work_until(p, cpu, TEN_MINUTES, 500, 1500, w);
		for (size_t i = 0; i < w->n; i++)
			sum += (double)w->us[i];
	}
	assert_true(sum <= CPUS * (0.01 * TEN_MINUTES + PACE_SAVED_US));
	assert_true(sum >= CPUS * 0.0099 * TEN_MINUTES);
	free(w);
	pace_free(p);
}

static void
only_the_cpu_that_worked_rests(void **state)
{
	struct cpuset cpus = cpuset_below(3);
	struct pace *p = pace_new(&cpus, 3, 0);
	struct cpuset one = cpuset_of(1);
	struct cpuset resting;
	uint64_t next;

	(void)state;
	pace_spend(p, 1, 3 * (uint64_t)PACE_SAVED_US, 0);
	resting = pace_resting(p, 0);
	assert_true(cpuset_equal(&resting, &one));
	next = pace_next_us(p, 0);
	resting = pace_resting(p, next - 3);
	assert_true(cpuset_equal(&resting, &one));
	resting = pace_resting(p, next);
	assert_true(cpuset_empty(&resting));
	pace_free(p);
}

static void
the_share_is_smaller_after_the_cold_start(void **state)
{
	struct cpuset cpus = cpuset_below(1);
	struct pace *p = pace_new(&cpus, 1, 0);
	uint64_t rest;

	(void)state;
	pace_spend(p, 0, (uint64_t)PACE_SAVED_US, 0);
	rest = pace_next_us(p, 0);
	assert_in_range(rest, 399000, 401000);
	/* 6000 us to be paid off in the second left, and 9 more than that one pays */
	pace_spend(p, 0, 15000, 0);
	rest = pace_next_us(p, 0);
	assert_in_range(rest, SECOND + 8999000, SECOND + 9001000);
	pace_free(p);
}

static void
time_that_stands_still_or_goes_back_earns_nothing(void **state)
{
	struct cpuset cpus = cpuset_below(1);
	struct pace *p = pace_new(&cpus, 3, 5000);
	struct cpuset resting;

	(void)state;
	pace_spend(p, 0, 9000, 5000);
	resting = pace_resting(p, 5000);
	assert_int_equal(cpuset_count(&resting), 1);
	resting = pace_resting(p, 0);
	assert_int_equal(cpuset_count(&resting), 1);
	pace_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_rests_at_first),
		cmocka_unit_test(no_window_has_more_than_the_share_and_what_was_saved),
		cmocka_unit_test(a_visit_longer_than_expected_is_paid_back),
		cmocka_unit_test(the_whole_share_can_be_used),
		cmocka_unit_test(the_host_gives_at_most_one_percent_of_ten_minutes),
		cmocka_unit_test(only_the_cpu_that_worked_rests),
		cmocka_unit_test(the_share_is_smaller_after_the_cold_start),
		cmocka_unit_test(time_that_stands_still_or_goes_back_earns_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

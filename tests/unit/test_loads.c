// SPDX-License-Identifier: MIT
/* CPU use from counters: smoothed, laid on CPUs, and told only when it matters. */
#include "config.h"

#include "daemon/loads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#define SECOND_US UINT64_C(1000000)
#define ROUND_US (10 * SECOND_US)
#define CLOSE 1e-9

struct fixture {
	struct loads loads;
	uint64_t now_us;
	struct cpuset all; /* 0-7 */
	double cpus[CPUSET_CAP];
};

static bool
is_near(double a, double b)
{
	return a - b < CLOSE && b - a < CLOSE;
}

static int
set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){.now_us = SECOND_US, .all = cpuset_below(8)};
	*state = &f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	loads_fini(&f->loads);
	return 0;
}

/* A round with one group, which has used so many seconds until now. */
static void
round_of(struct fixture *f, const char *path, double used_s, unsigned int flags)
{
	const struct loads_sample s = {path, &f->all, (uint64_t)(used_s * 1e6), flags};

	loads_begin(&f->loads);
	loads_add(&f->loads, f->now_us, &s);
	loads_end(&f->loads);
	f->now_us += ROUND_US;
}

static void
what_was_there_first_is_believed_at_once(void **state)
{
	struct fixture *f = *state;

	round_of(f, "/a", 1000, LOADS_COUNTS);
	assert_true(is_near(loads_of(&f->loads, "/a"), -1));
	round_of(f, "/a", 1020, LOADS_COUNTS);
	assert_true(is_near(loads_of(&f->loads, "/a"), 2));
	loads_lay(&f->loads, &f->all, f->cpus);
	assert_true(is_near(f->cpus[0], 0.25));
	assert_true(is_near(f->cpus[8], 0));
	assert_true(is_near(loads_sum(f->cpus), 2));
}

static void
a_burst_counts_little_and_what_lasts_counts_in_the_end(void **state)
{
	struct fixture *f = *state;
	double used = 0;

	round_of(f, "/a", used, LOADS_COUNTS);
	round_of(f, "/a", used, LOADS_COUNTS);
	round_of(f, "/a", used += 40, LOADS_COUNTS);
	assert_true(loads_of(&f->loads, "/a") > 0.4);
	assert_true(loads_of(&f->loads, "/a") < 0.7);
	for (unsigned int i = 0; i < 60; i++)
		round_of(f, "/a", used += 40, LOADS_COUNTS);
	assert_float_equal(loads_of(&f->loads, "/a"), 4, 0.01);
}

static void
a_newcomer_has_to_last(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 3; i++)
		round_of(f, "/a", 0, LOADS_COUNTS);
	round_of(f, "/b", 0, LOADS_COUNTS);
	round_of(f, "/b", 40, LOADS_COUNTS);
	assert_true(loads_of(&f->loads, "/b") < 0.7);
	assert_true(is_near(loads_of(&f->loads, "/a"), -1)); /* forgotten */
}

static void
a_counter_that_goes_back_says_nothing(void **state)
{
	struct fixture *f = *state;

	round_of(f, "/a", 100, LOADS_COUNTS);
	round_of(f, "/a", 110, LOADS_COUNTS);
	round_of(f, "/a", 5, LOADS_COUNTS);
	assert_true(is_near(loads_of(&f->loads, "/a"), 1));
	round_of(f, "/a", 15, LOADS_COUNTS);
	assert_true(is_near(loads_of(&f->loads, "/a"), 1));
}

static void
what_the_parts_do_not_explain_is_the_kernels(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 2; i++) {
		const struct loads_sample samples[] = {
			{"/qemu.slice", &f->all, i * 40 * SECOND_US, LOADS_PART},
			{"/", &f->all, i * 60 * SECOND_US,
				LOADS_MACHINE | LOADS_COUNTS},
			{"/system.slice", &f->all, i * 10 * SECOND_US,
				LOADS_PART | LOADS_COUNTS},
		};

		loads_begin(&f->loads);
		for (unsigned int k = 0; k < 3; k++)
			loads_add(&f->loads, f->now_us, &samples[k]);
		loads_end(&f->loads);
		f->now_us += ROUND_US;
	}
	assert_true(is_near(loads_of(&f->loads, "/"), 1));
	loads_lay(&f->loads, &f->all, f->cpus);
	assert_true(is_near(loads_sum(f->cpus), 2));
}

static void
more_in_the_parts_than_in_all_is_nothing(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 2; i++) {
		const struct loads_sample samples[] = {
			{"/", &f->all, i * 39 * SECOND_US,
				LOADS_MACHINE | LOADS_COUNTS},
			{"/qemu.slice", &f->all, i * 40 * SECOND_US, LOADS_PART},
		};

		loads_begin(&f->loads);
		loads_add(&f->loads, f->now_us, &samples[0]);
		loads_add(&f->loads, f->now_us, &samples[1]);
		loads_end(&f->loads);
		f->now_us += ROUND_US;
	}
	assert_true(is_near(loads_of(&f->loads, "/"), 0));
}

static void
a_group_is_laid_where_the_kernel_may_put_it(void **state)
{
	struct fixture *f = *state;
	struct cpuset may = cpuset_below(4);
	struct cpuset other = cpuset_of(100);

	round_of(f, "/a", 0, LOADS_COUNTS);
	round_of(f, "/a", 20, LOADS_COUNTS);
	loads_lay(&f->loads, &may, f->cpus);
	assert_true(is_near(f->cpus[3], 0.5));
	assert_true(is_near(f->cpus[4], 0));
	loads_lay(&f->loads, &other, f->cpus); /* none of its CPUs: then all */
	assert_true(is_near(f->cpus[4], 0.25));
	assert_true(is_near(f->cpus[100], 0));
}

static void
no_cpu_is_more_than_full(void **state)
{
	struct fixture *f = *state;

	round_of(f, "/a", 0, LOADS_COUNTS);
	round_of(f, "/a", 200, LOADS_COUNTS);
	loads_lay(&f->loads, &f->all, f->cpus);
	assert_true(is_near(f->cpus[7], 1));
}

static void
only_what_matters_is_news(void **state)
{
	struct fixture *f = *state;
	static double shown[CPUSET_CAP];

	memset(shown, 0, sizeof(shown));
	memset(f->cpus, 0, sizeof(f->cpus));
	f->cpus[3] = 0.09;
	assert_false(loads_is_news(shown, f->cpus));
	f->cpus[3] = 0.11;
	assert_true(loads_is_news(shown, f->cpus));
	f->cpus[3] = 0;
	for (unsigned int cpu = 0; cpu < 64; cpu++)
		f->cpus[cpu] = 0.007; /* 0.448 CPUs in all */
	assert_false(loads_is_news(shown, f->cpus));
	for (unsigned int cpu = 0; cpu < 64; cpu++)
		f->cpus[cpu] = 0.009;
	assert_true(loads_is_news(shown, f->cpus));
	for (unsigned int cpu = 0; cpu < 64; cpu++) {
		shown[cpu] = 0.5;
		f->cpus[cpu] = 0.54; /* 2.6 CPUs of 32 are less than a tenth */
	}
	assert_false(loads_is_news(shown, f->cpus));
	for (unsigned int cpu = 0; cpu < 64; cpu++)
		f->cpus[cpu] = 0.56;
	assert_true(loads_is_news(shown, f->cpus));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_there_first_is_believed_at_once),
		TEST(a_burst_counts_little_and_what_lasts_counts_in_the_end),
		TEST(a_newcomer_has_to_last),
		TEST(a_counter_that_goes_back_says_nothing),
		TEST(what_the_parts_do_not_explain_is_the_kernels),
		TEST(more_in_the_parts_than_in_all_is_nothing),
		TEST(a_group_is_laid_where_the_kernel_may_put_it),
		TEST(no_cpu_is_more_than_full),
		TEST(only_what_matters_is_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

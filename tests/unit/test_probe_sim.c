// SPDX-License-Identifier: MIT
/* How good the ranking of a simulated host is after some seconds of measuring. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probe_sim.h"

/* 2 x 12 L3 groups x 8 cores x 2 threads: an EPYC 9654 twice. */
static const struct layout big = {2, 1, 12, 8, 2, 0, 0};

/* What is lost at the most by ranking with what is known after @seconds. */
static void
check(const struct layout *l, struct sim_options o, double seconds, double loss)
{
	const double looks[] = {seconds};

	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct sim_host h = sim_chiplet("chiplets", l, 0.06, 0.01, seed);
		struct sim_result r;

		o.visit_us = 1500;
		o.until_s = seconds;
		o.seed = seed;
		o.noise = sim_noise_usual;
		o.looks = looks;
		o.n_looks = 1;
		sim_run(&h, &o, &r);
		for (unsigned int k = 0; k < 3; k++)
			if (r.looks[0].loss[k] > loss)
				fail_msg("seed %u, nearest %u: %.3f lost",
					(unsigned int)seed, 4u << k,
					r.looks[0].loss[k]);
		sim_host_fini(&h);
	}
}

static void
three_seconds_give_a_ranking_within_three_percent(void **state)
{
	const struct sim_options o = {.jobs = 1, .cold_s = -1};

	(void)state;
	check(&big, o, 3, 0.03);
}

static void
so_do_three_seconds_at_one_percent_of_each_cpu(void **state)
{
	const struct sim_options o = {.jobs = 24, .cold_s = 3};

	(void)state;
	check(&big, o, 3, 0.03);
}

static void
no_cpu_gives_more_than_its_share(void **state)
{
	static const struct layout small = {1, 1, 4, 4, 2, 0, 0};
	struct sim_host h = sim_chiplet("chiplets", &small, 0.06, 0.01, 1);
	const struct sim_options o = {
		.visit_us = 1500,
		.jobs = 4,
		.cold_s = 1e6,
		.seed = 1,
		.noise = sim_noise_usual,
	};
	struct sim_result r;

	(void)state;
	sim_run(&h, &o, &r);
	assert_true(r.total_s > 1);
	/* 1 %, and what each had saved up */
	assert_true(r.cpu_share <= 0.01 + 4000 / (r.total_s * 1e6));
	sim_host_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_seconds_give_a_ranking_within_three_percent),
		cmocka_unit_test(so_do_three_seconds_at_one_percent_of_each_cpu),
		cmocka_unit_test(no_cpu_gives_more_than_its_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Names, sums and shares of the objective. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "base/attr.h"
#include "place/objective.h"

static void
every_term_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int t = 0; t < (int)N_TERMS; t++) {
		assert_non_null(term_name((enum term)t));
		for (int other = 0; other < t; other++)
			assert_string_not_equal(
				term_name((enum term)t), term_name((enum term)other));
	}
}

static void
the_sum_is_of_all_terms(void **state)
{
	struct terms terms = {{0}};
	double wanted = 0;

	(void)state;
	for (unsigned int t = 0; t < N_TERMS; t++) {
		terms.ns[t] = (double)(1u << t);
		wanted += terms.ns[t];
	}
	assert_true(fabs(terms_sum(&terms) - wanted) < 1e-9);
}

static void
cores_fill_up_before_threads_share(void **state)
{
	static const struct {
		unsigned int cpus;
		unsigned int cores;
		double load;
		double shared;
	} cases[] = {
		{8, 4, 0.5, 0}, {8, 4, 4, 0}, {8, 4, 5, 0.4}, /* two of five */
		{8, 4, 8, 1}, {8, 4, 20, 1}, {4, 4, 9, 0},    /* no threads */
		{32, 8, 9, 0.1481}, /* four threads: each more than eight makes 4/3 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		double shared =
			objective_sharing(cases[i].cpus, cases[i].cores, cases[i].load);

		if (fabs(shared - cases[i].shared) > 1e-3)
			fail_msg("case %zu: %f", i, shared);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_term_has_a_name_of_its_own),
		cmocka_unit_test(the_sum_is_of_all_terms),
		cmocka_unit_test(cores_fill_up_before_threads_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Where memory is, in the steps that the planner gets. */
#include "config.h"

#include "daemon/residence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/attr.h"
#include "layouts.h"

#define GIB (UINT64_C(1) << 30)

struct fixture {
	struct topo *topo; /* nodes 0 and 1, four CPUs each */
	struct residence r;
};

static int
set_up(void **state)
{
	static const struct layout layout = {
		.packages = 1, .nodes = 2, .l3s = 1, .cores = 4, .threads = 1};
	struct fixture *f = calloc(1, sizeof(*f));

	f->topo = hosts_build(&layout);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	residence_fini(&f->r);
	topo_free(f->topo);
	free(f);
	return 0;
}

static void
take(struct fixture *f, double gib0, double gib1)
{
	uint64_t bytes[] = {
		(uint64_t)(gib0 * (double)GIB), (uint64_t)(gib1 * (double)GIB)};

	residence_take(&f->r, bytes, 2, 16 * GIB);
}

static void
expect_share(struct fixture *f, double first)
{
	double *share = residence_share(&f->r, f->topo);

	assert_non_null(share);
	assert_float_equal((float)share[0], (float)first, 1e-6f);
	assert_float_equal((float)(share[0] + share[1]), 1, 1e-6f);
	free(share);
}

static void
nothing_is_known_at_first(void **state)
{
	struct fixture *f = *state;

	assert_null(residence_share(&f->r, f->topo));
	take(f, 0, 0);
	assert_null(residence_share(&f->r, f->topo));
}

static void
what_firmware_touched_says_nothing(void **state)
{
	struct fixture *f = *state;

	take(f, 1.9, 0);
	assert_null(residence_share(&f->r, f->topo));
	take(f, 2.1, 0);
	expect_share(f, 1);
	take(f, 1.7, 0); /* a balloon: not at once forgotten */
	expect_share(f, 1);
	take(f, 1.5, 0);
	assert_null(residence_share(&f->r, f->topo));
}

static void
small_changes_are_not_told(void **state)
{
	struct fixture *f = *state;

	take(f, 8, 8);
	expect_share(f, 0.5);
	for (unsigned int i = 0; i < 20; i++) {
		take(f, i % 2 == 0 ? 8.7 : 7.3, i % 2 == 0 ? 7.3 : 8.7);
		expect_share(f, 0.5);
	}
	take(f, 9, 7);
	expect_share(f, 0.5625);
	take(f, 8.4, 7.6); /* nor is the way back */
	expect_share(f, 0.5625);
}

static void
nodes_come_and_go(void **state)
{
	uint64_t only = 16 * GIB;
	struct fixture *f = *state;

	take(f, 0, 16);
	expect_share(f, 0);
	residence_take(&f->r, &only, 1, 16 * GIB);
	expect_share(f, 1);
	take(f, 0, 16);
	expect_share(f, 0);
}

static void
memory_of_nodes_that_the_host_does_not_show_is_left_out(void **state)
{
	uint64_t bytes[] = {4 * GIB, 4 * GIB, 0, 8 * GIB};
	struct fixture *f = *state;

	residence_take(&f->r, bytes, 4, 0);
	expect_share(f, 0.5);
}

static void
local_is_what_is_on_the_nodes_of_the_cpus(void **state)
{
	struct fixture *f = *state;
	struct cpuset first = cpuset_below(4);
	struct cpuset all = cpuset_below(8);

	take(f, 12, 4);
	assert_int_equal(residence_local_bytes(&f->r, f->topo, &first), 12 * GIB);
	assert_int_equal(residence_local_bytes(&f->r, f->topo, &all), 16 * GIB);
	assert_int_equal(residence_local_bytes(&f->r, f->topo, &CPUSET_NONE), 0);
}

#define test_with_nodes(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_nodes(nothing_is_known_at_first),
		test_with_nodes(what_firmware_touched_says_nothing),
		test_with_nodes(small_changes_are_not_told),
		test_with_nodes(nodes_come_and_go),
		test_with_nodes(
			memory_of_nodes_that_the_host_does_not_show_is_left_out),
		test_with_nodes(local_is_what_is_on_the_nodes_of_the_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * A small host for tests of the placement benchmark: node 0 has the cores {0,4} and
 * {1,5}, node 1 {2,6} and {3,7}; latencies are 9 within a core, 25 within a node, 120
 * between nodes. After cmocka.h.
 */
#ifndef QMPIN_TESTS_BENCH_FIXTURE_H
#define QMPIN_TESTS_BENCH_FIXTURE_H

#include <math.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "hosts.h"
#include "policies.h"

static const struct host_spec small = {"small", 1, 2, 1, 2, 2, 0};

struct fixture {
	struct host host;
	struct bench_host bench; /* the same, borrowed */
	struct tune tune;
	struct run run;
	struct replay_start starts[8];
	unsigned int n;
};

static inline int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->tune = tune_default();
	f->host = host_full(&small);
	f->bench = (struct bench_host){
		.name = NULL, .topo = f->host.topo, .ns = f->host.ns};
	f->run = (struct run){.host = &f->bench, .tune = &f->tune, .rnd = rnd_new(1)};
	f->run.site = site_new(f->host.topo, f->host.lat);
	*state = f;
	return 0;
}

static inline int
tear_down(void **state)
{
	struct fixture *f = *state;

	site_fini(&f->run.site);
	host_fini(&f->host);
	free(f);
	return 0;
}

static inline struct cpuset
cpus(const char *text)
{
	struct cpuset set;

	assert_int_equal(cpuset_parse(text, &set), 0);
	return set;
}

static inline void
near(double got, double wanted)
{
	if (fabs(got - wanted) > 1e-6)
		fail_msg("%g is not %g", got, wanted);
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif

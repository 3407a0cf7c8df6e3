// SPDX-License-Identifier: MIT
/* Events that are refused leave no trace; VMs that make no sense say so. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "ground.h"

/* Each case with a part of the reason. */
static void
vms_that_make_no_sense_run_anywhere_and_say_why(void **state)
{
	static const struct {
		const char *why;
		unsigned int n_vcpus;
		unsigned int n_guest_nodes;
		const char *vcpus[2];
		double memory_gib;
		double weight;
		double cpulimit;
		struct replay_amount resident;
	} cases[] = {
		{"no vCPU", 0, 0, {"", ""}, 8, 0, 0, {0, 0}},
		{"starts with 9 vCPUs", 9, 0, {"", ""}, 8, 0, 0, {0, 0}},
		{"vCPU 2 is in two", 4, 2, {"0-2", "2-3"}, 8, 0, 0, {0, 0}},
		{"node 1 has vCPU 8", 4, 2, {"0-1", "2-8"}, 8, 0, 0, {0, 0}},
		{"at most 128", 4, 4000, {"", ""}, 8, 0, 0, {0, 0}},
		{"memory -1", 4, 0, {"", ""}, -1, 0, 0, {0, 0}},
		{"memory nan", 4, 0, {"", ""}, NAN, 0, 0, {0, 0}},
		{"weight inf", 4, 0, {"", ""}, 8, INFINITY, 0, {0, 0}},
		{"cpulimit -2", 4, 0, {"", ""}, 8, 0, -2, {0, 0}},
		{"on a node -1", 4, 0, {"", ""}, 8, 0, 0, {0, -1}},
		{"node 7, which is not there", 4, 0, {"", ""}, 8, 0, 0, {7, 1}},
	};
	struct ground g = {.spec = &host_9354};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct replay *r = ground_replay(&g, NULL);
		struct replay_event event = ground_start("100", cases[i].n_vcpus);
		struct cpuset vcpus[2] = {
			ground_cpus(cases[i].vcpus[0]), ground_cpus(cases[i].vcpus[1])};
		struct replay_amount resident = cases[i].resident;
		struct cpuset mask;

		event.start.max_vcpus = 8;
		event.start.n_guest_nodes = cases[i].n_guest_nodes;
		event.start.guest_vcpus = vcpus;
		event.start.memory_gib = cases[i].memory_gib;
		event.start.weight = cases[i].weight;
		event.start.cpulimit = cases[i].cpulimit;
		event.start.n_resident = 1;
		event.start.resident = &resident;
		ground_step(r, ground_start("99", 4));
		ground_step(r, event);
		if (strstr(ground_why(r, 1), cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].why, ground_why(r, 1));
		assert_int_equal(replay_plan(r)->results[1].verdict, PLAN_LEAVE);
		assert_int_equal(ground_vm(r, 1)->mode, PLACE_AUTO);
		mask = replay_mask(r, 1, 0);
		assert_int_equal(cpuset_count(&mask), 64);
		assert_int_equal(replay_plan(r)->results[0].verdict, PLAN_KEEP);
		ground_step(r, ground_event(REPLAY_STOP, "100"));
		replay_free(r);
	}
}

static void
a_host_that_cannot_be_made_makes_no_replay(void **state)
{
	struct replay_settings s = replay_settings_default();
	struct ground g = {.spec = &host_9354, .broken = true};
	struct replay *r = NULL;
	struct err e = ERR_NONE;

	(void)state;
	assert_int_equal(replay_new(&s, ground_make, &g, &r, &e), -EIO);
	assert_null(r);
	assert_string_equal(e.text, "no host today");
}

struct refused {
	const char *text; /* a part of the message */
	int error;
	struct replay_event event;
};

static struct replay_amount bad_amounts[] = {
	{64, 0.5}, {0, 1.5}, {0, NAN}, {4, 1}, {0, -1}, {0, INFINITY}};

static struct replay_event
at(struct replay_event e, double t_s)
{
	e.t_s = t_s;
	return e;
}

/* Nothing of @bad is in what comes after it. */
static void
check_refused(const struct refused *bad)
{
	struct replay_amount free_gib[] = {{0, 20}};
	struct ground ga = {.spec = &host_9354};
	struct ground gb = {.spec = &host_9354};
	struct replay *a = ground_replay(&ga, NULL);
	struct replay *b = ground_replay(&gb, NULL);
	struct replay_event first = ground_start("100", 4);
	struct err e = ERR_NONE;
	auto_free char *before = NULL;
	auto_free char *after = NULL;

	first.start.max_vcpus = 8;
	for (unsigned int i = 0; i < 2; i++) {
		struct replay *r = i == 0 ? a : b;

		ground_step(r, ground_host(free_gib, 1, NULL, 0));
		ground_step(r, first);
		ground_step(r, ground_start("7", 3));
		ground_step(r, ground_cpu(REPLAY_CPU_OFFLINE, 5));
	}
	before = ground_picture(a);
	if (replay_step(a, &bad->event, &e) != bad->error ||
		strstr(e.text, bad->text) == NULL)
		fail_msg("\"%s\" wanted: %s", bad->text, e.text);
	after = ground_picture(a);
	assert_string_equal(before, after);
	ground_step(a, ground_start("8", 20));
	ground_step(b, ground_start("8", 20));
	ground_same(a, b);
	ground_step(a, ground_plug("100", 8));
	ground_step(b, ground_plug("100", 8));
	ground_same(a, b);
	ground_step(a, ground_event(REPLAY_STOP, "7"));
	ground_step(b, ground_event(REPLAY_STOP, "7"));
	ground_same(a, b);
	replay_free(a);
	replay_free(b);
}

static void
a_refused_event_changes_nothing(void **state)
{
	struct replay_event nameless = ground_start("", 2);
	struct replay_event endless = ground_start("1", 2);
	struct replay_event endless_stop = ground_event(REPLAY_STOP, "1");

	(void)state;
	memset(endless.id, 'x', sizeof(endless.id));
	memset(endless_stop.id, 'x', sizeof(endless_stop.id));
	const struct refused cases[] = {
		{"vm 100 runs already", -EEXIST, ground_start("100", 2)},
		{"vm 101 does not run", -ENOENT, ground_plug("101", 2)},
		{"vm 101 does not run", -ENOENT, ground_event(REPLAY_STOP, "101")},
		{"does not run", -ENOENT, ground_event(REPLAY_STOP, "")},
		{"does not run", -ENOENT, endless_stop},
		{"1 to 64 characters", -EINVAL, nameless},
		{"1 to 64 characters", -EINVAL, endless},
		{"1 to 8 vCPUs, not 0", -EINVAL, ground_plug("100", 0)},
		{"1 to 8 vCPUs, not 9", -EINVAL, ground_plug("100", 9)},
		{"64 is not there", -EINVAL, ground_cpu(REPLAY_CPU_OFFLINE, 64)},
		{"4000000000 is not", -EINVAL,
			ground_cpu(REPLAY_CPU_ONLINE, 4000000000)},
		{"5 is offline already", -EINVAL, ground_cpu(REPLAY_CPU_OFFLINE, 5)},
		{"6 is online already", -EINVAL, ground_cpu(REPLAY_CPU_ONLINE, 6)},
		{"goes back", -EINVAL, at(ground_start("1", 2), 179)},
		{"goes back", -EINVAL, at(ground_start("1", 2), -INFINITY)},
		{"out of range", -EINVAL, at(ground_start("1", 2), INFINITY)},
		{"out of range", -EINVAL, at(ground_start("1", 2), 1e13)},
		{"no such event", -EINVAL, ground_event(REPLAY_N_KINDS, "1")},
		{"CPU 64", -EINVAL, ground_host(NULL, 0, &bad_amounts[0], 1)},
		{"share", -EINVAL, ground_host(NULL, 0, &bad_amounts[1], 1)},
		{"share", -EINVAL, ground_host(NULL, 0, &bad_amounts[2], 1)},
		{"node 4", -EINVAL, ground_host(&bad_amounts[3], 1, NULL, 0)},
		{"range", -EINVAL, ground_host(&bad_amounts[4], 1, NULL, 0)},
		{"range", -EINVAL, ground_host(&bad_amounts[5], 1, NULL, 0)},
		/* the first is right, and is not kept either */
		{"node 4", -EINVAL, ground_host(&bad_amounts[2], 2, NULL, 0)},
	};

	bad_amounts[2].value = 7; /* of the last case */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bad_amounts[2].value = i + 1 == ARRAY_LEN(cases) ? 7 : (double)NAN;
		check_refused(&cases[i]);
	}
}

static void
the_last_cpu_stays(void **state)
{
	struct ground g = {.spec = &host_flat2};
	struct replay *r = ground_replay(&g, NULL);
	struct replay_event event = ground_cpu(REPLAY_CPU_OFFLINE, 1);
	struct err e = ERR_NONE;

	(void)state;
	ground_step(r, ground_cpu(REPLAY_CPU_OFFLINE, 0));
	assert_int_equal(replay_step(r, &event, &e), -EINVAL);
	assert_non_null(strstr(e.text, "last"));
	ground_step(r, ground_cpu(REPLAY_CPU_ONLINE, 0));
	ground_step(r, event);
	replay_free(r);
}

static void
a_host_that_fails_changes_nothing(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = ground_replay(&g, NULL);
	struct replay_event event = ground_cpu(REPLAY_CPU_OFFLINE, 1);
	auto_free char *before = NULL;
	auto_free char *after = NULL;
	struct err e = ERR_NONE;

	(void)state;
	ground_step(r, ground_start("100", 4));
	before = ground_picture(r);
	g.broken = true;
	assert_int_equal(replay_step(r, &event, &e), -EIO);
	after = ground_picture(r);
	assert_string_equal(before, after);
	g.broken = false;
	g.spec = &host_xeon_2s; /* 64 CPUs too, but two nodes */
	err_clear(&e);
	assert_int_equal(replay_step(r, &event, &e), -EINVAL);
	assert_non_null(strstr(e.text, "other nodes"));
	free(after);
	after = ground_picture(r);
	assert_string_equal(before, after);
	g.spec = &host_9354;
	ground_step(r, event);
	replay_free(r);
}

/* The planner refuses a host without a PU. */
static void
check_taken_back(const struct replay_event *event)
{
	struct replay_event first = ground_start("100", 4);
	struct ground ga = {.spec = &host_9354};
	struct ground gb = {.spec = &host_9354};
	struct replay *a = ground_replay(&ga, NULL);
	struct replay *b = ground_replay(&gb, NULL);
	unsigned int n_pus = ga.topo->n_pus;
	struct err e = ERR_NONE;

	first.start.max_vcpus = 8;
	ground_step(a, first);
	ground_step(b, first);
	ga.topo->n_pus = 0;
	assert_int_equal(replay_step(a, event, &e), -EINVAL);
	assert_non_null(strstr(e.text, "no online CPU"));
	ga.topo->n_pus = n_pus;
	ground_same(a, b);
	ground_step(a, ground_host(NULL, 0, NULL, 0));
	ground_step(b, ground_host(NULL, 0, NULL, 0));
	ground_same(a, b);
	ground_step(a, *event);
	ground_step(b, *event);
	ground_same(a, b);
	replay_free(a);
	replay_free(b);
}

static void
an_event_that_cannot_be_planned_is_taken_back(void **state)
{
	struct replay_amount load[] = {{3, 0.5}};
	const struct replay_event events[] = {
		ground_start("99", 4),
		ground_start("101", 4),
		ground_plug("100", 6),
		ground_event(REPLAY_STOP, "100"),
		ground_host(NULL, 0, load, 1),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		check_taken_back(&events[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vms_that_make_no_sense_run_anywhere_and_say_why),
		cmocka_unit_test(a_host_that_cannot_be_made_makes_no_replay),
		cmocka_unit_test(a_refused_event_changes_nothing),
		cmocka_unit_test(the_last_cpu_stays),
		cmocka_unit_test(a_host_that_fails_changes_nothing),
		cmocka_unit_test(an_event_that_cannot_be_planned_is_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

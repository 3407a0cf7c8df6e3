// SPDX-License-Identifier: MIT
/* Events and what follows from them: order, time, masks, hotplug, CPUs that go. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "ground.h"

static void
vms_are_in_the_order_of_their_ids(void **state)
{
	static const char *const started[] = {"1000", "web", "20", "100", "db", "99",
		"0100", "1e3", "123456789012345678901234567890"};
	static const char *const wanted[] = {"20", "99", "0100", "100", "1000",
		"123456789012345678901234567890", "1e3", "db", "web"};
	struct ground g = {.spec = &host_9354};
	struct replay *r = ground_replay(&g, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(started); i++)
		ground_step(r, ground_start(started[i], 2));
	assert_int_equal(replay_plan(r)->n, ARRAY_LEN(wanted));
	for (unsigned int i = 0; i < ARRAY_LEN(wanted); i++)
		assert_string_equal(ground_vm(r, i)->id, wanted[i]);
	ground_step(r, ground_event(REPLAY_STOP, "100"));
	assert_string_equal(ground_vm(r, 2)->id, "0100");
	assert_string_equal(ground_vm(r, 3)->id, "1000");
	replay_free(r);
}

static void
a_new_replay_shows_an_empty_host(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = ground_replay(&g, NULL);

	(void)state;
	assert_int_equal(g.made, 1);
	assert_int_equal(replay_plan(r)->n, 0);
	assert_int_equal(replay_input(r)->n_vms, 0);
	assert_int_equal(replay_input(r)->topo->n_pus, 64);
	assert_null(replay_input(r)->background);
	assert_null(replay_input(r)->node_free_gib);
	assert_true(replay_now_s(r) == 0);
	replay_free(r);
	replay_free(NULL);
}

static void
time_is_what_events_say_or_a_minute_later(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = ground_replay(&g, NULL);
	struct replay_event late = ground_start("101", 2);

	(void)state;
	ground_step(r, ground_start("100", 2));
	assert_true(replay_now_s(r) == 0);
	late.t_s = 1000;
	ground_step(r, late);
	assert_true(replay_now_s(r) == 1000);
	assert_true(replay_input(r)->policy->now_s == 1000);
	ground_step(r, ground_event(REPLAY_STOP, "101"));
	assert_true(replay_now_s(r) == 1060);
	late.t_s = 1060; /* at the same time is not back */
	ground_step(r, late);
	assert_true(replay_now_s(r) == 1060);
	replay_free(r);
}

static void
the_plan_is_what_vms_have_next(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = ground_replay(&g, NULL);
	struct cpuset was;
	const struct plan_vm *vm;

	(void)state;
	ground_step(r, ground_start("100", 4));
	assert_false(ground_vm(r, 0)->placed);
	assert_int_equal(ground_vm(r, 0)->n_current, 0);
	was = replay_mask(r, 0, 3);
	assert_true(cpuset_equal(&was, &replay_plan(r)->results[0].vcpus[3]));
	ground_step(r, ground_start("99", 4));
	vm = ground_vm(r, 1);
	assert_true(vm->placed);
	assert_int_equal(vm->n_current, 4);
	assert_true(cpuset_equal(&vm->current[3], &was));
	assert_true(vm->changed_s == 0);
	assert_true(ground_vm(r, 0)->changed_s == PLAN_NEVER_S);
	replay_free(r);
}

static void
hotplug_adds_new_vcpus_and_drops_the_last(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = ground_replay(&g, NULL);
	struct replay_event event = ground_start("100", 2);

	(void)state;
	event.start.max_vcpus = 8;
	ground_step(r, event);
	ground_step(r, ground_plug("100", 6));
	assert_int_equal(ground_vm(r, 0)->n_vcpus, 6);
	assert_int_equal(ground_vm(r, 0)->n_current, 2);
	assert_int_equal(replay_plan(r)->results[0].n_vcpus, 6);
	ground_step(r, ground_plug("100", 1));
	assert_int_equal(ground_vm(r, 0)->n_current, 1);
	assert_int_equal(replay_plan(r)->results[0].n_vcpus, 1);
	assert_int_equal(replay_moved(r), 0);
	replay_free(r);
}

static struct replay_event
two_nodes_of(const char *id, struct cpuset *vcpus)
{
	struct replay_event e = ground_start(id, 4);

	e.start.max_vcpus = 8;
	e.start.numa = true;
	e.start.n_guest_nodes = 2;
	e.start.guest_vcpus = vcpus;
	return e;
}

static void
vcpus_that_no_guest_node_names_are_in_the_first(void **state)
{
	struct cpuset vcpus[2] = {ground_cpus("0"), ground_cpus("1,3,6")};
	struct ground g = {.spec = &host_9354};
	struct replay *r = ground_replay(&g, NULL);
	static const uint16_t wanted[] = {0, 1, 0, 1, 0, 0, 1, 0};

	(void)state;
	ground_step(r, two_nodes_of("100", vcpus));
	assert_int_equal(ground_vm(r, 0)->n_guest_nodes, 2);
	for (unsigned int v = 0; v < 4; v++)
		assert_int_equal(ground_vm(r, 0)->guest_node_of[v], wanted[v]);
	ground_step(r, ground_plug("100", 8));
	for (unsigned int v = 0; v < 8; v++)
		assert_int_equal(ground_vm(r, 0)->guest_node_of[v], wanted[v]);
	replay_free(r);
}

static void
an_affinity_is_a_limit_where_it_names_a_cpu(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = ground_replay(&g, NULL);
	struct replay_event event = ground_start("100", 2);
	struct cpuset limit = ground_cpus("8-15,70");
	struct cpuset mask;

	(void)state;
	event.start.has_affinity = true;
	event.start.affinity = limit;
	ground_step(r, event);
	limit = ground_cpus("8-15");
	mask = replay_mask(r, 0, 0);
	assert_true(cpuset_within(&mask, &limit));
	assert_true(cpuset_equal(&ground_vm(r, 0)->limit, &limit));
	event = ground_start("101", 2);
	event.start.has_affinity = true;
	event.start.affinity = ground_cpus("70-75");
	event.start.has_mode = true;
	event.start.mode = PLACE_OFF;
	ground_step(r, event);
	mask = replay_mask(r, 1, 1);
	assert_int_equal(cpuset_count(&mask), 64);
	assert_int_equal(cpuset_count(&ground_vm(r, 1)->limit), 64);
	replay_free(r);
}

static void
observed_and_unmanaged_vms_have_their_limit(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = ground_replay(&g, NULL);
	struct replay_event event = ground_start("100", 2);
	struct cpuset limit = ground_cpus("0-15");
	struct cpuset emulator;

	(void)state;
	event.start.has_affinity = true;
	event.start.affinity = limit;
	event.start.has_mode = true;
	event.start.mode = PLACE_OBSERVE;
	ground_step(r, event);
	str_copy(event.id, sizeof(event.id), "101");
	event.start.mode = PLACE_OFF;
	ground_step(r, event);
	ground_step(r, ground_start("102", 2));
	for (unsigned int i = 0; i < 2; i++) {
		struct cpuset mask = replay_mask(r, i, 1);

		emulator = replay_emulator(r, i);
		assert_true(cpuset_equal(&mask, &limit));
		assert_true(cpuset_equal(&emulator, &limit));
		assert_false(ground_vm(r, i)->placed);
	}
	replay_free(r);
}

static void
masks_lose_offline_cpus_and_get_them_back_without_a_move(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = ground_replay(&g, NULL);
	struct cpuset before;
	struct cpuset now;
	unsigned int cpu;

	(void)state;
	ground_step(r, ground_start("100", 4));
	before = replay_mask(r, 0, 0);
	cpu = cpuset_next(&before, 0);
	ground_step(r, ground_cpu(REPLAY_CPU_OFFLINE, cpu));
	assert_int_equal(replay_input(r)->topo->n_pus, 63);
	assert_int_equal(replay_input(r)->latency.n, 63);
	assert_true(cpuset_equal(&ground_vm(r, 0)->current[0], &before));
	now = replay_mask(r, 0, 0);
	assert_false(cpuset_has(&now, cpu));
	assert_int_equal(replay_moved(r), 0);
	ground_step(r, ground_cpu(REPLAY_CPU_ONLINE, cpu));
	assert_true(ground_vm(r, 0)->changed_s == 0); /* also not by that */
	now = replay_mask(r, 0, 0);
	assert_true(cpuset_within(&before, &now));
	assert_int_equal(replay_moved(r), 0);
	assert_int_equal(replay_input(r)->topo->n_pus, 64);
	ground_step(r, ground_start("101", 4));
	assert_true(ground_vm(r, 0)->changed_s == 0);
	replay_free(r);
}

static void
a_vcpu_whose_last_cpu_went_is_not_moved_but_changed(void **state)
{
	struct replay_settings s = replay_settings_default();
	struct ground g = {.spec = &host_9354};
	struct replay *r;
	struct cpuset mask;

	(void)state;
	s.mode = PLACE_PIN;
	r = ground_replay(&g, &s);
	ground_step(r, ground_start("100", 4));
	mask = replay_mask(r, 0, 2);
	assert_int_equal(cpuset_count(&mask), 1);
	ground_step(r, ground_cpu(REPLAY_CPU_OFFLINE, cpuset_next(&mask, 0)));
	mask = replay_mask(r, 0, 2);
	assert_int_equal(cpuset_count(&mask), 1);
	assert_int_equal(replay_moved(r), 0);
	ground_step(r, ground_start("101", 1));
	assert_true(ground_vm(r, 0)->changed_s == 60);
	replay_free(r);
}

static void
a_vm_without_a_cpu_gets_all_and_its_place_when_they_return(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = ground_replay(&g, NULL);
	struct replay_event event = ground_start("100", 1);
	struct cpuset mask;

	(void)state;
	event.start.has_affinity = true;
	event.start.affinity = ground_cpus("5,6");
	ground_step(r, event);
	ground_step(r, ground_cpu(REPLAY_CPU_OFFLINE, 5));
	mask = replay_mask(r, 0, 0);
	assert_int_equal(cpuset_count(&mask), 1);
	ground_step(r, ground_cpu(REPLAY_CPU_OFFLINE, 6));
	assert_int_equal(replay_plan(r)->results[0].verdict, PLAN_LEAVE);
	assert_non_null(strstr(ground_why(r, 0), "no online CPU"));
	mask = replay_mask(r, 0, 0);
	assert_true(cpuset_equal(&mask, &replay_input(r)->topo->online));
	assert_int_equal(replay_moved(r), 0);
	ground_step(r, ground_cpu(REPLAY_CPU_ONLINE, 6));
	mask = replay_mask(r, 0, 0);
	assert_true(cpuset_has(&mask, 6));
	assert_int_equal(cpuset_count(&mask), 1);
	assert_int_equal(replay_moved(r), 0);
	replay_free(r);
}

static void
load_by_others_stays_with_its_cpu(void **state)
{
	struct replay_amount load[] = {{3, 0.5}, {63, 1}};
	struct replay_amount less[] = {{3, 0}};
	struct ground g = {.spec = &host_9354};
	struct replay *r = ground_replay(&g, NULL);

	(void)state;
	ground_step(r, ground_host(NULL, 0, load, 2));
	assert_true(replay_input(r)->background[3] == 0.5);
	ground_step(r, ground_cpu(REPLAY_CPU_OFFLINE, 1));
	assert_true(replay_input(r)->background[2] == 0.5);
	assert_true(replay_input(r)->background[62] == 1);
	ground_step(r, ground_host(NULL, 0, less, 1));
	assert_true(replay_input(r)->background[2] == 0);
	assert_true(replay_input(r)->background[62] == 1);
	ground_step(r, ground_cpu(REPLAY_CPU_OFFLINE, 63));
	assert_null(replay_input(r)->background);
	ground_step(r, ground_cpu(REPLAY_CPU_ONLINE, 63));
	assert_true(replay_input(r)->background[62] == 1);
	replay_free(r);
}

static void
rebalance_gets_the_credit_of_the_time_that_passed(void **state)
{
	struct replay_settings s = replay_settings_default();
	struct ground g = {.spec = &host_9354};
	struct replay_event first = ground_start("100", 2);
	struct replay *r;
	const struct plan_policy *p;

	(void)state;
	s.rebalance_vms_per_min = 0.5;
	s.rebalance_vcpus_per_min = 2;
	r = ground_replay(&g, &s);
	first.t_s = 1e9; /* what was before saves nothing */
	ground_step(r, first);
	p = replay_input(r)->policy;
	assert_int_equal(p->rebalance_vms, 0);
	assert_int_equal(p->rebalance_vcpus, 0);
	ground_step(r, ground_start("101", 2));
	p = replay_input(r)->policy;
	assert_int_equal(p->rebalance_vms, 0);
	assert_int_equal(p->rebalance_vcpus, 2);
	ground_step(r, ground_start("102", 2));
	p = replay_input(r)->policy;
	assert_int_equal(p->rebalance_vms, 1);
	assert_int_equal(p->rebalance_vcpus, 4);
	replay_free(r);
}

static uint32_t
random_below(uint32_t *seed, uint32_t n)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % n;
}

/* Any event of a few VMs and CPUs; many of them are refused. */
static void
random_step(struct replay *r, uint32_t *seed)
{
	static const enum place_mode modes[] = {
		PLACE_AUTO, PLACE_FLOAT, PLACE_PIN, PLACE_OBSERVE, PLACE_OFF};
	struct replay_event e = ground_start("", 1 + random_below(seed, 12));
	struct err refused = ERR_NONE;

	e.kind = (enum replay_kind)random_below(seed, REPLAY_N_KINDS);
	(void)snprintf(e.id, sizeof(e.id), "%u", 100 + random_below(seed, 20));
	e.cpu = random_below(seed, 64);
	e.n_vcpus = 1 + random_below(seed, 16);
	e.start.max_vcpus = 16;
	e.start.has_mode = true;
	e.start.mode = modes[random_below(seed, ARRAY_LEN(modes))];
	e.start.has_affinity = random_below(seed, 4) == 0;
	e.start.affinity = cpuset_below(1 + random_below(seed, 64));
	if (replay_step(r, &e, &refused) < 0)
		assert_true(err_is_set(&refused));
}

static void
after_any_event_all_vms_have_online_cpus_and_nobody_was_moved(void **state)
{
	struct ground g = {.spec = &host_9354};

	(void)state;
	for (uint32_t first = 1; first <= 20; first++) {
		struct replay *r = ground_replay(&g, NULL);
		uint32_t seed = first;

		for (unsigned int i = 0; i < 150; i++) {
			const struct cpuset *online;

			random_step(r, &seed);
			online = &replay_input(r)->topo->online;
			for (unsigned int v = 0; v < replay_plan(r)->n; v++) {
				struct cpuset mask = replay_mask(r, v, 0);

				if (cpuset_empty(&mask) ||
					!cpuset_within(&mask, online))
					fail_msg("seed %u, event %u", first, i);
			}
			if (replay_moved(r) > 0)
				fail_msg("seed %u, event %u: %u moved", first, i,
					replay_moved(r));
		}
		replay_free(r);
	}
}

static void
a_thousand_vms_come_and_go(void **state)
{
	struct replay_settings s = replay_settings_default();
	struct ground g = {.spec = &host_9354};
	struct replay *r;
	char id[16];

	(void)state;
	s.mode = PLACE_OFF; /* it is not the planner that is tested */
	r = ground_replay(&g, &s);
	for (unsigned int i = 0; i < 1000; i++) {
		(void)snprintf(id, sizeof(id), "%u", 100 + i * 7919 % 1000);
		ground_step(r, ground_start(id, 2));
	}
	assert_int_equal(replay_plan(r)->n, 1000);
	for (unsigned int i = 0; i < 1000; i++) {
		(void)snprintf(id, sizeof(id), "%u", 100 + i);
		assert_string_equal(ground_vm(r, 0)->id, id);
		ground_step(r, ground_event(REPLAY_STOP, id));
	}
	assert_int_equal(replay_plan(r)->n, 0);
	replay_free(r);
}

static void
an_event_frees_what_it_owns(void **state)
{
	struct replay_event e = ground_event(REPLAY_START, "100");

	(void)state;
	e.start.guest_vcpus = xcalloc(1, sizeof(*e.start.guest_vcpus));
	e.start.host_nodes = xcalloc(1, sizeof(*e.start.host_nodes));
	e.start.resident = xcalloc(1, sizeof(*e.start.resident));
	e.free = xcalloc(1, sizeof(*e.free));
	e.background = xcalloc(1, sizeof(*e.background));
	replay_event_fini(&e);
	assert_null(e.start.guest_vcpus);
	assert_null(e.background);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vms_are_in_the_order_of_their_ids),
		cmocka_unit_test(a_new_replay_shows_an_empty_host),
		cmocka_unit_test(time_is_what_events_say_or_a_minute_later),
		cmocka_unit_test(the_plan_is_what_vms_have_next),
		cmocka_unit_test(hotplug_adds_new_vcpus_and_drops_the_last),
		cmocka_unit_test(vcpus_that_no_guest_node_names_are_in_the_first),
		cmocka_unit_test(an_affinity_is_a_limit_where_it_names_a_cpu),
		cmocka_unit_test(observed_and_unmanaged_vms_have_their_limit),
		cmocka_unit_test(
			masks_lose_offline_cpus_and_get_them_back_without_a_move),
		cmocka_unit_test(a_vcpu_whose_last_cpu_went_is_not_moved_but_changed),
		cmocka_unit_test(
			a_vm_without_a_cpu_gets_all_and_its_place_when_they_return),
		cmocka_unit_test(load_by_others_stays_with_its_cpu),
		cmocka_unit_test(rebalance_gets_the_credit_of_the_time_that_passed),
		cmocka_unit_test(
			after_any_event_all_vms_have_online_cpus_and_nobody_was_moved),
		cmocka_unit_test(a_thousand_vms_come_and_go),
		cmocka_unit_test(an_event_frees_what_it_owns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

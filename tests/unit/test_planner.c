// SPDX-License-Identifier: MIT
/* The planner's contract: what it refuses, keeps, and answers for odd input. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "expect.h"
#include "fleet.h"

static struct plan_input
input_of(const struct host *h, const struct plan_policy *policy,
	const struct plan_vm *vms, unsigned int n)
{
	return (struct plan_input){.topo = h->topo,
		.ranking = h->ranking,
		.latency = h->lat,
		.policy = policy,
		.n_vms = n,
		.vms = vms};
}

static void
two_vms_with_one_id_are_refused_by_name(void **state)
{
	struct host h = host_full(&host_9354);
	struct plan_policy policy = plan_policy_default();
	struct plan_vm vms[3] = {
		{.id = "100",
			.mode = PLACE_AUTO,
			.n_vcpus = 1,
			.limit = h.topo->online},
		{.id = "101",
			.mode = PLACE_AUTO,
			.n_vcpus = 1,
			.limit = h.topo->online},
		{.id = "100", .mode = PLACE_OFF, .n_vcpus = 1, .limit = h.topo->online},
	};
	struct plan_input in = input_of(&h, &policy, vms, 3);
	struct plan *p = NULL;
	struct err e = ERR_NONE;

	(void)state;
	assert_int_equal(planner_run(&in, &p, &e), -EINVAL);
	assert_null(p);
	assert_non_null(strstr(e.text, "100"));
	host_fini(&h);
}

static void
latencies_of_another_host_are_refused(void **state)
{
	struct host h = host_full(&host_9354);
	struct plan_policy policy = plan_policy_default();
	struct plan_input in = input_of(&h, &policy, NULL, 0);
	struct plan *p = NULL;
	struct err e = ERR_NONE;

	(void)state;
	in.latency.n = 32;
	assert_int_equal(planner_run(&in, &p, &e), -EINVAL);
	assert_null(p);
	assert_true(err_is_set(&e));
	host_fini(&h);
}

static void
no_vms_make_an_empty_plan(void **state)
{
	struct host h = host_full(&host_1cpu);
	struct plan_policy policy = plan_policy_default();
	struct plan_input in = input_of(&h, &policy, NULL, 0);
	struct plan *p = NULL;

	(void)state;
	assert_int_equal(planner_run(&in, &p, NULL), 0);
	assert_int_equal(p->n, 0);
	plan_free(p);
	plan_free(NULL);
	host_fini(&h);
}

static void
a_host_with_every_cpu_reserved_leaves_all(void **state)
{
	struct host h = host_full(&host_flat2);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	fleet_add(f, "100", PLACE_AUTO, 1);
	fleet_add(f, "101", PLACE_PIN, 1);
	f->policy.reserved = h.topo->online;
	p = fleet_plan(f);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(p->results[i].verdict, PLAN_LEAVE);
		assert_int_equal(p->results[i].n_vcpus, 0);
		assert_non_null(strstr(p->results[i].why, "2 reserved"));
	}
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static struct fleet *
placed_on(const struct host *h, const char *mask, unsigned int n_current,
	unsigned int n_vcpus)
{
	struct fleet *f = fleet_new(h);
	struct fleet_vm *vm = fleet_add(f, "100", PLACE_FLOAT, n_vcpus);

	vm->masks = xcalloc(n_current, sizeof(*vm->masks));
	for (unsigned int i = 0; i < n_current; i++)
		vm->masks[i] = cpus(mask);
	vm->in.n_current = n_current;
	vm->in.placed = true;
	return f;
}

/* Masks of an earlier run, and what becomes of them. NULL: placed anew. */
static void
masks_found_are_adopted_when_they_are_right(void **state)
{
	static const struct {
		const char *what;
		const char *mask;
		unsigned int vcpus;
		enum plan_verdict verdict;
		const char *wanted;
	} cases[] = {
		{"an L3 group", "4-7,36-39", 4, PLAN_KEEP, "4-7,36-39"},
		{"a node", "8-15,40-47", 4, PLAN_KEEP, "8-15,40-47"},
		{"neighbour nodes", "0-15,32-47", 4, PLAN_KEEP, "0-15,32-47"},
		{"the host", "0-63", 4, PLAN_KEEP, "0-63"},
		{"groups that were neighbours once", "4-11,36-43", 4, PLAN_KEEP,
			"4-11,36-43"},
		{"nodes that were neighbours once", "0-7,16-23,32-39,48-55", 20,
			PLAN_KEEP, "0-7,16-23,32-39,48-55"},
		{"former neighbours that are too small", "4-11,36-43", 17, PLAN_PLACE,
			"0-15,32-47"},
		{"most of a domain", "4-7,36-38", 4, PLAN_PLACE, "4-7,36-39"},
		{"too small for it", "4-7,36-39", 10, PLAN_PLACE, "0-7,32-39"},
		{"with CPUs that are not there", "4-7,36-39,64-70", 4, PLAN_PLACE,
			"4-7,36-39"},
		{"less than half of an L3 group", "4-6", 3, PLAN_PLACE, "4-7,36-39"},
		{"less than half of a node", "2-5", 3, PLAN_PLACE, NULL},
		{"most of it left, less than half of a node", "3-4,64", 2, PLAN_PLACE,
			"0-7,32-39"},
		{"crossing domains", "6-9", 4, PLAN_PLACE, NULL},
		{"none online", "64-70", 4, PLAN_PLACE, NULL},
	};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fleet *f =
			placed_on(&h, cases[i].mask, cases[i].vcpus, cases[i].vcpus);
		struct plan *p = fleet_plan(f);
		struct cpuset wanted =
			cpus(cases[i].wanted != NULL ? cases[i].wanted : "");
		struct plan_result *r = &p->results[0];

		if (r->verdict != cases[i].verdict)
			fail_msg("%s: verdict %d (%s)", cases[i].what, r->verdict,
				r->why);
		if (cases[i].wanted != NULL && !cpuset_equal(&r->vcpus[0], &wanted))
			fail_msg("%s: other CPUs (%s)", cases[i].what, r->why);
		if (cases[i].wanted == NULL && strstr(r->why, "free") == NULL)
			fail_msg("%s: not placed anew (%s)", cases[i].what, r->why);
		plan_free(p);
		fleet_free(f);
	}
	host_fini(&h);
}

/* What it had is made of whole groups, as former neighbours are. */
static void
groups_that_come_back_are_taken_in_again(void **state)
{
	static const struct {
		const char *what;
		const char *mask;
		const char *could; /* at the plan before */
		const char *wanted;
	} cases[] = {
		{"a node of the host", "0-7,16-31,32-39,48-63", "0-7,16-31,32-39,48-63",
			"0-63"},
		{"two of them", "0-7,16-23,32-39,48-55", "0-7,16-23,32-39,48-55",
			"0-63"},
		{"an L3 group of a socket", "4-15,36-47", "4-31,36-63", "0-15,32-47"},
		{"a CPU of a node", "0-7,16-31,32-39,48-63", "0-8,10-31,32-63", "0-63"},
		{"what is none of its business", "4-11,36-43", "0-30,32-62",
			"4-11,36-43"},
		{"nothing", "4-11,36-43", "0-63", "4-11,36-43"},
	};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fleet *f = placed_on(&h, cases[i].mask, 4, 4);
		struct cpuset wanted = cpus(cases[i].wanted);
		struct plan *p;

		f->vms[0].in.could = cpus(cases[i].could);
		p = fleet_plan(f);
		if (!cpuset_equal(&p->results[0].vcpus[0], &wanted))
			fail_msg("%s: %s", cases[i].what, p->results[0].why);
		plan_free(p);
		fleet_free(f);
	}
	host_fini(&h);
}

/* All VMs of a host, placed by the firmware's word, and then another one is had. */
static void
what_is_learnt_about_latencies_moves_nobody(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	for (unsigned int i = 0; i < 12; i++) {
		fleet_add_id(f, 100 + i, PLACE_AUTO, 2 + 5 * (i % 5));
		fleet_step(f);
	}
	for (unsigned int a = 0; a < h.lat.n; a++) {
		for (unsigned int b = 0; b < h.lat.n; b++) {
			if (h.topo->pus[a].l3 != h.topo->pus[b].l3)
				h.ns[a * h.lat.n + b] =
					((h.topo->pus[a].l3 ^ h.topo->pus[b].l3) & 5) ==
							5
						? 100
						: 180;
		}
	}
	p = fleet_plan(f);
	for (unsigned int i = 0; i < p->n; i++) {
		if (p->results[i].verdict != PLAN_KEEP)
			fail_msg("VM %u: %s", i, p->results[i].why);
		assert_null(strstr(p->results[i].why, "limit"));
	}
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

/* The firmware's L3 groups are wrong: cores of odd and of even numbers are near each
 * other. */
static struct ranking *
crosswise(struct host *h)
{
	struct matrix *m = matrix_new(&h->topo->online);
	struct ranking *r;

	for (unsigned int a = 0; a < h->lat.n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			const struct topo_pu *x = &h->topo->pus[a];
			const struct topo_pu *y = &h->topo->pus[b];
			float ns = h->ns[a * h->lat.n + b];

			if (x->node == y->node && x->core != y->core)
				ns = (x->core & 1) == (y->core & 1) ? 25 : 95;
			h->ns[a * h->lat.n + b] = ns;
			h->ns[b * h->lat.n + a] = ns;
			*matrix_at(m, a, b) = (struct matrix_cell){ns, 8, 95};
		}
	}
	r = ranking_from_matrix(h->topo, m, &h->lat);
	matrix_free(m);
	return r;
}

static void
firmware_that_was_wrong_moves_nobody_but_newcomers_know_better(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct cpuset wanted = cpus("24,26,28,30,56,58,60,62");
	struct plan *p;

	(void)state;
	for (unsigned int i = 0; i < 7; i++) {
		fleet_add_id(f, 100 + i, PLACE_AUTO, 4);
		fleet_step(f);
	}
	ranking_free(h.ranking);
	h.ranking = crosswise(&h);
	assert_true(h.ranking->trusted);
	fleet_add(f, "200", PLACE_AUTO, 4);
	p = fleet_plan(f);
	for (unsigned int i = 0; i < 7; i++) {
		if (p->results[i].verdict != PLAN_KEEP)
			fail_msg("VM %u: %s", i, p->results[i].why);
	}
	if (!cpuset_equal(&p->results[7].domain, &wanted))
		fail_msg("newcomer: %s", p->results[7].why);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
vcpus_with_different_masks_are_placed_anew(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = placed_on(&h, "0-3,32-35", 4, 4);
	struct plan *p;

	(void)state;
	f->vms[0].masks[2] = cpus("4-7,36-39");
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_PLACE);
	for (unsigned int v = 1; v < 4; v++)
		assert_true(
			cpuset_equal(&p->results[0].vcpus[0], &p->results[0].vcpus[v]));
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
a_plugged_vcpu_gets_the_mask_of_the_others(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = placed_on(&h, "8-11,40-43", 3, 4);
	struct plan *p = fleet_plan(f);
	struct cpuset same = cpus("8-11,40-43");

	(void)state;
	assert_int_equal(p->results[0].verdict, PLAN_PLACE);
	assert_int_equal(p->results[0].n_vcpus, 4);
	for (unsigned int v = 0; v < 4; v++)
		assert_true(cpuset_equal(&p->results[0].vcpus[v], &same));
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
masks_a_vm_was_never_given_are_no_placement(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = placed_on(&h, "0-63", 4, 4);
	struct plan *p;

	(void)state;
	f->vms[0].in.placed = false;
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_PLACE);
	assert_int_equal(cpuset_count(&p->results[0].vcpus[0]), 8);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

/* Whole L3 groups full of VMs, each too small to fill one: the pair widens, not the
 * world. */
static void
others_are_widened_only_to_supersets_and_it_is_said(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	unsigned int widened = 0;

	(void)state;
	for (unsigned int i = 0; i < 60; i++) {
		struct plan *p;

		fleet_add_id(f, 100 + i, PLACE_AUTO, 2 + i % 5);
		p = fleet_plan(f);
		for (unsigned int k = 0; k < i; k++) {
			const struct plan_result *r = &p->results[k];

			if (r->verdict == PLAN_KEEP)
				continue;
			assert_int_equal(r->verdict, PLAN_PLACE);
			assert_true(cpuset_within(&f->vms[k].masks[0], &r->vcpus[0]));
			assert_non_null(strstr(r->why, "widened"));
			widened++;
		}
		fleet_apply(f, p);
		plan_free(p);
	}
	assert_true(widened > 0);
	fleet_free(f);
	host_fini(&h);
}

static void
an_l3_group_is_left_to_the_vm_that_has_it_while_others_are_empty(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct cpuset seen = CPUSET_NONE;

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		fleet_add_id(f, 100 + i, PLACE_AUTO, 4);
		fleet_step(f);
		assert_false(cpuset_overlap(&seen, &f->vms[i].masks[0]));
		assert_int_equal(cpuset_count(&f->vms[i].masks[0]), 8);
		seen = cpuset_or(&seen, &f->vms[i].masks[0]);
	}
	assert_true(cpuset_equal(&seen, &h.topo->online));
	fleet_free(f);
	host_fini(&h);
}

/* Add a VM that was placed on @mask and may use @limit. */
static void
add_placed(struct fleet *f, const char *id, unsigned int n_vcpus, const char *mask,
	const char *limit)
{
	struct fleet_vm *vm = fleet_add(f, id, PLACE_AUTO, n_vcpus);

	vm->masks = xcalloc(n_vcpus, sizeof(*vm->masks));
	for (unsigned int v = 0; v < n_vcpus; v++)
		vm->masks[v] = cpus(mask);
	vm->in.n_current = n_vcpus;
	vm->in.placed = true;
	vm->in.limit = cpus(limit);
}

/* The others fill their L3 groups just so. The new VM has half the CPUs of these groups
 * and nowhere else to go: the others must, until it seldom waits. */
static void
neighbours_make_room_for_a_vm_that_has_nowhere_else(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);

	(void)state;
	add_placed(f, "100", 8, "0-3,32-35", "0-63");
	add_placed(f, "101", 8, "4-7,36-39", "0-63");
	add_placed(f, "102", 8, "8-11,40-43", "0-63");
	add_placed(f, "103", 8, "12-15,44-47", "0-63");
	fleet_add(f, "200", PLACE_AUTO, 16)->in.limit = cpus("0-15");
	fleet_step(f);
	assert_true(fleet_judge(f, 99, 40).wait <= 0.01);
	fleet_free(f);
	host_fini(&h);
}

/* Four on half an L3 group, which is less than the group: the half is what is full. */
static void
vms_that_crowd_a_part_of_a_domain_are_widened(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);

	(void)state;
	add_placed(f, "100", 4, "0-3", "0-15");
	add_placed(f, "101", 2, "0-3", "0-15");
	add_placed(f, "102", 2, "0-3", "0-15");
	fleet_add(f, "200", PLACE_AUTO, 4)->in.limit = cpus("0-3");
	fleet_step(f);
	for (unsigned int i = 0; i < 3; i++)
		assert_true(cpuset_count(&f->vms[i].masks[0]) > 4);
	/* limits that overlap in part know little of each other: about kept */
	assert_true(fleet_judge(f, 99, 40).wait <= 0.02);
	fleet_free(f);
	host_fini(&h);
}

static void
measured_latencies_choose_the_neighbours(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct cpuset wanted = cpus("0-7,16-23,32-39,48-55");

	(void)state;
	/* nodes 0 and 2, 1 and 3 are near; the firmware calls all equal */
	for (unsigned int a = 0; a < h.lat.n; a++) {
		for (unsigned int b = 0; b < h.lat.n; b++) {
			if (h.topo->pus[a].node != h.topo->pus[b].node)
				h.ns[a * h.lat.n + b] =
					(h.topo->pus[a].node ^ h.topo->pus[b].node) == 2
						? 100
						: 180;
		}
	}
	fleet_add(f, "100", PLACE_AUTO, 24);
	fleet_step(f);
	assert_true(cpuset_equal(&f->vms[0].masks[0], &wanted));
	fleet_free(f);
	host_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_vms_with_one_id_are_refused_by_name),
		cmocka_unit_test(latencies_of_another_host_are_refused),
		cmocka_unit_test(no_vms_make_an_empty_plan),
		cmocka_unit_test(a_host_with_every_cpu_reserved_leaves_all),
		cmocka_unit_test(masks_found_are_adopted_when_they_are_right),
		cmocka_unit_test(groups_that_come_back_are_taken_in_again),
		cmocka_unit_test(what_is_learnt_about_latencies_moves_nobody),
		cmocka_unit_test(
			firmware_that_was_wrong_moves_nobody_but_newcomers_know_better),
		cmocka_unit_test(vcpus_with_different_masks_are_placed_anew),
		cmocka_unit_test(a_plugged_vcpu_gets_the_mask_of_the_others),
		cmocka_unit_test(masks_a_vm_was_never_given_are_no_placement),
		cmocka_unit_test(others_are_widened_only_to_supersets_and_it_is_said),
		cmocka_unit_test(
			an_l3_group_is_left_to_the_vm_that_has_it_while_others_are_empty),
		cmocka_unit_test(neighbours_make_room_for_a_vm_that_has_nowhere_else),
		cmocka_unit_test(vms_that_crowd_a_part_of_a_domain_are_widened),
		cmocka_unit_test(measured_latencies_choose_the_neighbours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Guests with NUMA nodes: one domain for all or one for each, bound ones, odd ones. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "expect.h"
#include "fleet.h"

#define MAX_NODES 200u

/* A guest whose vCPUs are spread over its nodes in turn, in blocks. */
struct guest {
	struct plan_guest_node nodes[MAX_NODES];
	uint16_t node_of[PLAN_VCPUS_MAX];
};

static struct fleet_vm *
add_guest(struct fleet *f, const char *id, struct guest *g, unsigned int n_nodes,
	unsigned int n_vcpus)
{
	struct fleet_vm *vm = fleet_add(f, id, PLACE_AUTO, n_vcpus);

	memset(g, 0, sizeof(*g));
	for (unsigned int v = 0; v < n_vcpus; v++)
		g->node_of[v] = (uint16_t)(v * n_nodes / n_vcpus);
	vm->in.n_guest_nodes = n_nodes;
	vm->in.guest_nodes = g->nodes;
	vm->in.guest_node_of = g->node_of;
	return vm;
}

/* A fleet with one guest on @spec. */
struct stage {
	struct host host;
	struct fleet *fleet;
	struct guest guest;
	struct fleet_vm *vm;
};

static struct stage *
stage_new(const struct host_spec *spec, unsigned int n_nodes, unsigned int n_vcpus)
{
	struct stage *s = xcalloc(1, sizeof(*s));

	s->host = host_full(spec);
	s->fleet = fleet_new(&s->host);
	s->vm = add_guest(s->fleet, "100", &s->guest, n_nodes, n_vcpus);
	return s;
}

static void
stage_free(struct stage *s)
{
	fleet_free(s->fleet);
	host_fini(&s->host);
	free(s);
}

/* The host node that has all of @mask, or -1. */
static int
node_of(const struct topo *t, const struct cpuset *mask)
{
	for (unsigned int i = 0; i < t->n_nodes; i++) {
		if (cpuset_within(mask, &t->nodes[i].cpus))
			return (int)i;
	}
	return -1;
}

static void
a_guest_that_fits_is_within_one_host_node(void **state)
{
	static const struct {
		const struct host_spec *spec;
		unsigned int nodes;
		unsigned int vcpus;
		unsigned int l3_groups; /* at most */
	} cases[] = {
		{&host_9354, 2, 2, 1},
		{&host_9354, 2, 4, 1},
		{&host_9354, 2, 8, 2},
		{&host_9354, 2, 16, 2},
		{&host_7351p, 2, 4, 2},
		{&host_7351p, 4, 8, 2},
		{&host_9654_2s, 2, 8, 1},
		{&host_9654_2s, 2, 24, 3},
		{&host_xeon_2s, 2, 16, 1},
		{&host_xeon_2s, 4, 32, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct stage *s =
			stage_new(cases[i].spec, cases[i].nodes, cases[i].vcpus);
		struct plan *p = fleet_plan(s->fleet);
		const struct plan_result *r = &p->results[0];
		const struct topo *t = s->host.topo;
		unsigned int groups = 0;

		for (unsigned int k = 0; k < t->n_l3; k++)
			groups += cpuset_overlap(&t->l3[k].cpus, &r->domain);
		if (r->verdict != PLAN_PLACE || node_of(t, &r->domain) < 0 ||
			groups > cases[i].l3_groups)
			fail_msg("%s, %u guest nodes, %u vCPUs: %s",
				cases[i].spec->name, cases[i].nodes, cases[i].vcpus,
				r->why);
		plan_free(p);
		stage_free(s);
	}
}

static void
guest_nodes_that_do_not_fit_together_each_have_a_host_node(void **state)
{
	static const struct {
		const struct host_spec *spec;
		unsigned int nodes;
		unsigned int vcpus;
	} cases[] = {
		{&host_9354, 2, 24},
		{&host_9354, 2, 32},
		{&host_9354, 4, 32},
		{&host_9354, 4, 64},
		{&host_7351p, 2, 16},
		{&host_7351p, 4, 32},
		{&host_xeon_2s, 2, 48},
		{&host_xeon_2s, 2, 64},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct stage *s =
			stage_new(cases[i].spec, cases[i].nodes, cases[i].vcpus);
		struct plan *p = fleet_plan(s->fleet);
		const struct plan_result *r = &p->results[0];
		unsigned int each = cases[i].vcpus / cases[i].nodes;

		for (unsigned int v = 0; v < cases[i].vcpus; v++) {
			int node = node_of(s->host.topo, &r->vcpus[v]);

			/* in the order of guest nodes, as they are all alike */
			if (node != (int)(v / each))
				fail_msg("%s, %u guest nodes, %u vCPUs: vCPU %u is "
					 "on node %d (%s)",
					cases[i].spec->name, cases[i].nodes,
					cases[i].vcpus, v, node, r->why);
		}
		plan_free(p);
		stage_free(s);
	}
}

/* As measured, the firmware calls all equal: nodes 0 and 3 are near each other. */
static void
guest_nodes_go_to_host_nodes_that_are_near_each_other(void **state)
{
	struct stage *s = stage_new(&host_9354, 2, 32);
	const struct topo *t = s->host.topo;
	struct plan *p;

	(void)state;
	for (unsigned int a = 0; a < t->n_pus; a++) {
		for (unsigned int b = 0; b < t->n_pus; b++) {
			int x = t->pus[a].node;
			int y = t->pus[b].node;

			if (x != y)
				s->host.ns[a * t->n_pus + b] = (x ^ y) == 3 ? 90 : 200;
		}
	}
	p = fleet_plan(s->fleet);
	assert_int_equal(node_of(t, &p->results[0].vcpus[0]), 0);
	assert_int_equal(node_of(t, &p->results[0].vcpus[16]), 3);
	plan_free(p);
	stage_free(s);
}

/* Binding as of numaN: hostnodes= and what each of the guest's nodes may have. */
static void
bound_guest_nodes_stay_on_their_host_nodes(void **state)
{
	static const struct {
		const char *what;
		const char *host_nodes[3];
		const char *inside[3];
	} cases[] = {
		{"one each", {"2", "0", "1"},
			{"16-23,48-55", "0-7,32-39", "8-15,40-47"}},
		{"all on one", {"3", "3", "3"},
			{"24-31,56-63", "24-31,56-63", "24-31,56-63"}},
		{"several for one", {"1-2", "0", "3"},
			{"8-23,40-55", "0-7,32-39", "24-31,56-63"}},
		{"overlapping", {"0-1", "1-2", "1"},
			{"0-15,32-47", "8-23,40-55", "8-15,40-47"}},
		{"some of them", {"", "2", ""}, {"0-63", "16-23,48-55", "0-63"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct stage *s = stage_new(&host_9354, 3, 18);
		struct plan *p;
		const struct plan_result *r;

		for (unsigned int k = 0; k < 3; k++)
			s->guest.nodes[k].host_nodes = cpus(cases[i].host_nodes[k]);
		p = fleet_plan(s->fleet);
		r = &p->results[0];
		assert_int_equal(r->verdict, PLAN_PLACE);
		for (unsigned int v = 0; v < 18; v++) {
			struct cpuset inside = cpus(cases[i].inside[v / 6]);

			if (!cpuset_within(&r->vcpus[v], &inside))
				fail_msg("%s: guest node %u is outside (%s)",
					cases[i].what, v / 6, r->why);
		}
		plan_free(p);
		stage_free(s);
	}
}

static void
an_unbound_guest_node_is_near_the_bound_one(void **state)
{
	struct stage *s = stage_new(&host_9654_2s, 2, 64);
	struct plan *p;

	(void)state;
	s->guest.nodes[1].host_nodes = cpus("6");
	p = fleet_plan(s->fleet);
	assert_int_equal(node_of(s->host.topo, &p->results[0].vcpus[32]), 6);
	/* on the second socket, and not on the node that is full then */
	assert_true(node_of(s->host.topo, &p->results[0].vcpus[0]) >= 4);
	assert_int_not_equal(node_of(s->host.topo, &p->results[0].vcpus[0]), 6);
	plan_free(p);
	stage_free(s);
}

static void
unbound_guest_nodes_share_what_the_affinity_leaves(void **state)
{
	struct stage *s = stage_new(&host_9354, 2, 8);
	struct cpuset affinity = cpus("8-15,40-47");
	struct plan *p;

	(void)state;
	s->vm->in.affinity = &affinity;
	p = fleet_plan(s->fleet);
	assert_int_equal(p->results[0].verdict, PLAN_PLACE);
	for (unsigned int v = 0; v < 8; v++)
		assert_true(cpuset_within(&p->results[0].vcpus[v], &affinity));
	plan_free(p);
	stage_free(s);
}

/* What is wrong is that VM's reason, with the numbers; the other one is planned. */
static void
rules_that_contradict_each_other_refuse_that_vm_alone(void **state)
{
	static const struct {
		const char *host_node;
		const char *affinity;
		const char *cgroup;
		const char *says[3];
	} cases[] = {
		{"2", "0-7,32-39", NULL, {"guest node 1", "host node 2", "0-7,32-39"}},
		{"7", NULL, NULL, {"guest node 1", "host node 7", "not there"}},
		{"1", NULL, "16-23", {"guest node 1", "host node 1", "16-23"}},
		{"", "0-7", "8-15", {"affinity 0-7", "cpuset 8-15", "no online CPU"}},
		{"", "", NULL, {"affinity (empty)", "no online CPU", "0-63"}},
		{"", "70-80", NULL, {"affinity 70-80", "no online CPU", "0-63"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct stage *s = stage_new(&host_9354, 2, 8);
		struct cpuset affinity;
		struct cpuset cgroup;
		struct plan *p;

		if (cases[i].affinity != NULL) {
			affinity = cpus(cases[i].affinity);
			s->vm->in.affinity = &affinity;
		}
		if (cases[i].cgroup != NULL) {
			cgroup = cpus(cases[i].cgroup);
			s->vm->in.cgroup = &cgroup;
		}
		s->guest.nodes[1].host_nodes = cpus(cases[i].host_node);
		(void)fleet_add(s->fleet, "101", PLACE_AUTO, 4);
		p = fleet_plan(s->fleet);
		assert_int_equal(p->results[0].verdict, PLAN_LEAVE);
		assert_int_equal(p->results[1].verdict, PLAN_PLACE);
		for (unsigned int k = 0; k < 3; k++) {
			if (strstr(p->results[0].why, cases[i].says[k]) == NULL)
				fail_msg("case %zu: \"%s\" is not in \"%s\"", i,
					cases[i].says[k], p->results[0].why);
		}
		plan_free(p);
		stage_free(s);
	}
}

/* -smp 4,maxcpus=16 with four guest nodes, and some of them without a vCPU yet. */
static void
guest_nodes_whose_vcpus_are_not_plugged_are_nowhere(void **state)
{
	struct stage *s = stage_new(&host_9354, 4, 5);
	struct plan *p;

	(void)state;
	for (unsigned int v = 0; v < 5; v++)
		s->guest.node_of[v] = v < 4 ? 0 : 2;
	s->guest.nodes[0].host_nodes = cpus("1");
	s->guest.nodes[1].host_nodes = cpus("9"); /* nobody's */
	p = fleet_plan(s->fleet);
	assert_int_equal(p->results[0].verdict, PLAN_PLACE);
	assert_int_equal(node_of(s->host.topo, &p->results[0].vcpus[0]), 1);
	assert_int_equal(node_of(s->host.topo, &p->results[0].vcpus[4]), 1);
	plan_free(p);
	stage_free(s);
}

static void
a_guest_node_that_gets_its_first_vcpu_comes_near_the_others(void **state)
{
	struct stage *s = stage_new(&host_9354, 2, 9);
	struct cpuset kept;
	struct plan *p;

	(void)state;
	for (unsigned int v = 0; v < 9; v++)
		s->guest.node_of[v] = v == 8;
	s->guest.nodes[0].host_nodes = cpus("2");
	s->vm->in.n_vcpus = 8;
	fleet_step(s->fleet);
	kept = s->vm->masks[0];
	s->vm->in.n_vcpus = 9;
	p = fleet_plan(s->fleet);
	assert_true(cpuset_equal(&p->results[0].vcpus[0], &kept));
	assert_int_equal(node_of(s->host.topo, &p->results[0].vcpus[8]), 2);
	plan_free(p);
	stage_free(s);
}

static void
a_guest_with_nodes_stays_where_it_was_placed(void **state)
{
	static const unsigned int sizes[] = {2, 8, 24, 48, 64};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct stage *s = stage_new(&host_9354, 2, sizes[i]);
		struct plan *p;

		fleet_step(s->fleet);
		p = fleet_plan(s->fleet);
		if (p->results[0].verdict != PLAN_KEEP)
			fail_msg("%u vCPUs: %s", sizes[i], p->results[0].why);
		plan_free(p);
		stage_free(s);
	}
}

static void
observing_a_guest_with_nodes_says_what_it_would_get(void **state)
{
	struct stage *s = stage_new(&host_9354, 2, 24);
	struct plan *wanted = fleet_plan(s->fleet);
	struct plan *p;

	(void)state;
	s->vm->in.mode = PLACE_OBSERVE;
	p = fleet_plan(s->fleet);
	assert_false(p->results[0].apply);
	for (unsigned int v = 0; v < 24; v++)
		assert_true(cpuset_equal(
			&p->results[0].vcpus[v], &wanted->results[0].vcpus[v]));
	plan_free(wanted);
	plan_free(p);
	stage_free(s);
}

static void
a_pinned_guest_with_nodes_keeps_to_its_host_nodes(void **state)
{
	struct stage *s = stage_new(&host_9354, 2, 8);
	struct plan *p;

	(void)state;
	s->vm->in.mode = PLACE_PIN;
	s->guest.nodes[0].host_nodes = cpus("3");
	s->guest.nodes[1].host_nodes = cpus("0");
	p = fleet_plan(s->fleet);
	for (unsigned int v = 0; v < 8; v++) {
		assert_int_equal(cpuset_count(&p->results[0].vcpus[v]), 1);
		assert_int_equal(
			node_of(s->host.topo, &p->results[0].vcpus[v]), v < 4 ? 3 : 0);
	}
	plan_free(p);
	stage_free(s);
}

static void
guest_nodes_go_where_their_memory_is(void **state)
{
	static const double on_3[4] = {0, 0, 0, 1};
	static const double on_1[4] = {0, 0.9, 0.1, 0};
	struct stage *s = stage_new(&host_9354, 2, 8);
	struct plan *p;

	(void)state;
	s->guest.nodes[0].memory_share = on_3;
	s->guest.nodes[1].memory_share = on_1;
	p = fleet_plan(s->fleet);
	assert_int_equal(node_of(s->host.topo, &p->results[0].vcpus[0]), 3);
	assert_int_equal(node_of(s->host.topo, &p->results[0].vcpus[4]), 1);
	plan_free(p);
	stage_free(s);
}

/* 128 nodes are QEMU's limit; a guest with one more is refused with the numbers. */
static void
as_many_guest_nodes_as_qemu_has_are_planned(void **state)
{
	static const struct {
		unsigned int nodes;
		unsigned int vcpus;
		enum plan_verdict verdict;
		const char *says;
	} cases[] = {
		{128, 128, PLAN_PLACE, "guest node 0"},
		{128, PLAN_VCPUS_MAX, PLAN_PLACE, "guest node 0"},
		{129, 129, PLAN_LEAVE, "129 guest nodes, at most 128"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct stage *s =
			stage_new(&host_7351p, cases[i].nodes, cases[i].vcpus);
		struct plan *p = fleet_plan(s->fleet);

		if (p->results[0].verdict != cases[i].verdict ||
			strstr(p->results[0].why, cases[i].says) == NULL)
			fail_msg("case %zu: %s", i, p->results[0].why);
		plan_free(p);
		stage_free(s);
	}
}

static void
a_vcpu_in_a_guest_node_that_is_not_there_refuses_the_vm(void **state)
{
	struct stage *s = stage_new(&host_9354, 2, 4);
	struct plan *p;

	(void)state;
	s->guest.node_of[3] = 5;
	p = fleet_plan(s->fleet);
	assert_int_equal(p->results[0].verdict, PLAN_LEAVE);
	assert_non_null(strstr(p->results[0].why, "vCPU 3 is in guest node 5 of 2"));
	plan_free(p);
	stage_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guest_that_fits_is_within_one_host_node),
		cmocka_unit_test(
			guest_nodes_that_do_not_fit_together_each_have_a_host_node),
		cmocka_unit_test(guest_nodes_go_to_host_nodes_that_are_near_each_other),
		cmocka_unit_test(bound_guest_nodes_stay_on_their_host_nodes),
		cmocka_unit_test(an_unbound_guest_node_is_near_the_bound_one),
		cmocka_unit_test(unbound_guest_nodes_share_what_the_affinity_leaves),
		cmocka_unit_test(rules_that_contradict_each_other_refuse_that_vm_alone),
		cmocka_unit_test(guest_nodes_whose_vcpus_are_not_plugged_are_nowhere),
		cmocka_unit_test(
			a_guest_node_that_gets_its_first_vcpu_comes_near_the_others),
		cmocka_unit_test(a_guest_with_nodes_stays_where_it_was_placed),
		cmocka_unit_test(observing_a_guest_with_nodes_says_what_it_would_get),
		cmocka_unit_test(a_pinned_guest_with_nodes_keeps_to_its_host_nodes),
		cmocka_unit_test(guest_nodes_go_where_their_memory_is),
		cmocka_unit_test(as_many_guest_nodes_as_qemu_has_are_planned),
		cmocka_unit_test(
			a_vcpu_in_a_guest_node_that_is_not_there_refuses_the_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Memory: VMs go where theirs is, or where it will fit. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "expect.h"
#include "fleet.h"

static bool
on_node(const struct host *h, const struct plan_result *r, unsigned int node)
{
	return r->verdict == PLAN_PLACE &&
	       cpuset_within(&r->domain, &h->topo->nodes[node].cpus);
}

static void
add_placed(struct fleet *f, const char *id, unsigned int n_vcpus, const char *mask,
	const double *memory)
{
	struct fleet_vm *vm = fleet_add(f, id, PLACE_AUTO, n_vcpus);

	vm->masks = xcalloc(n_vcpus, sizeof(*vm->masks));
	for (unsigned int v = 0; v < n_vcpus; v++)
		vm->masks[v] = cpus(mask);
	vm->in.n_current = n_vcpus;
	vm->in.placed = true;
	vm->in.memory_share = memory;
}

/* One VM of 4 vCPUs on two nodes that are alike but for their free memory. */
static void
a_newcomer_goes_where_its_memory_fits(void **state)
{
	static const struct {
		const char *what;
		double gib;
		double free[2];
		unsigned int node;
	} cases[] = {
		{"3 GiB, the second has them", 3, {2.2, 3.35}, 1},
		{"3 GiB, the first has them", 3, {3.35, 2.2}, 0},
		{"both have room: the lower CPU", 3, {3.35, 300}, 0},
		{"neither has: the one with more", 8, {2, 5}, 1},
		{"all full: no effect", 8, {0, 0}, 0},
		{"unknown of the first: enough", 3, {-1, 1}, 0},
		{"unknown of both: no effect", 3, {-1, -1}, 0},
		{"no memory known: no effect", 0, {0, 100}, 0},
		{"nonsense: no effect", -5, {0, 100}, 0},
		{"no number: no effect", NAN, {0, 100}, 0},
		{"endless: the one with more", INFINITY, {1, 1000000}, 1},
	};
	struct host h = host_full(&host_xeon_2s);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fleet *f = fleet_new(&h);
		struct plan *p;

		fleet_add(f, "100", PLACE_AUTO, 4)->in.memory_gib = cases[i].gib;
		f->node_free_gib = cases[i].free;
		p = fleet_plan(f);
		if (!on_node(&h, &p->results[0], cases[i].node))
			fail_msg("%s: %s", cases[i].what, p->results[0].why);
		plan_free(p);
		fleet_free(f);
	}
	host_fini(&h);
}

/* Node 1 is busy, so both newcomers would rather have node 0, where there is memory for
 * one of them. */
static void
newcomers_of_one_plan_share_what_is_free(void **state)
{
	static const double on_1[2] = {0, 1};
	static const double free_gib[2] = {5, 100};
	static const double plenty[2] = {50, 100};
	struct host h = host_full(&host_xeon_2s);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	add_placed(f, "100", 8, "16-31,48-63", on_1);
	fleet_add(f, "101", PLACE_AUTO, 3)->in.memory_gib = 4;
	fleet_add(f, "102", PLACE_AUTO, 2)->in.memory_gib = 4;
	f->node_free_gib = plenty;
	p = fleet_plan(f);
	assert_true(on_node(&h, &p->results[1], 0));
	assert_true(on_node(&h, &p->results[2], 0));
	plan_free(p);
	f->node_free_gib = free_gib;
	p = fleet_plan(f);
	assert_true(on_node(&h, &p->results[1], 0));
	if (!on_node(&h, &p->results[2], 1))
		fail_msg("%s", p->results[2].why);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

/* The same with one that cannot choose. */
static void
memory_of_a_bound_newcomer_is_taken_from_its_node(void **state)
{
	static const double on_1[2] = {0, 1};
	static const double free_gib[2] = {5, 100};
	struct host h = host_full(&host_xeon_2s);
	struct fleet *f = fleet_new(&h);
	struct plan_guest_node bound = {.host_nodes = cpus("0")};
	struct fleet_vm *vm;
	struct plan *p;

	(void)state;
	add_placed(f, "100", 8, "16-31,48-63", on_1);
	vm = fleet_add(f, "101", PLACE_AUTO, 3);
	vm->in.memory_gib = 4;
	vm->in.n_guest_nodes = 1;
	vm->in.guest_nodes = &bound;
	fleet_add(f, "102", PLACE_AUTO, 2)->in.memory_gib = 4;
	f->node_free_gib = free_gib;
	p = fleet_plan(f);
	assert_true(on_node(&h, &p->results[1], 0));
	if (!on_node(&h, &p->results[2], 1))
		fail_msg("%s", p->results[2].why);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

/* What runs has its memory, which is not in what is free. */
static void
a_vm_that_was_placed_takes_nothing_more(void **state)
{
	static const double free_gib[2] = {5, 100};
	struct host h = host_full(&host_xeon_2s);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	add_placed(f, "100", 4, "0-15,32-47", NULL);
	add_placed(f, "101", 6, "16-31,48-63", NULL);
	f->vms[0].in.memory_gib = 8;
	fleet_add(f, "102", PLACE_AUTO, 2)->in.memory_gib = 4;
	f->node_free_gib = free_gib;
	p = fleet_plan(f);
	assert_true(on_node(&h, &p->results[2], 0));
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
a_vm_goes_to_its_memory_unless_that_node_is_crowded(void **state)
{
	static const double on_1[2] = {0, 1};
	struct host h = host_full(&host_xeon_2s);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	fleet_add(f, "100", PLACE_AUTO, 8)->in.memory_share = on_1;
	p = fleet_plan(f);
	assert_true(on_node(&h, &p->results[0], 1));
	plan_free(p);
	add_placed(f, "097", 30, "16-31,48-63", on_1);
	add_placed(f, "098", 30, "16-31,48-63", on_1);
	add_placed(f, "099", 30, "16-31,48-63", on_1);
	p = fleet_plan(f);
	assert_false(on_node(&h, &p->results[0], 1));
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

/* Two sockets; the memory is on node 6, which the VM may not use. */
static void
next_best_is_a_node_near_the_memory(void **state)
{
	static const double on_6[8] = {0, 0, 0, 0, 0, 0, 1, 0};
	struct host h = host_full(&host_9654_2s);
	struct fleet *f = fleet_new(&h);
	struct cpuset there = h.topo->nodes[6].cpus;
	struct fleet_vm *vm = fleet_add(f, "100", PLACE_AUTO, 16);
	struct plan *p;

	(void)state;
	vm->in.memory_share = on_6;
	vm->in.limit = cpuset_minus(&h.topo->online, &there);
	p = fleet_plan(f);
	if (cpuset_next(&p->results[0].domain, 0) < 96 ||
		cpuset_next(&p->results[0].domain, 0) >= 192)
		fail_msg("%s", p->results[0].why); /* the other socket */
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_newcomer_goes_where_its_memory_fits),
		cmocka_unit_test(newcomers_of_one_plan_share_what_is_free),
		cmocka_unit_test(memory_of_a_bound_newcomer_is_taken_from_its_node),
		cmocka_unit_test(a_vm_that_was_placed_takes_nothing_more),
		cmocka_unit_test(a_vm_goes_to_its_memory_unless_that_node_is_crowded),
		cmocka_unit_test(next_best_is_a_node_near_the_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Placing guest nodes together against placing each of them for itself. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "cases.h"
#include "fleet.h"
#include "place/candidates.h"
#include "place/entry.h"
#include "place/float.h"

/* A guest of @nodes nodes among VMs of random sizes on random domains. */
struct scene {
	struct host host;
	struct fleet *fleet;
	struct plan_vm *vms;
	struct plan_input in;
	struct plan_result *results;
	struct plan_guest_node nodes[4];
	uint16_t node_of[64];
	struct world *w;
	struct world_vm *guest;
	struct world_group *groups; /* the guest's */
};

static void
place_others(struct scene *s, uint64_t *seed)
{
	for (unsigned int i = 0; i < s->w->n_groups; i++) {
		struct world_group *g = &s->w->groups[i];

		g->cls = world_class_of(s->w, &g->allowed);
		g->need = wait_need_of(g->in->id, (int32_t)(g->demand * WAIT_UNIT));
		if (&s->w->vms[g->vm] == s->guest)
			continue;
		world_enter(s->w, g);
		world_put(s->w, g, (int)fleet_below(seed, s->w->tree->n));
	}
	wait_settle(s->w->wait);
}

static void
scene_init(struct scene *s, const struct host_spec *spec, unsigned int nodes,
	uint64_t seed)
{
	struct cpuset usable;
	struct entries entries;
	struct fleet_vm *vm;
	unsigned int n = 4 + 4 * fleet_below(&seed, 8);

	*s = (struct scene){.host = host_full(spec)};
	s->fleet = fleet_new(&s->host);
	vm = fleet_add(s->fleet, "000", PLACE_FLOAT, n);
	for (unsigned int v = 0; v < n; v++)
		s->node_of[v] = (uint16_t)(v % nodes);
	vm->in.n_guest_nodes = nodes;
	vm->in.guest_nodes = s->nodes;
	vm->in.guest_node_of = s->node_of;
	for (unsigned int i = 0; i < 8; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "%u", 100 + i);
		fleet_add(s->fleet, id, PLACE_FLOAT, fleet_random_size(&seed));
	}
	s->vms = xcalloc(s->fleet->n, sizeof(*s->vms));
	s->results = xcalloc(s->fleet->n, sizeof(*s->results));
	s->in = fleet_input(s->fleet, s->vms);
	usable = entry_usable(&s->in);
	assert_int_equal(entry_list(&s->in, &usable, s->results, &entries, NULL), 0);
	s->w = world_new(
		&s->in, &usable, entries.vms, entries.groups, entries.n_groups);
	s->guest = &s->w->vms[0];
	s->groups = &s->w->groups[s->guest->first_group];
	place_others(s, &seed);
}

static void
scene_fini(struct scene *s)
{
	world_free(s->w);
	free(s->vms);
	free(s->results);
	fleet_free(s->fleet);
	host_fini(&s->host);
}

static double
cost_of(const struct scene *s)
{
	struct wait_cost wait = wait_measure(s->w->wait);
	double cost = float_wait_cost(s->w, &wait);

	for (unsigned int i = 0; i < s->guest->n_groups; i++)
		cost += candidates_cost(
			s->w, &s->groups[i], (unsigned int)s->groups[i].node);
	return cost;
}

static double
cost_of_each_for_itself(struct scene *s)
{
	for (unsigned int i = 0; i < s->guest->n_groups; i++) {
		world_enter(s->w, &s->groups[i]);
		world_put(s->w, &s->groups[i], (int)float_best(s->w, &s->groups[i]));
	}
	return cost_of(s);
}

static double
cost_of_all_together(struct scene *s)
{
	float_place(s->w, &s->groups[0]);
	return cost_of(s);
}

static void
together_they_never_cost_more_than_one_by_one(void **state)
{
	static const struct host_spec *const specs[] = {
		&host_9354, &host_7351p, &host_xeon_2s, &host_9654_nps1};
	unsigned int better = 0;

	(void)state;
	for (unsigned int seed = 1; seed <= 400; seed++) {
		double costs[2];

		for (unsigned int i = 0; i < 2; i++) {
			struct scene s;

			scene_init(&s, specs[seed % 4], seed % 8 < 4 ? 2 : 4,
				seed * UINT64_C(0x9e3779b97f4a7c15));
			costs[i] = i == 0 ? cost_of_each_for_itself(&s)
					  : cost_of_all_together(&s);
			scene_fini(&s);
		}
		if (costs[1] > costs[0] + 1e-3)
			fail_msg("seed %u: %f, not %f", seed, costs[1], costs[0]);
		better += costs[1] < costs[0] - 1e-3;
	}
	printf("%u of 400 guests cost less together\n", better);
	assert_true(better > 10);
}

/* The least that they cost with all of them in one domain that has a CPU for each. */
static double
cost_in_one(struct scene *s)
{
	const struct tree *t = s->w->tree;
	double least = INFINITY;

	for (unsigned int i = 0; i < s->guest->n_groups; i++)
		world_enter(s->w, &s->groups[i]);
	for (unsigned int n = 0; n < t->n; n++) {
		if (t->nodes[n].n_cpus < s->guest->in->n_vcpus && n != tree_root(t))
			continue;
		for (unsigned int i = 0; i < s->guest->n_groups; i++)
			world_put(s->w, &s->groups[i], (int)n);
		if (cost_of(s) < least)
			least = cost_of(s);
	}
	return least;
}

static void
no_domain_for_all_of_them_costs_less_than_what_is_chosen(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= cases_of(300); seed++) {
		double costs[2];

		for (unsigned int i = 0; i < 2; i++) {
			struct scene s;

			scene_init(&s, seed % 2 ? &host_9354 : &host_9654_nps1,
				seed % 4 < 2 ? 2 : 4, seed * UINT64_C(77777777777));
			costs[i] = i == 0 ? cost_in_one(&s) : cost_of_all_together(&s);
			scene_fini(&s);
		}
		if (costs[1] > costs[0] + 1e-3)
			fail_msg("seed %u: %f, in one %f", seed, costs[1], costs[0]);
	}
}

static void
all_groups_have_their_place_after_the_first_call(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, &host_9354, 4, 3);
	float_place(s.w, &s.groups[2]);
	for (unsigned int i = 0; i < 4; i++) {
		int node = s.groups[i].node;

		assert_true(node >= 0);
		assert_int_equal(s.groups[i].first, node);
		float_place(s.w, &s.groups[i]);
		assert_int_equal(s.groups[i].node, node);
	}
	scene_fini(&s);
}

static void
a_group_enters_once_only(void **state)
{
	struct scene s;
	struct wait_cost once;
	struct wait_cost again;

	(void)state;
	scene_init(&s, &host_9354, 2, 5);
	world_enter(s.w, &s.groups[0]);
	once = wait_measure(s.w->wait);
	world_enter(s.w, &s.groups[0]);
	again = wait_measure(s.w->wait);
	assert_true(once.all_cpus > 0 && once.all_cpus == again.all_cpus);
	scene_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(together_they_never_cost_more_than_one_by_one),
		cmocka_unit_test(
			no_domain_for_all_of_them_costs_less_than_what_is_chosen),
		cmocka_unit_test(all_groups_have_their_place_after_the_first_call),
		cmocka_unit_test(a_group_enters_once_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

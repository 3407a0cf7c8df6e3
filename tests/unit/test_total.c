// SPDX-License-Identifier: MIT
/*
 * The total against what it stands for: the sum of what each group pays, as the
 * candidates reckon it, in random worlds.
 */
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
#include "fleet.h"
#include "place/candidates.h"
#include "place/entry.h"
#include "place/total.h"

struct scene {
	uint64_t seed;
	uint64_t random;
	struct host host;
	struct fleet *fleet;
	struct plan_vm *vms;
	struct plan_input in;
	struct plan_result *results;
	struct plan_guest_node nodes[2];
	uint16_t node_of[64];
	struct world *w;
};

static void
add_vms(struct scene *s)
{
	unsigned int n_cpus = s->host.topo->n_pus;

	for (unsigned int i = 0; i < 12; i++) {
		struct fleet_vm *vm;
		char id[8];

		(void)snprintf(id, sizeof(id), "%u", 100 + i);
		vm = fleet_add(
			s->fleet, id, PLACE_FLOAT, 1 + fleet_below(&s->random, 8));
		if (i % 3 == 0)
			vm->in.limit =
				cpuset_below(1 + fleet_below(&s->random, n_cpus));
		if (i % 4 == 0)
			vm->in.smt = PLACE_SMT_AVOID;
		if (i % 5 == 0)
			vm->in.demand_vcpus = 0.5;
		if (i % 6 == 0) {
			vm->in.n_vcpus += 2;
			vm->in.n_guest_nodes = 2;
			vm->in.guest_nodes = s->nodes;
			vm->in.guest_node_of = s->node_of;
		}
		if (i % 2 == 0 && s->host.topo->n_nodes > 0) {
			vm->memory[fleet_below(&s->random, s->host.topo->n_nodes)] = 1;
			vm->started = true;
		}
	}
}

/* A node that the group can have. */
static unsigned int
any_node(struct scene *s, const struct world_group *g)
{
	unsigned int node;

	do {
		node = fleet_below(&s->random, s->w->tree->n);
	} while (world_room(s->w, g, node) == 0);
	return node;
}

static void
begin(struct scene *s, const struct host_spec *spec, uint64_t seed)
{
	struct entries entries;
	struct cpuset usable;

	*s = (struct scene){.seed = seed, .random = seed * 7727 + 3};
	s->host = host_full(spec);
	s->fleet = fleet_new(&s->host);
	for (unsigned int i = 0; i < ARRAY_LEN(s->node_of); i++)
		s->node_of[i] = (uint16_t)(i % 2);
	add_vms(s);
	s->vms = xcalloc(s->fleet->n, sizeof(*s->vms));
	s->results = xcalloc(s->fleet->n, sizeof(*s->results));
	s->in = fleet_input(s->fleet, s->vms);
	usable = entry_usable(&s->in);
	assert_int_equal(entry_list(&s->in, &usable, s->results, &entries, NULL), 0);
	s->w = world_new(
		&s->in, &usable, entries.vms, entries.groups, entries.n_groups);
	for (unsigned int i = 0; i < s->w->n_groups; i++) {
		struct world_group *g = &s->w->groups[i];

		g->cls = world_class_of(s->w, &g->allowed);
		g->n_allowed = s->w->classes[g->cls].n_cpus;
		g->need = wait_need_of(g->in->id, (int32_t)(g->demand * WAIT_UNIT));
		world_enter(s->w, g);
		world_put(s->w, g, (int)any_node(s, g));
	}
	wait_settle(s->w->wait);
}

static void
end(struct scene *s)
{
	world_free(s->w);
	free(s->vms);
	free(s->results);
	fleet_free(s->fleet);
	host_fini(&s->host);
}

/* Two groups that crowd each other both pay; in the total that counts once. */
static double
sum_of_costs(const struct world *w)
{
	double sum = 0;

	for (unsigned int i = 0; i < w->n_groups; i++) {
		const struct world_group *g = &w->groups[i];
		struct terms terms;

		candidates_terms(w, g, (unsigned int)g->node, &terms);
		terms.ns[TERM_FRAGMENTATION] /= 2;
		sum += g->demand * terms_sum(&terms);
	}
	return sum;
}

static void
expect_close(const struct scene *s, const char *what, double got, double wanted)
{
	if (fabs(got - wanted) > 1e-6 * (1 + fabs(wanted)))
		fail_msg("%s: %.9g, not %.9g (%s, seed %u)", what, got, wanted,
			s->host.topo->n_nodes > 0 ? "nodes" : "no nodes",
			(unsigned int)s->seed);
}

static void
check(struct scene *s)
{
	struct total t;

	total_init(&t, s->w);
	expect_close(s, "cost", total_cost(&t), sum_of_costs(s->w));
	for (unsigned int i = 0; i < 40; i++) {
		struct world_group *g =
			&s->w->groups[fleet_below(&s->random, s->w->n_groups)];
		unsigned int node = any_node(s, g);
		double before = sum_of_costs(s->w);
		double gain = total_gain(&t, g, node);

		expect_close(s, "a trial leaves traces", total_cost(&t), before);
		total_put(&t, g, node);
		expect_close(s, "gain", gain, before - sum_of_costs(s->w));
		expect_close(s, "cost after it", total_cost(&t), sum_of_costs(s->w));
	}
	total_fini(&t);
}

static void
the_total_is_what_all_groups_pay_and_a_gain_what_it_falls_by(void **state)
{
	static const struct host_spec *const specs[] = {&host_9354, &host_7351p,
		&host_xeon_2s, &host_snc, &host_hybrid, &host_9654_nps1};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		for (uint64_t seed = 1; seed <= 20; seed++) {
			struct scene s;

			begin(&s, specs[i], seed);
			check(&s);
			end(&s);
		}
	}
}

/* What repair has done behind its back. */
static void
groups_that_were_put_elsewhere_are_found_by_reading_anew(void **state)
{
	struct scene s;
	struct total t;

	(void)state;
	begin(&s, &host_9354, 99);
	total_init(&t, s.w);
	for (unsigned int i = 0; i < s.w->n_groups; i++)
		world_put(s.w, &s.w->groups[i],
			(int)s.w->classes[s.w->groups[i].cls].top);
	total_read(&t);
	expect_close(&s, "cost", total_cost(&t), sum_of_costs(s.w));
	total_fini(&t);
	end(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_total_is_what_all_groups_pay_and_a_gain_what_it_falls_by),
		cmocka_unit_test(
			groups_that_were_put_elsewhere_are_found_by_reading_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

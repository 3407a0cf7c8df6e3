// SPDX-License-Identifier: MIT
/* Masks that anybody may have made, judged by the planner's objective. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "expect.h"
#include "fleet.h"
#include "place/adopt.h"
#include "place/candidates.h"
#include "place/entry.h"
#include "place/score.h"

/* The same from the terms of the domains that the planner finds the VMs on. */
static struct terms
terms_of(const struct plan_input *in, struct wait_cost *wait)
{
	struct plan_result *results = xcalloc(in->n_vms, sizeof(*results));
	struct cpuset usable = entry_usable(in);
	struct terms sum = {{0}};
	struct entries entries;
	struct world *w;
	double demand = 0;

	assert_int_equal(entry_list(in, &usable, results, &entries, NULL), 0);
	w = world_new(in, &usable, entries.vms, entries.groups, entries.n_groups);
	for (unsigned int i = 0; i < w->n_groups; i++) {
		struct world_group *g = &w->groups[i];

		g->cls = world_class_of(w, &g->allowed);
		g->need = wait_need_of(g->in->id, (int32_t)(g->demand * WAIT_UNIT));
		assert_true(adopt_float(w, g));
		demand += g->demand;
	}
	wait_settle(w->wait);
	for (unsigned int i = 0; i < w->n_groups; i++) {
		struct world_group *g = &w->groups[i];
		struct terms terms;

		candidates_terms(w, g, (unsigned int)g->node, &terms);
		for (unsigned int t = 0; t < N_TERMS; t++)
			sum.ns[t] += terms.ns[t] * g->demand / demand;
	}
	*wait = wait_measure(w->wait);
	world_free(w);
	free(results);
	return sum;
}

static void
assert_agrees(const char *what, const struct fleet *f)
{
	struct plan_vm *vms = xcalloc(f->n, sizeof(*vms));
	struct plan_input in = fleet_input(f, vms);
	struct wait_cost wait;
	struct terms wanted = terms_of(&in, &wait);
	struct score score = fleet_score(f);

	for (unsigned int t = 0; t < N_TERMS; t++) {
		/* a hundredth of a nanosecond for each vCPU: the tree's sums are of
		 * single precision */
		if (t != TERM_WAITING && fabs(score.terms.ns[t] - wanted.ns[t]) > 0.01)
			fail_msg("%s, %s: %f, by its domains %f", what,
				term_name((enum term)t), score.terms.ns[t],
				wanted.ns[t]);
	}
	if (fabs(score.wait_mean - wait.mean) > 1e-9 ||
		fabs(score.wait_tail - wait.tail) > 1e-9)
		fail_msg("%s: waiting %f, by its domains %f", what, score.wait_mean,
			wait.mean);
	assert_true(fabs(terms_sum(&score.terms) - score.total_ns) < 1e-6);
	free(vms);
}

struct guest {
	struct plan_guest_node nodes[2];
	uint16_t node_of[64];
};

/* VMs as Proxmox hosts have them, some with two guest nodes, up to @load percent. */
static void
fill(struct fleet *f, uint64_t *seed, struct guest *guest, unsigned int load)
{
	for (unsigned int i = 0; fleet_vcpus(f) < f->host->topo->n_pus * load / 100;
		i++) {
		unsigned int n = fleet_random_size(seed);
		struct fleet_vm *vm;

		vm = fleet_add_id(f, 100 + i, PLACE_FLOAT, n);
		vm->in.smt = i % 7 == 0 ? PLACE_SMT_AVOID : PLACE_SMT_SHARE;
		if (i % 5 == 0)
			cpuset_add(&vm->in.pci_nodes, i % 4);
		if (n >= 8 && i % 2 == 0) {
			vm->in.n_guest_nodes = 2;
			vm->in.guest_nodes = guest->nodes;
			vm->in.guest_node_of = guest->node_of;
		}
		fleet_step(f);
	}
}

static void
the_score_of_a_plan_is_the_sum_of_its_domains_terms(void **state)
{
	static const struct host_spec *const specs[] = {
		&host_9354, &host_7351p, &host_xeon_2s, &host_snc, &host_9654_nps1};
	static const unsigned int loads[] = {60, 130, 300};
	struct guest guest = {{{.memory_share = NULL}}, {0}};

	(void)state;
	for (unsigned int v = 0; v < 64; v++)
		guest.node_of[v] = v % 2;
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		for (size_t k = 0; k < ARRAY_LEN(loads); k++) {
			struct host h = host_full(specs[i]);
			struct fleet *f = fleet_new(&h);
			uint64_t seed = 31 * i + k + 1;
			char what[64];

			(void)snprintf(what, sizeof(what), "%s at %u %%",
				specs[i]->name, loads[k]);
			fill(f, &seed, &guest, loads[k]);
			assert_agrees(what, f);
			fleet_free(f);
			host_fini(&h);
		}
	}
}

static struct fleet_vm *
give(struct fleet *f, const char *id, enum place_mode mode, unsigned int n_vcpus,
	const char *const *masks)
{
	struct fleet_vm *vm = fleet_add(f, id, mode, n_vcpus);

	vm->masks = xcalloc(n_vcpus, sizeof(*vm->masks));
	for (unsigned int v = 0; v < n_vcpus; v++)
		vm->masks[v] = cpus(masks[v]);
	vm->in.n_current = n_vcpus;
	return vm;
}

/* Two vCPUs, from good to bad; each is dearer than the one before. */
static void
better_masks_score_less(void **state)
{
	static const struct {
		const char *what;
		const char *masks[2];
	} cases[] = {
		{"two cores of an L3 group", {"0", "1"}},
		{"two threads of a core", {"0", "32"}},
		{"two L3 groups of a node", {"0", "4"}},
		{"two nodes", {"0", "8"}},
		{"one CPU", {"0", "0"}},
	};
	struct host h = host_full(&host_9354);
	double last = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fleet *f = fleet_new(&h);
		struct score score;

		give(f, "100", PLACE_PIN, 2, cases[i].masks);
		score = fleet_score(f);
		if (score.total_ns <= last)
			fail_msg("%s: %f ns", cases[i].what, score.total_ns);
		last = score.total_ns;
		fleet_free(f);
	}
	host_fini(&h);
}

static void
vms_stacked_on_some_cpus_wait_while_others_idle(void **state)
{
	static const char *const masks[8] = {
		"0-1", "0-1", "0-1", "0-1", "0-1", "0-1", "0-1", "0-1"};
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct score score;

	(void)state;
	give(f, "100", PLACE_FLOAT, 8, masks);
	give(f, "101", PLACE_FLOAT, 8, masks);
	score = fleet_score(f);
	assert_false(score.waits_ok);
	assert_true(score.wait_mean > 0.3);
	assert_true(score.terms.ns[TERM_WAITING] > score.terms.ns[TERM_COMMUNICATION]);
	/* the same where they may not go anywhere else is nobody's fault */
	f->vms[0].in.limit = cpus("0-1");
	f->vms[1].in.limit = cpus("0-1");
	score = fleet_score(f);
	assert_true(score.waits_ok);
	assert_true(score.terms.ns[TERM_WAITING] == 0);
	fleet_free(f);
	host_fini(&h);
}

static void
a_vm_without_masks_is_wherever_it_may(void **state)
{
	static const char *const all[4] = {"8-15", "8-15", "8-15", "8-15"};
	struct host h = host_full(&host_9354);
	struct fleet *with = fleet_new(&h);
	struct fleet *without = fleet_new(&h);
	struct score a;
	struct score b;

	(void)state;
	give(with, "100", PLACE_FLOAT, 4, all)->in.limit = cpus("8-15");
	fleet_add(without, "100", PLACE_FLOAT, 4)->in.limit = cpus("8-15");
	a = fleet_score(with);
	b = fleet_score(without);
	assert_true(a.total_ns > 0 && fabs(a.total_ns - b.total_ns) < 1e-6);
	fleet_free(with);
	fleet_free(without);
	host_fini(&h);
}

static void
what_the_planner_does_scores_less_than_nothing_done(void **state)
{
	struct guest guest = {{{.memory_share = NULL}}, {0}};

	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct host h = host_full(&host_9354);
		struct fleet *f = fleet_new(&h);
		uint64_t rnd = seed * 77;
		struct score planned;

		fill(f, &rnd, &guest, 120);
		planned = fleet_score(f);
		assert_true(planned.waits_ok);
		for (unsigned int i = 0; i < f->n; i++) {
			f->vms[i].in.n_current = 0;
			f->vms[i].started = false;
		}
		assert_true(planned.total_ns < fleet_score(f).total_ns);
		fleet_free(f);
		host_fini(&h);
	}
}

static void
weights_count_in_the_score(void **state)
{
	static const char *const masks[4] = {"0-15", "0-15", "0-15", "0-15"};
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct score plain;
	struct score weighted;

	(void)state;
	give(f, "100", PLACE_FLOAT, 4, masks);
	plain = fleet_score(f);
	f->policy.weights[TERM_MEMORY] = 2;
	weighted = fleet_score(f);
	assert_true(plain.terms.ns[TERM_MEMORY] > 0);
	assert_true(fabs(weighted.total_ns - plain.total_ns -
			    plain.terms.ns[TERM_MEMORY]) < 1e-6);
	fleet_free(f);
	host_fini(&h);
}

static void
input_that_contradicts_itself_has_no_score(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct plan_vm vms[2];
	struct plan_input in;
	struct score score = {.total_ns = -1};
	struct err e = ERR_NONE;

	(void)state;
	fleet_add(f, "100", PLACE_FLOAT, 4);
	fleet_add(f, "100", PLACE_FLOAT, 4);
	in = fleet_input(f, vms);
	assert_int_equal(score_masks(&in, &score, &e), -EINVAL);
	assert_non_null(strstr(e.text, "100"));
	in.latency.n = 3;
	err_clear(&e);
	assert_int_equal(score_masks(&in, &score, &e), -EINVAL);
	assert_true(err_is_set(&e));
	assert_true(score.total_ns < 0);
	fleet_free(f);
	host_fini(&h);
}

static void
vms_that_are_not_planned_are_load_only(void **state)
{
	static const char *const masks[4] = {
		"0-3,32-35", "0-3,32-35", "0-3,32-35", "0-3,32-35"};
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct score alone;
	struct score beside;

	(void)state;
	give(f, "100", PLACE_FLOAT, 4, masks);
	alone = fleet_score(f);
	give(f, "101", PLACE_OFF, 4, masks);
	beside = fleet_score(f);
	assert_true(alone.terms.ns[TERM_SMT] < beside.terms.ns[TERM_SMT]);
	assert_true(fabs(alone.terms.ns[TERM_COMMUNICATION] -
			    beside.terms.ns[TERM_COMMUNICATION]) < 1e-6);
	fleet_free(f);
	host_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_score_of_a_plan_is_the_sum_of_its_domains_terms),
		cmocka_unit_test(better_masks_score_less),
		cmocka_unit_test(vms_stacked_on_some_cpus_wait_while_others_idle),
		cmocka_unit_test(a_vm_without_masks_is_wherever_it_may),
		cmocka_unit_test(what_the_planner_does_scores_less_than_nothing_done),
		cmocka_unit_test(weights_count_in_the_score),
		cmocka_unit_test(input_that_contradicts_itself_has_no_score),
		cmocka_unit_test(vms_that_are_not_planned_are_load_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

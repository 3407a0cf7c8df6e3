// SPDX-License-Identifier: MIT
/* Each term of what a domain costs, on worlds that are built by hand. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/attr.h"
#include "base/xalloc.h"
#include "hosts.h"
#include "place/candidates.h"
#include "place/entry.h"

#define MAX_VMS 4u

struct scene {
	struct host host;
	struct plan_policy policy;
	struct plan_input in;
	struct plan_vm vms[MAX_VMS];
	struct plan_result results[MAX_VMS];
	struct plan_guest_node guest_nodes[2];
	uint16_t guest_node_of[64];
	struct world *w;
};

static void
scene_init(struct scene *s, const struct host_spec *spec)
{
	*s = (struct scene){.host = host_full(spec), .policy = plan_policy_default()};
	s->in = (struct plan_input){.topo = s->host.topo,
		.ranking = s->host.ranking,
		.latency = s->host.lat,
		.policy = &s->policy,
		.vms = s->vms};
}

static struct plan_vm *
add(struct scene *s, const char *id, unsigned int n_vcpus)
{
	struct plan_vm *vm = &s->vms[s->in.n_vms++];

	*vm = (struct plan_vm){.id = id,
		.mode = PLACE_FLOAT,
		.n_vcpus = n_vcpus,
		.limit = s->host.topo->online};
	return vm;
}

/* Half of the vCPUs in each of two guest nodes. */
static struct plan_vm *
add_guest(struct scene *s, const char *id, unsigned int n_vcpus)
{
	struct plan_vm *vm = add(s, id, n_vcpus);

	for (unsigned int v = 0; v < n_vcpus; v++)
		s->guest_node_of[v] = v >= n_vcpus / 2;
	vm->n_guest_nodes = 2;
	vm->guest_nodes = s->guest_nodes;
	vm->guest_node_of = s->guest_node_of;
	return vm;
}

/* The world of the VMs so far, nobody is anywhere. */
static void
build(struct scene *s)
{
	struct cpuset usable = entry_usable(&s->in);
	struct entries entries;

	assert_int_equal(entry_list(&s->in, &usable, s->results, &entries, NULL), 0);
	s->w = world_new(
		&s->in, &usable, entries.vms, entries.groups, entries.n_groups);
	for (unsigned int i = 0; i < s->w->n_groups; i++) {
		struct world_group *g = &s->w->groups[i];

		g->cls = world_class_of(s->w, &g->allowed);
		g->need = wait_need_of(g->in->id, (int32_t)(g->demand * WAIT_UNIT));
		world_enter(s->w, g);
	}
	wait_settle(s->w->wait);
}

static void
scene_fini(struct scene *s)
{
	world_free(s->w);
	host_fini(&s->host);
}

/* The node of the tree with these CPUs. */
static unsigned int
node(const struct scene *s, const char *text)
{
	struct cpuset cpus = CPUSET_NONE;
	unsigned int n;

	assert_int_equal(cpuset_parse(text, &cpus), 0);
	n = tree_around(s->w->tree, s->host.topo, &cpus);
	assert_true(cpuset_equal(&s->w->tree->nodes[n].cpus, &cpus));
	return n;
}

static struct terms
terms_of(const struct scene *s, unsigned int group, const char *cpus)
{
	struct terms terms;

	candidates_terms(s->w, &s->w->groups[group], node(s, cpus), &terms);
	return terms;
}

static void
put(struct scene *s, unsigned int group, const char *cpus)
{
	world_put(s->w, &s->w->groups[group], (int)node(s, cpus));
}

static void
assert_near(double a, double b)
{
	if (fabs(a - b) > 1e-3)
		fail_msg("%f is not %f", a, b);
}

#define L3_0 "0-3,32-35"
#define L3_1 "4-7,36-39"
#define NODE_0 "0-7,32-39"
#define NODE_1 "8-15,40-47"
#define HOST "0-63"

static void
waiting_and_moving_are_not_here(void **state)
{
	struct scene s;
	struct terms terms;

	(void)state;
	scene_init(&s, &host_9354);
	add(&s, "100", 30);
	add(&s, "101", 30);
	build(&s);
	put(&s, 1, L3_0);
	terms = terms_of(&s, 0, L3_0);
	assert_true(terms.ns[TERM_WAITING] == 0);
	assert_true(terms.ns[TERM_MOVING] == 0);
	assert_near(candidates_cost(s.w, &s.w->groups[0], node(&s, L3_0)),
		30 * terms_sum(&terms));
	scene_fini(&s);
}

static void
a_weight_multiplies_its_term_alone(void **state)
{
	static const double on_1[4] = {0, 1, 0, 0};

	(void)state;
	for (unsigned int t = TERM_MEMORY; t <= TERM_FRAGMENTATION; t++) {
		struct scene s;
		struct terms plain;
		struct terms weighted;
		struct plan_vm *vm;

		scene_init(&s, &host_9354);
		vm = add(&s, "100", 8);
		vm->memory_share = on_1;
		cpuset_add(&vm->pci_nodes, 2);
		add(&s, "101", 4);
		build(&s);
		put(&s, 1, L3_0);
		plain = terms_of(&s, 0, NODE_0);
		s.policy.weights[t] = 3;
		weighted = terms_of(&s, 0, NODE_0);
		assert_true(plain.ns[t] > 0);
		for (unsigned int i = 0; i < N_TERMS; i++)
			assert_near(weighted.ns[i], plain.ns[i] * (i == t ? 3 : 1));
		scene_fini(&s);
	}
}

static void
a_group_that_has_a_place_is_taken_out_of_it(void **state)
{
	static const char *const places[] = {L3_0, NODE_0, HOST, NODE_1};
	struct scene s;

	(void)state;
	scene_init(&s, &host_9354);
	add(&s, "100", 6);
	add(&s, "101", 5)->limit = cpuset_below(8);
	build(&s);
	put(&s, 1, L3_0);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct terms before = terms_of(&s, 0, L3_0);
		struct terms after;

		put(&s, 0, places[i]);
		after = terms_of(&s, 0, L3_0);
		world_put(s.w, &s.w->groups[0], -1);
		for (unsigned int t = 0; t < N_TERMS; t++)
			assert_near(after.ns[t], before.ns[t]);
	}
	scene_fini(&s);
}

static void
communication_is_the_mean_over_all_pairs_of_the_vm(void **state)
{
	struct scene s;
	unsigned int here;
	unsigned int there;
	double inside;
	double across;

	(void)state;
	scene_init(&s, &host_9354);
	add_guest(&s, "100", 8);
	build(&s);
	here = node(&s, L3_0);
	there = node(&s, NODE_1);
	inside = s.w->tree->nodes[here].latency_ns;
	across = tree_between_ns(s.w->tree, here, there);
	assert_true(across > inside);
	/* nowhere yet: as if it came here too */
	assert_near(terms_of(&s, 0, L3_0).ns[TERM_COMMUNICATION], inside);
	put(&s, 1, NODE_1);
	assert_near(terms_of(&s, 0, L3_0).ns[TERM_COMMUNICATION],
		(3 * inside + 4 * across) / 7);
	put(&s, 1, L3_0);
	assert_near(terms_of(&s, 0, L3_0).ns[TERM_COMMUNICATION], inside);
	scene_fini(&s);
}

static void
a_guest_node_uses_its_own_memory_most(void **state)
{
	static const double on_0[4] = {1, 0, 0, 0};
	static const double on_1[4] = {0, 1, 0, 0};
	struct scene s;
	double worst;

	(void)state;
	scene_init(&s, &host_9354);
	add_guest(&s, "100", 8);
	s.guest_nodes[0].memory_share = on_0;
	s.guest_nodes[1].memory_share = on_1;
	build(&s);
	worst = s.w->tree->worst_ns;
	assert_near(terms_of(&s, 0, L3_0).ns[TERM_MEMORY], 0.2 * worst);
	assert_near(terms_of(&s, 0, NODE_1).ns[TERM_MEMORY], 0.8 * worst);
	assert_near(terms_of(&s, 1, NODE_1).ns[TERM_MEMORY], 0.2 * worst);
	scene_fini(&s);
}

/* Not touched yet: it will be where the guest nodes are. */
static void
memory_of_a_guest_node_follows_its_place(void **state)
{
	struct scene s;
	double worst;

	(void)state;
	scene_init(&s, &host_9354);
	add_guest(&s, "100", 8);
	build(&s);
	worst = s.w->tree->worst_ns;
	assert_near(terms_of(&s, 0, L3_0).ns[TERM_MEMORY], 0);
	put(&s, 1, NODE_1);
	assert_near(terms_of(&s, 0, L3_0).ns[TERM_MEMORY], 0.2 * worst);
	assert_near(terms_of(&s, 0, HOST).ns[TERM_MEMORY],
		0.75 * worst); /* wherever it is, three of four nodes are others */
	scene_fini(&s);
}

static void
smt_avoid_counts_sharing_cores_more(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, &host_9354);
	add(&s, "100", 8);
	add(&s, "101", 8)->smt = PLACE_SMT_AVOID;
	build(&s);
	assert_near(terms_of(&s, 0, L3_0).ns[TERM_SMT], COST_SMT * s.w->tree->worst_ns);
	assert_near(terms_of(&s, 1, L3_0).ns[TERM_SMT],
		COST_SMT_AVOID * COST_SMT * s.w->tree->worst_ns);
	assert_near(terms_of(&s, 1, NODE_0).ns[TERM_SMT], 0);
	scene_fini(&s);
}

static void
devices_count_by_distance_and_less_than_memory(void **state)
{
	struct scene s;
	double here;
	double near;
	double far;

	(void)state;
	scene_init(&s, &host_9654_2s);
	cpuset_add(&add(&s, "100", 8)->pci_nodes, 0);
	build(&s);
	here = terms_of(&s, 0, "0-23,192-215").ns[TERM_PCI];
	near = terms_of(&s, 0, "24-47,216-239").ns[TERM_PCI];
	far = terms_of(&s, 0, "96-119,288-311").ns[TERM_PCI];
	assert_true(here == 0);
	assert_near(near, COST_PCI * s.w->tree->worst_ns);
	assert_true(far > near);
	assert_true(COST_SPREAD < COST_PCI && COST_PCI < COST_REMOTE);
	scene_fini(&s);
}

static void
fragmentation_is_the_load_of_other_vms(void **state)
{
	struct scene s;
	struct terms alone;
	struct terms beside;

	(void)state;
	scene_init(&s, &host_9354);
	add_guest(&s, "100", 8);
	add(&s, "101", 4);
	build(&s);
	put(&s, 1, L3_0); /* the VM's own other guest node */
	alone = terms_of(&s, 0, L3_0);
	assert_near(alone.ns[TERM_FRAGMENTATION], 0);
	assert_true(alone.ns[TERM_SMT] > 0);
	put(&s, 2, L3_0);
	beside = terms_of(&s, 0, L3_1);
	assert_true(beside.ns[TERM_FRAGMENTATION] > 0);
	assert_true(terms_of(&s, 0, L3_0).ns[TERM_FRAGMENTATION] >
		    beside.ns[TERM_FRAGMENTATION]);
	scene_fini(&s);
}

static void
load_that_is_no_vms_counts_too(void **state)
{
	double load[64] = {0};
	struct scene s;
	struct terms terms;

	(void)state;
	scene_init(&s, &host_9354);
	add(&s, "100", 4);
	for (unsigned int i = 0; i < 4; i++)
		load[i] = load[i + 32] = 0.5; /* 4 on the 4 cores of the first L3 */
	s.in.background = load;
	build(&s);
	terms = terms_of(&s, 0, L3_0);
	assert_near(terms.ns[TERM_SMT], COST_SMT * s.w->tree->worst_ns);
	/* 1 a core here, 1/2 in the node, 1/4 in both, 1/8 in the host */
	assert_near(terms.ns[TERM_FRAGMENTATION],
		COST_SPREAD * s.w->tree->worst_ns *
			(1.0 / 2 + 1.0 / 8 + 1.0 / 32 + 1.0 / 64));
	assert_near(terms_of(&s, 0, L3_1).ns[TERM_SMT], 0);
	scene_fini(&s);
}

static void
candidates_are_listed_by_cost(void **state)
{
	struct scene s;
	struct candidate *list;
	unsigned int n;

	(void)state;
	scene_init(&s, &host_9354);
	add(&s, "100", 4);
	add(&s, "101", 4);
	build(&s);
	put(&s, 1, L3_0);
	list = xcalloc(s.w->tree->n, sizeof(*list));
	n = candidates_list(s.w, &s.w->groups[0], list);
	assert_int_equal(n, s.w->tree->n); /* an L3 group is large enough */
	for (unsigned int i = 1; i < n; i++)
		assert_true(list[i].cost >= list[i - 1].cost - COST_SAME_NS);
	assert_int_equal(list[0].node, node(&s, "16-19,48-51"));
	free(list);
	scene_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiting_and_moving_are_not_here),
		cmocka_unit_test(a_weight_multiplies_its_term_alone),
		cmocka_unit_test(a_group_that_has_a_place_is_taken_out_of_it),
		cmocka_unit_test(communication_is_the_mean_over_all_pairs_of_the_vm),
		cmocka_unit_test(a_guest_node_uses_its_own_memory_most),
		cmocka_unit_test(memory_of_a_guest_node_follows_its_place),
		cmocka_unit_test(smt_avoid_counts_sharing_cores_more),
		cmocka_unit_test(devices_count_by_distance_and_less_than_memory),
		cmocka_unit_test(fragmentation_is_the_load_of_other_vms),
		cmocka_unit_test(load_that_is_no_vms_counts_too),
		cmocka_unit_test(candidates_are_listed_by_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

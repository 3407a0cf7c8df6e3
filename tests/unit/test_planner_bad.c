// SPDX-License-Identifier: MIT
/*
 * Input that makes no sense: what is wrong with one VM is that VM's reason and nobody
 * else's trouble; what is wrong with the host is an error that says so. Each bad VM is
 * planned beside two good ones, which must get what they get without it.
 */
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
#include "expect.h"
#include "fleet.h"

/* The bad one comes between the others. */
enum { BEFORE, BAD, AFTER, N };

static struct fleet *
three_vms(const struct host *h)
{
	struct fleet *f = fleet_new(h);

	(void)fleet_add(f, "100", PLACE_AUTO, 4);
	(void)fleet_add(f, "101", PLACE_AUTO, 4);
	(void)fleet_add(f, "102", PLACE_AUTO, 4);
	return f;
}

/* What is wrong with a VM; its pointers lead to static data. */
struct bad_vm {
	const char *name;
	void (*spoil)(struct plan_vm *vm);
	const char *says; /* in the reason; NULL: it is planned, whatever that says */
};

static void
no_vcpu(struct plan_vm *vm)
{
	vm->n_vcpus = 0;
}

/* CPUs that are no domain's and no other VM's limit: what waits there is nobody's. */
static void
no_vcpu_on_part_of_a_domain(struct plan_vm *vm)
{
	vm->n_vcpus = 0;
	vm->limit = cpus("1-2");
}

static void
too_many_vcpus(struct plan_vm *vm)
{
	vm->n_vcpus = PLAN_VCPUS_MAX + 1;
}

static void
absurdly_many_vcpus(struct plan_vm *vm)
{
	vm->n_vcpus = UINT32_MAX;
}

static void
unknown_mode(struct plan_vm *vm)
{
	vm->mode = (enum place_mode)77;
}

static void
empty_limit(struct plan_vm *vm)
{
	vm->limit = CPUSET_NONE;
}

static void
empty_affinity(struct plan_vm *vm)
{
	static const struct cpuset none = CPUSET_NONE;

	vm->affinity = &none;
}

static void
cpus_that_do_not_exist(struct plan_vm *vm)
{
	static struct cpuset far;

	far = cpus("1000-1100");
	vm->affinity = &far;
}

static void
rules_that_contradict(struct plan_vm *vm)
{
	static struct cpuset low;
	static struct cpuset high;

	low = cpus("0-7");
	high = cpus("8-15");
	vm->affinity = &low;
	vm->cgroup = &high;
}

static void
node_that_is_not_there(struct plan_vm *vm)
{
	static struct plan_guest_node node;

	node.host_nodes = cpus("9");
	vm->n_guest_nodes = 1;
	vm->guest_nodes = &node;
}

static void
node_outside_the_affinity(struct plan_vm *vm)
{
	static struct plan_guest_node node;
	static struct cpuset elsewhere;

	elsewhere = cpus("0-7,32-39"); /* node 0 */
	node.host_nodes = cpus("3");
	vm->n_guest_nodes = 1;
	vm->guest_nodes = &node;
	vm->affinity = &elsewhere;
}

static void
guest_node_out_of_range(struct plan_vm *vm)
{
	static const struct plan_guest_node nodes[2];
	static const uint16_t of[4] = {0, 1, 2, 65535};

	vm->n_guest_nodes = 2;
	vm->guest_nodes = nodes;
	vm->guest_node_of = of;
}

static void
thousands_of_guest_nodes(struct plan_vm *vm)
{
	static const struct plan_guest_node nodes[5000];

	vm->n_guest_nodes = 5000;
	vm->guest_nodes = nodes;
}

static void
more_masks_than_vcpus(struct plan_vm *vm)
{
	static struct cpuset masks[5];

	for (unsigned int v = 0; v < 5; v++)
		masks[v] = cpuset_of(56 + v); /* where nobody goes */
	vm->n_current = 5;
	vm->current = masks;
}

static const struct bad_vm refused[] = {
	{"no vCPU", no_vcpu, "it has no vCPU"},
	{"no vCPU on part of a domain", no_vcpu_on_part_of_a_domain, "it has no vCPU"},
	{"too many vCPUs", too_many_vcpus, "4097 vCPUs, at most 4096"},
	{"2^32 - 1 vCPUs", absurdly_many_vcpus, "at most 4096"},
	{"unknown mode", unknown_mode, "unknown mode 77"},
	{"empty limit", empty_limit, "its limit is empty"},
	{"empty affinity", empty_affinity, "affinity (empty)"},
	{"affinity beyond the host", cpus_that_do_not_exist, "affinity 1000-1100"},
	{"affinity against cgroup", rules_that_contradict,
		"affinity 0-7 and its cgroup's cpuset 8-15 have no online CPU"},
	{"host node 9", node_that_is_not_there, "host node 9, which is not there"},
	{"host node against affinity", node_outside_the_affinity,
		"of which it may use no CPU"},
	{"guest node 2 of 2", guest_node_out_of_range,
		"vCPU 2 is in guest node 2 of 2"},
	{"5000 guest nodes", thousands_of_guest_nodes, "5000 guest nodes, at most"},
	{"more masks than vCPUs", more_masks_than_vcpus, "masks of 5 vCPUs"},
};

static void
weight_not_a_number(struct plan_vm *vm)
{
	vm->demand_vcpus = NAN;
}

static void
weight_negative(struct plan_vm *vm)
{
	vm->demand_vcpus = -5;
}

static void
weight_endless(struct plan_vm *vm)
{
	vm->demand_vcpus = INFINITY;
}

static void
weight_tiny(struct plan_vm *vm)
{
	vm->demand_vcpus = 1e-300;
}

static void
quota_not_a_number(struct plan_vm *vm)
{
	vm->cpulimit = NAN;
}

static void
quota_negative(struct plan_vm *vm)
{
	vm->cpulimit = -1e300;
}

static void
memory_not_a_number(struct plan_vm *vm)
{
	vm->memory_gib = NAN;
}

static void
memory_negative(struct plan_vm *vm)
{
	vm->memory_gib = -8;
}

static void
memory_endless(struct plan_vm *vm)
{
	vm->memory_gib = INFINITY;
}

static void
shares_not_numbers(struct plan_vm *vm)
{
	static const double shares[4] = {NAN, INFINITY, -1, 1e300};

	vm->memory_share = shares;
}

static void
shares_beyond_one(struct plan_vm *vm)
{
	static const double shares[4] = {40, 40, 40, 40};

	vm->memory_share = shares;
}

static void
devices_nowhere(struct plan_vm *vm)
{
	vm->pci_nodes = cpus("17,2000");
}

static void
masks_beyond_the_host(struct plan_vm *vm)
{
	static struct cpuset masks[4];

	for (unsigned int v = 0; v < 4; v++)
		masks[v] = cpuset_of(2000 + v);
	vm->n_current = 4;
	vm->current = masks;
	vm->placed = true;
}

static void
empty_masks(struct plan_vm *vm)
{
	static const struct cpuset masks[4];

	vm->n_current = 4;
	vm->current = masks;
	vm->placed = true;
}

static void
changed_in_the_future(struct plan_vm *vm)
{
	vm->changed_s = 1e300;
}

static void
threads_without_end(struct plan_vm *vm)
{
	vm->mode = PLACE_CORE;
	vm->threads_per_core = UINT32_MAX;
}

/* Nonsense that has a sensible meaning: unknown, none, all. */
static const struct bad_vm planned[] = {
	{"weight NaN", weight_not_a_number, NULL},
	{"weight -5", weight_negative, NULL},
	{"weight infinite", weight_endless, NULL},
	{"weight 1e-300", weight_tiny, NULL},
	{"quota NaN", quota_not_a_number, NULL},
	{"quota -1e300", quota_negative, NULL},
	{"memory NaN", memory_not_a_number, NULL},
	{"memory -8 GiB", memory_negative, NULL},
	{"memory infinite", memory_endless, NULL},
	{"shares NaN", shares_not_numbers, NULL},
	{"shares of 40", shares_beyond_one, NULL},
	{"devices nowhere", devices_nowhere, NULL},
	{"masks beyond the host", masks_beyond_the_host, NULL},
	{"empty masks", empty_masks, NULL},
	{"changed in the future", changed_in_the_future, NULL},
	{"threads without end", threads_without_end, NULL},
};

/* fleet_plan fills in current and shares: here it is the spoilt input that counts. */
static struct plan *
plan_spoilt(const struct fleet *f, const struct bad_vm *bad, const double *free_gib)
{
	struct plan_vm vms[N];
	struct plan_input in = fleet_input(f, vms);
	struct plan *p = NULL;

	bad->spoil(&vms[BAD]);
	in.node_free_gib = free_gib;
	assert_int_equal(planner_run(&in, &p, NULL), 0);
	return p;
}

static void
bad_vms_are_refused_with_the_reason_and_others_are_planned(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *good = three_vms(&h);
	struct plan *want;

	(void)state;
	fleet_remove(good, BAD);
	want = fleet_plan(good);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct fleet *f = three_vms(&h);
		struct plan *p;

		/* where it may be is load: next to nothing, so that nobody minds */
		f->vms[BAD].in.demand_vcpus = 0.001;
		p = plan_spoilt(f, &refused[i], NULL);
		if (p->results[BAD].verdict != PLAN_LEAVE ||
			strstr(p->results[BAD].why, refused[i].says) == NULL)
			fail_msg("%s: %s", refused[i].name, p->results[BAD].why);
		if (!cpuset_equal(&p->results[BEFORE].domain,
			    &want->results[BEFORE].domain) ||
			!cpuset_equal(
				&p->results[AFTER].domain, &want->results[1].domain))
			fail_msg("%s moves the others: %s | %s", refused[i].name,
				p->results[BEFORE].why, p->results[AFTER].why);
		plan_free(p);
		fleet_free(f);
	}
	plan_free(want);
	fleet_free(good);
	host_fini(&h);
}

static void
assert_sane(const char *name, const struct plan *p, const struct host *h)
{
	for (unsigned int i = 0; i < p->n; i++) {
		const struct plan_result *r = &p->results[i];

		if (r->verdict == PLAN_LEAVE || r->n_vcpus != 4 ||
			cpuset_empty(&r->domain) ||
			!cpuset_within(&r->domain, &h->topo->online) ||
			strstr(r->why, "nan") != NULL || strstr(r->why, "inf") != NULL)
			fail_msg("%s, VM %u: %s", name, i, r->why);
	}
}

static void
nonsense_with_a_meaning_is_planned(void **state)
{
	static const double free_gib[4] = {10, 10, 10, 10};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(planned); i++) {
		struct fleet *f = three_vms(&h);
		struct plan *p = plan_spoilt(f, &planned[i], NULL);

		assert_sane(planned[i].name, p, &h);
		plan_free(p);
		p = plan_spoilt(f, &planned[i], free_gib);
		assert_sane(planned[i].name, p, &h);
		plan_free(p);
		fleet_free(f);
	}
	host_fini(&h);
}

static void
the_most_vcpus_are_planned(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = three_vms(&h);
	struct plan *p;

	(void)state;
	f->vms[BAD].in.n_vcpus = PLAN_VCPUS_MAX;
	for (unsigned int m = PLACE_AUTO; m <= PLACE_PIN; m++) {
		f->vms[BAD].in.mode = (enum place_mode)m;
		p = fleet_plan(f);
		assert_int_equal(p->results[BAD].n_vcpus, PLAN_VCPUS_MAX);
		plan_free(p);
	}
	fleet_free(f);
	host_fini(&h);
}

static void
latencies_that_are_no_numbers_break_nothing(void **state)
{
	static const float values[] = {NAN, INFINITY, -INFINITY, -1, 0, 1e30F};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct host h = host_full(&host_9354);
		unsigned int n = h.topo->n_pus;
		struct fleet *f;
		struct plan *p;

		for (unsigned int k = 0; k < n; k++)
			h.ns[k * n + (k * 7 + 3) % n] = values[i];
		f = three_vms(&h);
		p = fleet_plan(f);
		assert_sane("latencies", p, &h);
		plan_free(p);
		fleet_free(f);
		host_fini(&h);
	}
}

static void
policies_that_make_no_sense_break_nothing(void **state)
{
	static const double values[] = {NAN, INFINITY, -INFINITY, -1, 0, 1e300};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct fleet *f = three_vms(&h);
		struct plan *p;

		for (unsigned int t = 0; t < N_TERMS; t++)
			f->policy.weights[t] = values[i];
		f->policy.wait_mean_max = values[i];
		f->policy.wait_tail_max = values[i];
		f->policy.rebalance = true;
		f->policy.rebalance_gain_pct = values[i];
		f->policy.rebalance_vms = UINT32_MAX;
		f->policy.rebalance_vcpus = UINT32_MAX;
		f->policy.dedicated_max_pct = UINT32_MAX;
		fleet_step(f);
		p = fleet_plan(f);
		assert_sane("weights", p, &h);
		plan_free(p);
		fleet_free(f);
	}
	host_fini(&h);
}

static void
amounts_of_the_host_that_are_no_numbers_break_nothing(void **state)
{
	static const double values[] = {NAN, INFINITY, -INFINITY, -1, 1e300};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		double background[64];
		double free_gib[4];
		struct fleet *f = three_vms(&h);
		struct plan *p;

		for (unsigned int k = 0; k < 64; k++)
			background[k] = k % 3 == 0 ? values[i] : 0.5;
		for (unsigned int k = 0; k < 4; k++)
			free_gib[k] = k % 2 == 0 ? values[i] : 5;
		f->background = background;
		f->node_free_gib = free_gib;
		f->vms[BAD].in.memory_gib = 8;
		p = fleet_plan(f);
		assert_sane("background, free memory", p, &h);
		plan_free(p);
		fleet_free(f);
	}
	host_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			bad_vms_are_refused_with_the_reason_and_others_are_planned),
		cmocka_unit_test(nonsense_with_a_meaning_is_planned),
		cmocka_unit_test(the_most_vcpus_are_planned),
		cmocka_unit_test(latencies_that_are_no_numbers_break_nothing),
		cmocka_unit_test(policies_that_make_no_sense_break_nothing),
		cmocka_unit_test(amounts_of_the_host_that_are_no_numbers_break_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Who is given whole cores in mode auto, and what that is worth. */
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
#include "cases.h"
#include "place/score.h"
#include "quiet.h"

static void
a_vm_alone_in_its_domain_gets_whole_cores_and_says_so(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = quiet_fleet(&h);
	struct cpuset l3 = quiet_cpus(QUIET_L3);
	struct plan *p;

	(void)state;
	quiet_add(f, "100", 4, QUIET_L3);
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_PLACE);
	assert_true(p->results[0].rebalanced);
	assert_true(quiet_has_cores(&h, &p->results[0]));
	assert_true(cpuset_within(&p->results[0].domain, &l3));
	if (strstr(p->results[0].why, "narrowed to whole cores since") == NULL ||
		strstr(p->results[0].why, "most of it communication") == NULL)
		fail_msg("%s", p->results[0].why);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

/* A host on which VM 100 would be given cores, but for what a case changes. */
struct other {
	const char *name;
	const struct host_spec *spec; /* NULL: host_9354 */
	const char *mask;	      /* NULL: L3 */
	unsigned int n_vcpus;	      /* 0: 4 */
	void (*change)(struct fleet *f);
	bool wanted;
};

static void
beside_it(struct fleet *f)
{
	(void)quiet_add(f, "200", 2, QUIET_L3);
}

static void
over_it(struct fleet *f)
{
	struct fleet_vm *vm = quiet_add(f, "200", 2, "0-63");

	vm->in.changed_s = f->policy.now_s;
}

static void
left_over_it(struct fleet *f)
{
	over_it(f);
	f->vms[1].in.mode = PLACE_OFF;
}

static void
pinned_beside_it(struct fleet *f)
{
	struct fleet_vm *vm = quiet_add(f, "200", 1, "3");

	vm->in.mode = PLACE_PIN;
}

static void
in_the_next_domain(struct fleet *f)
{
	struct fleet_vm *vm = quiet_add(f, "200", 2, "4-7,36-39");

	vm->in.threads_per_core = 0;
}

/* 24 of 32 cores are spoken for, and a bit. */
static void
on_a_full_host(struct fleet *f)
{
	static const char *const masks[] = {"8-15,40-47", "16-23,48-55", "24-31,56-63"};

	for (unsigned int i = 0; i < 3; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "%u", 200 + i);
		quiet_add(f, id, 8, masks[i])->in.threads_per_core = 0;
		f->vms[1 + i].in.demand_vcpus = 8;
		f->vms[1 + i].memory[0] = 0;
		f->vms[1 + i].memory[1 + i] = 1;
	}
}

static void
no_siblings(struct fleet *f)
{
	f->vms[0].in.threads_per_core = 1;
}

static void
four_threads(struct fleet *f)
{
	f->vms[0].in.threads_per_core = 4;
}

static void
quota(struct fleet *f)
{
	f->vms[0].in.cpulimit = 2;
}

static void
float_mode(struct fleet *f)
{
	f->vms[0].in.mode = PLACE_FLOAT;
}

static void
observed(struct fleet *f)
{
	f->vms[0].in.mode = PLACE_OBSERVE;
}

static void
rebalance_off(struct fleet *f)
{
	f->policy.rebalance = false;
}

static void
no_allowance(struct fleet *f)
{
	f->policy.rebalance_vcpus = 3;
}

static void
changed_lately(struct fleet *f)
{
	f->vms[0].in.changed_s = f->policy.now_s - f->policy.rebalance_dwell_s + 1;
}

static void
changed_long_ago(struct fleet *f)
{
	f->vms[0].in.changed_s = f->policy.now_s - f->policy.rebalance_dwell_s;
}

static void
little_gain(struct fleet *f)
{
	f->policy.rebalance_gain_pct = 90;
}

/* With all of its vCPUs busy it loses the two idle cores of its domain. */
static void
all_busy(struct fleet *f)
{
	f->vms[0].in.demand_vcpus = 4;
}

static void
few_cpus(struct fleet *f)
{
	f->vms[0].in.limit = quiet_cpus("0-2,32-34");
}

static void
who_is_given_whole_cores(void **state)
{
	static const struct other cases[] = {
		{.name = "as it is", .wanted = true},
		{.name = "one rests in the next domain",
			.change = in_the_next_domain,
			.wanted = true},
		{.name = "changed long ago",
			.change = changed_long_ago,
			.wanted = true},
		{.name = "a VM beside it", .change = beside_it},
		{.name = "a VM over all", .change = over_it},
		{.name = "a VM of others over all", .change = left_over_it},
		{.name = "a pinned VM beside it", .change = pinned_beside_it},
		{.name = "few cores are left", .change = on_a_full_host},
		{.name = "no siblings in the guest", .change = no_siblings},
		{.name = "more siblings than the host's", .change = four_threads},
		{.name = "half a guest core", .n_vcpus = 3},
		{.name = "a host without siblings", .spec = &host_snc, .mask = "0-7"},
		{.name = "a CPU quota", .change = quota},
		{.name = "mode float", .change = float_mode},
		{.name = "mode observe", .change = observed},
		{.name = "rebalance is off", .change = rebalance_off},
		{.name = "no allowance", .change = no_allowance},
		{.name = "changed lately", .change = changed_lately},
		{.name = "too little a gain", .change = little_gain},
		{.name = "all vCPUs busy", .change = all_busy},
		{.name = "a limit inside the domain",
			.mask = "0-2,32-34",
			.change = few_cpus},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct other *c = &cases[i];
		struct host h = host_full(c->spec != NULL ? c->spec : &host_9354);
		struct fleet *f = quiet_fleet(&h);
		struct plan *p;

		quiet_add(f, "100", c->n_vcpus > 0 ? c->n_vcpus : 4,
			c->mask != NULL ? c->mask : QUIET_L3);
		if (c->change != NULL)
			c->change(f);
		p = fleet_plan(f);
		if (p->results[0].rebalanced != c->wanted ||
			(c->wanted && !quiet_has_cores(&h, &p->results[0])))
			fail_msg("%s: %s", c->name, p->results[0].why);
		plan_free(p);
		fleet_free(f);
		host_fini(&h);
	}
}

/* Some VMs on a host that is half empty, which seldom want all of their vCPUs. */
static struct fleet *
random_fleet(const struct host *h, uint64_t *rnd)
{
	struct fleet *f = fleet_new(h);
	unsigned int percent = 10 + fleet_below(rnd, 70);

	while (fleet_vcpus(f) * 100 < percent * h->topo->n_pus) {
		unsigned int n = fleet_random_size(rnd);
		struct fleet_vm *vm;

		vm = fleet_add_id(f, 100 + f->n, PLACE_AUTO, n);
		vm->in.threads_per_core = 1 + fleet_below(rnd, 2);
		vm->in.demand_vcpus = n / (1.0 + fleet_below(rnd, 3));
		fleet_step(f);
	}
	for (unsigned int i = f->n; i-- > 1;) {
		if (fleet_below(rnd, 3) == 0)
			fleet_remove(f, i);
	}
	return f;
}

/* Plans until nothing moves. Returns how many had cores at the end. */
static unsigned int
expect_rest(const struct host *h, uint64_t seed)
{
	uint64_t rnd = seed * 7919 + 1;
	struct fleet *f = random_fleet(h, &rnd);
	struct score before = fleet_score(f);
	unsigned int n = 0;
	bool moved = true;

	f->policy.rebalance = true;
	f->policy.rebalance_vms = QUIET_PLENTY;
	f->policy.rebalance_vcpus = QUIET_PLENTY;
	f->policy.rebalance_dwell_s = 0;
	f->policy.rebalance_gain_pct = fleet_below(&rnd, 2) * 10;
	for (unsigned int rounds = 0; moved; rounds++) {
		struct plan *p = fleet_plan(f);
		struct score now;

		moved = false;
		n = 0;
		for (unsigned int i = 0; i < p->n; i++) {
			moved |= p->results[i].rebalanced;
			n += strstr(p->results[i].why, "narrowed to whole") != NULL;
		}
		fleet_apply(f, p);
		plan_free(p);
		now = fleet_score(f);
		if (moved && now.total_ns >= before.total_ns)
			fail_msg("seed %u: %g ns, then %g", (unsigned int)seed,
				before.total_ns, now.total_ns);
		if (now.wait_mean > before.wait_mean + 1e-9 && !now.waits_ok)
			fail_msg("seed %u: they wait", (unsigned int)seed);
		if (rounds > 200)
			fail_msg("seed %u: does not end", (unsigned int)seed);
		before = now;
	}
	fleet_free(f);
	return n;
}

static void
each_round_is_better_than_the_last_until_nothing_moves(void **state)
{
	static const struct host_spec *const specs[] = {
		&host_9354, &host_7351p, &host_9654_nps1, &host_hybrid};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		struct host h = host_full(specs[i]);
		unsigned int n = 0;

		for (uint64_t seed = 1; seed <= cases_of(30); seed++)
			n += expect_rest(&h, seed);
		if (n == 0)
			fail_msg("%s: nobody had cores", specs[i]->name);
		host_fini(&h);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vm_alone_in_its_domain_gets_whole_cores_and_says_so),
		cmocka_unit_test(who_is_given_whole_cores),
		cmocka_unit_test(
			each_round_is_better_than_the_last_until_nothing_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

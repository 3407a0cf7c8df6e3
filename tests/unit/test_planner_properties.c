// SPDX-License-Identifier: MIT
/*
 * What must hold for any input: random hosts, VMs, limits and policies. A failure
 * prints the seed; QMPIN_SEED=N runs that one alone, QMPIN_CASES=N more of them.
 */
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
#include "fleet.h"

#define CASES 400u

static const struct host_spec *const specs[] = {&host_9354, &host_7351p, &host_xeon_2s,
	&host_snc, &host_hybrid, &host_flat2, &host_1cpu};

/* A random host with its VMs. */
struct world_case {
	uint64_t seed;
	uint64_t random;
	struct host host;
	struct fleet *fleet;
};

#define CHECK(c, what, condition)                               \
	do {                                                    \
		if (!(condition))                               \
			fail_msg("%s (QMPIN_SEED=%llu)", what,  \
				(unsigned long long)(c)->seed); \
	} while (0)

static struct cpuset
random_cpus(struct world_case *c, unsigned int n_cpus, unsigned int percent)
{
	struct cpuset s = CPUSET_NONE;

	for (unsigned int cpu = 0; cpu < n_cpus; cpu++) {
		if (fleet_below(&c->random, 100) < percent)
			cpuset_add(&s, cpu);
	}
	return s;
}

static unsigned int
one_in(struct world_case *c, unsigned int n)
{
	return fleet_below(&c->random, n) == 0;
}

static void
add_vm(struct world_case *c, bool limits)
{
	unsigned int n_cpus = c->host.topo->pus[c->host.topo->n_pus - 1].cpu + 1;
	enum place_mode mode = PLACE_AUTO;
	struct fleet_vm *vm;
	char id[16];

	if (one_in(c, 3))
		mode = (enum place_mode)fleet_below(&c->random, PLACE_N_MODES);
	(void)snprintf(id, sizeof(id), "%u", 100 + fleet_below(&c->random, 1000000));
	vm = fleet_add(c->fleet, id, mode, fleet_random_size(&c->random));
	vm->in.emulator =
		(enum place_emulator)fleet_below(&c->random, PLACE_N_EMULATOR);
	if (limits && one_in(c, 4))
		vm->in.limit = random_cpus(c, n_cpus, 1 + fleet_below(&c->random, 60));
	else if (limits && one_in(c, 6))
		vm->in.limit = cpuset_below(1 + fleet_below(&c->random, n_cpus));
	if (one_in(c, 5))
		vm->in.demand_vcpus = 0.3 * vm->in.n_vcpus;
	if (mode == PLACE_OFF || one_in(c, 10)) {
		vm->in.n_current = 1;
		vm->masks = xcalloc(1, sizeof(*vm->masks));
		vm->masks[0] = random_cpus(c, n_cpus, 30);
		vm->in.placed = one_in(c, 2);
	}
}

static void
begin(struct world_case *c, uint64_t seed, bool limits)
{
	struct cpuset offline = CPUSET_NONE;
	struct cpuset isolated = CPUSET_NONE;
	const struct host_spec *spec;

	*c = (struct world_case){.seed = seed, .random = seed * 0x9e3779b97f4a7c15 + 1};
	(void)fleet_random(&c->random);
	spec = specs[fleet_below(&c->random, ARRAY_LEN(specs))];
	if (one_in(c, 4) && spec != &host_1cpu)
		offline = random_cpus(c, 32, 20);
	cpuset_remove(&offline, 0);
	if (one_in(c, 4))
		isolated = random_cpus(c, 32, 20);
	c->host = host_make(spec, &offline, &isolated);
	c->fleet = fleet_new(&c->host);
	if (one_in(c, 4))
		c->fleet->policy.reserved = random_cpus(c, 16, 20);
	for (unsigned int n = 1 + fleet_below(&c->random, 40); n > 0; n--)
		add_vm(c, limits);
	/* an id may come twice by chance */
	for (unsigned int i = 0; i < c->fleet->n; i++)
		(void)snprintf(c->fleet->vms[i].id + strlen(c->fleet->vms[i].id), 4,
			"%c", (char)('a' + i % 26));
}

static void
end(struct world_case *c)
{
	fleet_free(c->fleet);
	host_fini(&c->host);
}

typedef void case_fn(struct world_case *c);

static void
for_all(case_fn *check, bool limits)
{
	uint64_t one = cases_number("QMPIN_SEED", 0);
	uint64_t last = one > 0 ? one : cases_of(CASES);

	for (uint64_t seed = one > 0 ? one : 1; seed <= last; seed++) {
		struct world_case c;

		begin(&c, seed, limits);
		check(&c);
		end(&c);
	}
}

static bool
same_plan(const struct plan_result *a, const struct plan_result *b)
{
	return a->n_vcpus == b->n_vcpus &&
	       memcmp(a->vcpus != NULL ? a->vcpus : &a->domain,
		       b->vcpus != NULL ? b->vcpus : &b->domain,
		       (a->n_vcpus > 0 ? a->n_vcpus : 1) * sizeof(struct cpuset)) ==
		       0 &&
	       cpuset_equal(&a->emulator, &b->emulator) &&
	       cpuset_equal(&a->domain, &b->domain) && a->tier == b->tier &&
	       a->apply == b->apply;
}

static void
check_inside(struct world_case *c)
{
	struct plan *p = fleet_plan(c->fleet);

	for (unsigned int i = 0; i < p->n; i++) {
		const struct plan_result *r = &p->results[i];
		const struct plan_vm *in = &c->fleet->vms[i].in;
		struct cpuset limit = cpuset_and(&in->limit, &c->host.topo->online);
		struct cpuset may = cpuset_minus(&limit, &c->fleet->policy.reserved);
		struct cpuset all = CPUSET_NONE;

		may = cpuset_minus(&may, &c->host.topo->isolated);
		if (in->mode == PLACE_OFF) /* a plan of its own it has not */
			may = limit;
		CHECK(c, "a reason is missing", r->why[0] != '\0');
		CHECK(c, "leave with masks",
			r->verdict != PLAN_LEAVE || r->n_vcpus == 0);
		if (r->verdict == PLAN_LEAVE)
			continue;
		CHECK(c, "a vCPU is missing", r->n_vcpus == in->n_vcpus);
		for (unsigned int v = 0; v < r->n_vcpus; v++) {
			CHECK(c, "empty mask", !cpuset_empty(&r->vcpus[v]));
			CHECK(c, "outside the limit",
				cpuset_within(&r->vcpus[v], &may));
			CHECK(c, "pin to several CPUs",
				in->mode != PLACE_PIN ||
					cpuset_count(&r->vcpus[v]) == 1);
			all = cpuset_or(&all, &r->vcpus[v]);
		}
		CHECK(c, "domain is not the union", cpuset_equal(&all, &r->domain));
		CHECK(c, "no emulator", !cpuset_empty(&r->emulator));
		CHECK(c, "emulator outside the limit",
			cpuset_within(&r->emulator, &limit));
		CHECK(c, "emulator isolated",
			in->mode == PLACE_OFF ||
				!cpuset_overlap(&r->emulator, &c->host.topo->isolated));
	}
	plan_free(p);
}

static void
check_repeats(struct world_case *c)
{
	struct plan *a = fleet_plan(c->fleet);
	struct plan *b = fleet_plan(c->fleet);

	for (unsigned int i = 0; i < a->n; i++) {
		CHECK(c, "other masks", same_plan(&a->results[i], &b->results[i]));
		CHECK(c, "other reason",
			strcmp(a->results[i].why, b->results[i].why) == 0);
	}
	plan_free(a);
	plan_free(b);
}

static void
check_order(struct world_case *c)
{
	struct fleet *f = c->fleet;
	struct fleet *other = fleet_new(&c->host);
	unsigned int *to = xcalloc(f->n, sizeof(*to));
	struct plan *a = fleet_plan(f);
	struct plan *b;

	for (unsigned int i = 0; i < f->n; i++)
		to[i] = i;
	for (unsigned int i = f->n; i > 1; i--) {
		unsigned int k = fleet_below(&c->random, i);
		unsigned int swap = to[k];

		to[k] = to[i - 1];
		to[i - 1] = swap;
	}
	other->policy = f->policy;
	other->n = f->n;
	for (unsigned int i = 0; i < f->n; i++)
		other->vms[to[i]] = f->vms[i];
	b = fleet_plan(other);
	for (unsigned int i = 0; i < f->n; i++) {
		CHECK(c, "the order shows",
			same_plan(&a->results[i], &b->results[to[i]]));
		CHECK(c, "the order shows in the reason",
			strcmp(a->results[i].why, b->results[to[i]].why) == 0);
	}
	plan_free(a);
	plan_free(b);
	free(to);
	other->n = 0; /* the masks are the other's */
	fleet_free(other);
}

static void
check_settles(struct world_case *c)
{
	struct plan *a = fleet_plan(c->fleet);
	struct plan *b;

	fleet_apply(c->fleet, a);
	b = fleet_plan(c->fleet);
	for (unsigned int i = 0; i < a->n; i++) {
		const struct plan_result *r = &b->results[i];

		CHECK(c, "a second plan differs", same_plan(&a->results[i], r));
		CHECK(c, "placed is not kept", r->verdict != PLAN_PLACE || !r->apply);
	}
	plan_free(a);
	plan_free(b);
}

/* Masks of the others are cores, CPUs, or not planned. Random ones that are said to be
 * planned may be whole L3 groups by chance, as if latencies had been others then: such
 * a VM stays, also across what is a domain now. */
static bool
floats(const struct fleet_vm *vm)
{
	return (vm->in.mode == PLACE_AUTO || vm->in.mode == PLACE_FLOAT ||
		       vm->in.mode == PLACE_OBSERVE) &&
	       !vm->in.placed;
}

static void
check_laminar(struct world_case *c)
{
	struct plan *p = fleet_plan(c->fleet);

	for (unsigned int i = 0; i < p->n; i++) {
		const struct cpuset *a = &p->results[i].domain;

		for (unsigned int k = 0; k < i; k++) {
			const struct cpuset *b = &p->results[k].domain;

			if (!floats(&c->fleet->vms[i]) || !floats(&c->fleet->vms[k]))
				continue;
			CHECK(c, "masks overlap in part",
				!cpuset_overlap(a, b) || cpuset_within(a, b) ||
					cpuset_within(b, a));
		}
	}
	plan_free(p);
}

/* A VM that cannot have its cores is one like others. */
static bool
is_alone(const struct fleet_vm *vm, const struct plan_result *r)
{
	return vm->in.mode == PLACE_DEDICATED && r->n_vcpus > 0 &&
	       strstr(r->why, "of its own: ") == NULL;
}

/* Cores that are a VM's alone after the plan: its neighbours have to leave them. */
static struct cpuset
exclusive_cpus(const struct world_case *c, const struct plan *p)
{
	const struct topo *t = c->host.topo;
	struct cpuset cpus = CPUSET_NONE;

	for (unsigned int i = 0; i < p->n; i++) {
		if (!is_alone(&c->fleet->vms[i], &p->results[i]))
			continue;
		cpuset_foreach (cpu, &p->results[i].domain) {
			int core = t->pus[t->pu_of_cpu[cpu]].core;

			cpus = cpuset_or(&cpus, &t->cores[core].cpus);
		}
	}
	return cpus;
}

/* The vCPUs it had lose no CPU but those that are another VM's alone now. */
static void
check_stays(struct world_case *c, const struct fleet_vm *vm,
	const struct plan_result *r, const struct cpuset *gone)
{
	if (!r->apply || !vm->in.placed)
		return;
	for (unsigned int v = 0; v < vm->in.n_current; v++) {
		struct cpuset stays = vm->masks[v];

		if (!is_alone(vm, r))
			stays = cpuset_minus(&stays, gone);
		CHECK(c, "moved", cpuset_within(&stays, &r->vcpus[v]));
	}
}

static void
check_newcomers(struct world_case *c)
{
	struct fleet *f = c->fleet;

	fleet_step(f);
	for (unsigned int more = 0; more < 4; more++) {
		struct cpuset gone;
		struct plan *p;

		if (more % 2 == 0)
			add_vm(c, true);
		else
			f->vms[fleet_below(&c->random, f->n)].in.n_vcpus++;
		p = fleet_plan(f);
		gone = exclusive_cpus(c, p);
		for (unsigned int i = 0; i < f->n - (more % 2 == 0); i++)
			check_stays(c, &f->vms[i], &p->results[i], &gone);
		fleet_apply(f, p);
		plan_free(p);
	}
}

/* The VM has only CPUs that are pinned to by someone. */
static bool
has_no_idle(const struct world_case *c, unsigned int vm, const unsigned int *taken)
{
	struct cpuset may =
		cpuset_and(&c->fleet->vms[vm].in.limit, &c->host.topo->online);

	may = cpuset_minus(&may, &c->fleet->policy.reserved);
	may = cpuset_minus(&may, &c->host.topo->isolated);
	cpuset_foreach (cpu, &may) {
		if (taken[cpu] == 0)
			return false;
	}
	return true;
}

static void
check_stacking(struct world_case *c)
{
	unsigned int taken[CPUSET_CAP] = {0};
	bool settled[CPUSET_CAP] = {false};
	struct plan *p;

	for (unsigned int i = 0; i < c->fleet->n; i++) {
		c->fleet->vms[i].in.mode = PLACE_PIN;
		c->fleet->vms[i].in.placed = false;
		/* masks of a VM that cannot be planned would be load */
		c->fleet->vms[i].in.n_current = 0;
	}
	p = fleet_plan(c->fleet);
	for (unsigned int i = 0; i < p->n; i++) {
		for (unsigned int v = 0; v < p->results[i].n_vcpus; v++)
			taken[cpuset_next(&p->results[i].vcpus[v], 0)]++;
	}
	/* of those on one CPU all but the first had nothing else */
	for (unsigned int i = 0; i < p->n; i++) {
		bool forced = has_no_idle(c, i, taken);

		for (unsigned int v = 0; v < p->results[i].n_vcpus; v++) {
			unsigned int cpu = cpuset_next(&p->results[i].vcpus[v], 0);

			if (taken[cpu] < 2 || forced)
				continue;
			CHECK(c, "stacked while CPUs idle", !settled[cpu]);
			settled[cpu] = true;
		}
	}
	plan_free(p);
}

static void
results_stay_inside_what_is_allowed(void **state)
{
	(void)state;
	for_all(check_inside, true);
}

static void
the_same_input_gives_the_same_plan(void **state)
{
	(void)state;
	for_all(check_repeats, true);
}

static void
the_order_of_vms_does_not_show(void **state)
{
	(void)state;
	for_all(check_order, true);
}

static void
a_plan_that_was_applied_is_kept(void **state)
{
	(void)state;
	for_all(check_settles, true);
}

static void
masks_are_laminar_without_limits(void **state)
{
	(void)state;
	for_all(check_laminar, false);
}

static void
newcomers_and_plugged_vcpus_move_nobody(void **state)
{
	(void)state;
	for_all(check_newcomers, true);
}

static void
pinned_vcpus_are_not_stacked_while_cpus_idle(void **state)
{
	(void)state;
	for_all(check_stacking, true);
}

/* Random mixes around a load, in per cent of the host's PUs. */
struct mix {
	const struct host_spec *spec;
	unsigned int low;
	unsigned int high;
	bool limits; /* one VM in eight may use half of the host only */
};

/* Stop and start VMs until the load is near @load. */
static void
churn(struct world_case *c, const struct mix *mix, unsigned int load,
	unsigned int *next)
{
	struct fleet *f = c->fleet;
	unsigned int n_pus = c->host.topo->n_pus;

	while (f->n > 1 && fleet_vcpus(f) * 100 > load * n_pus + 800)
		fleet_remove(f, fleet_below(&c->random, f->n));
	while (fleet_vcpus(f) * 100 < load * n_pus) {
		struct fleet_vm *vm;

		vm = fleet_add_id(
			f, (*next)++, PLACE_AUTO, fleet_random_size(&c->random));
		if (mix->limits && one_in(c, 8))
			vm->in.limit = cpuset_below(n_pus / 2);
		fleet_step(f);
	}
}

/* Starts and stops around a load; judged by draws that the planner has not seen. */
static void
expect_short_waits(const struct mix *mix)
{
	const unsigned int runs = 4;
	const unsigned int steps = 15;
	struct host h = host_full(mix->spec);
	struct world_case c = {.random = mix->low * 31 + 5, .host = h};
	double wait = 0;
	double bad = 0;

	for (unsigned int run = 0; run < runs; run++) {
		unsigned int next = 100 + run * 1000;

		c.fleet = fleet_new(&h);
		for (unsigned int step = 0; step < steps; step++) {
			struct judge got;

			churn(&c, mix,
				mix->low + fleet_below(&c.random, mix->high - mix->low),
				&next);
			got = fleet_judge(c.fleet, run * 100 + step + 12345, 6);
			wait += got.wait / (runs * steps);
			bad += got.bad / (runs * steps);
		}
		fleet_free(c.fleet);
	}
	host_fini(&h);
	print_message("%s, load %u-%u %%%s: wait %.4f, draws above 5 %%: %.4f\n",
		mix->spec->name, mix->low, mix->high, mix->limits ? ", limits" : "",
		wait, bad);
	assert_true(wait <= 0.01);
	assert_true(bad <= 0.05); /* the 95th percentile is below 5 % */
}

static void
busy_vms_seldom_wait_while_cpus_idle(void **state)
{
	static const struct host_spec *const hosts[] = {
		&host_9354, &host_7351p, &host_xeon_2s};

	(void)state;
	for (unsigned int i = 0; i < cases_of_all(ARRAY_LEN(hosts)); i++) {
		for (unsigned int limits = 0; limits < 2; limits++) {
			expect_short_waits(
				&(struct mix){hosts[i], 40, 150, limits != 0});
			expect_short_waits(
				&(struct mix){hosts[i], 200, 350, limits != 0});
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_stay_inside_what_is_allowed),
		cmocka_unit_test(the_same_input_gives_the_same_plan),
		cmocka_unit_test(the_order_of_vms_does_not_show),
		cmocka_unit_test(a_plan_that_was_applied_is_kept),
		cmocka_unit_test(masks_are_laminar_without_limits),
		cmocka_unit_test(newcomers_and_plugged_vcpus_move_nobody),
		cmocka_unit_test(pinned_vcpus_are_not_stacked_while_cpus_idle),
		cmocka_unit_test(busy_vms_seldom_wait_while_cpus_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

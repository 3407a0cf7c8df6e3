// SPDX-License-Identifier: MIT
/*
 * The switch from the class model to what was measured on the host moves no VM that
 * need not move. Latencies are made up: those of the class model with other magnitudes,
 * differences between places, noise and outliers. A failure prints the seed.
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

#define SEEDS 6u

static const struct host_spec *const specs[] = {&host_9354, &host_7351p, &host_9654_2s,
	&host_9654_nps1, &host_xeon_2s, &host_hybrid};

/* What two PUs take beyond what their class says. */
typedef double factor_fn(const struct topo *t, unsigned int a, unsigned int b);

static double
draw(uint64_t *state)
{
	return (double)(fleet_random(state) >> 11) / 0x1p53;
}

/* Two places are as far apart as the way between them: the same for all their PUs. */
static double
way(uint64_t seed, unsigned int a, unsigned int b)
{
	uint64_t state = seed * 7919 + (a < b ? a * 4099 + b : b * 4099 + a) + 1;

	(void)fleet_random(&state);
	return 1 + 0.2 * draw(&state);
}

static struct matrix *
measure(const struct topo *t, uint64_t seed, factor_fn *more)
{
	static const struct lat_classes other = {7, 15, 26, 84, 110, 230};
	struct matrix *m = matrix_new(&t->online);
	uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;

	for (unsigned int a = 0; a < t->n_pus; a++) {
		for (unsigned int b = 0; b < a; b++) {
			const struct topo_pu *x = &t->pus[a];
			const struct topo_pu *y = &t->pus[b];
			double ns = (double)lat_class_ns(t, &other, a, b);

			ns *= 0.95 + 0.1 * draw(&state);
			if (x->l3 != y->l3)
				ns *= way(
					seed, (unsigned int)x->l3, (unsigned int)y->l3);
			if (more != NULL)
				ns *= more(t, a, b);
			if (draw(&state) < 0.005)
				ns *= 0.3 + 4.7 * draw(&state);
			*matrix_at(m, a, b) = (struct matrix_cell){(float)ns, 4, 95};
		}
	}
	return m;
}

/* The same host, measured. host_fini is not for it: host_forget. */
static struct host
measured_host(const struct host *h, uint64_t seed, factor_fn *more)
{
	struct matrix *m = measure(h->topo, seed, more);
	struct host out = {.topo = h->topo};

	out.ns = lat_measured_matrix(h->topo, lat_classes_default(), m);
	out.lat = (struct lat_view){out.ns, h->topo->n_pus};
	out.ranking = ranking_from_matrix(h->topo, m, &out.lat);
	matrix_free(m);
	return out;
}

static void
host_forget(struct host *h)
{
	ranking_free(h->ranking);
	free(h->ns);
}

/* A host full of VMs, some of which have stopped since. */
static struct fleet *
fill(const struct host *h, uint64_t seed)
{
	struct fleet *f = fleet_new(h);
	uint64_t state = seed * 31 + 5;
	unsigned int percent = 40 + fleet_below(&state, 300);

	(void)fleet_random(&state);
	while (fleet_vcpus(f) * 100 < percent * h->topo->n_pus) {
		struct fleet_vm *vm;

		vm = fleet_add_id(f, 100 + f->n, PLACE_AUTO, fleet_random_size(&state));
		if (fleet_below(&state, 4) == 0)
			vm->in.limit =
				cpuset_below(1 + fleet_below(&state, h->topo->n_pus));
		if (fleet_below(&state, 3) > 0)
			fleet_step(f);
	}
	fleet_step(f);
	for (unsigned int n = f->n / 4; n > 0; n--)
		fleet_remove(f, fleet_below(&state, f->n));
	fleet_step(f); /* widens, perhaps */
	return f;
}

static void
nobody_moves_when_the_tree_is_confirmed(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(specs) * cases_of(SEEDS); i++) {
		const struct host_spec *spec = specs[i % ARRAY_LEN(specs)];
		uint64_t seed = 1 + i / ARRAY_LEN(specs);
		struct host h = host_full(spec);
		struct host now = measured_host(&h, seed, NULL);
		struct fleet *f = fill(&h, seed);
		struct plan *p;

		if (!now.ranking->trusted)
			fail_msg("%s, seed %u: %s", spec->name, (unsigned int)seed,
				now.ranking->why);
		f->host = &now;
		p = fleet_plan(f);
		for (unsigned int v = 0; v < p->n; v++) {
			if (p->results[v].verdict != PLAN_KEEP)
				fail_msg("%s, seed %u, vm %s: %s", spec->name,
					(unsigned int)seed, f->vms[v].id,
					p->results[v].why);
		}
		plan_free(p);
		fleet_free(f);
		host_forget(&now);
		host_fini(&h);
	}
}

/* An L3 of two halves. */
static double
halves(const struct topo *t, unsigned int a, unsigned int b)
{
	const struct topo_pu *x = &t->pus[a];
	const struct topo_pu *y = &t->pus[b];
	unsigned int size = topo_count_cores(t, &t->l3[0].cpus);
	bool low_x = (unsigned int)x->core % size < size / 2;
	bool low_y = (unsigned int)y->core % size < size / 2;

	return x->l3 == y->l3 && x->core != y->core && low_x != low_y ? 2 : 1;
}

static bool
is_domain(const struct ranking *r, const struct cpuset *cpus)
{
	for (unsigned int d = 0; d < r->n_domains; d++) {
		if (cpuset_equal(&r->domains[d].cpus, cpus))
			return true;
	}
	return false;
}

static void
a_finer_tier_moves_nobody(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= cases_of(SEEDS); seed++) {
		struct host h = host_full(&host_9654_2s);
		struct host now = measured_host(&h, seed, halves);
		struct fleet *f = fill(&h, seed);
		struct plan *p;

		assert_true(now.ranking->trusted);
		assert_int_not_equal(ranking_tier_named(now.ranking, "cluster"), -1);
		f->host = &now;
		p = fleet_plan(f);
		for (unsigned int v = 0; v < p->n; v++) {
			if (p->results[v].verdict != PLAN_KEEP)
				fail_msg("seed %u, vm %s: %s", seed, f->vms[v].id,
					p->results[v].why);
		}
		plan_free(p);
		fleet_free(f);
		host_forget(&now);
		host_fini(&h);
	}
}

/* Two L3s of different nodes are one. */
static double
crossed(const struct topo *t, unsigned int a, unsigned int b)
{
	int x = t->pus[a].l3;
	int y = t->pus[b].l3;

	if (x == y)
		return 1;
	return x / 4 == y / 4 && x % 2 == y % 2 ? 0.35 : 1;
}

static void
a_denied_level_moves_only_who_has_a_part_of_it(void **state)
{
	unsigned int moved = 0;

	(void)state;
	for (unsigned int seed = 1; seed <= cases_of(4 * SEEDS); seed++) {
		struct host h = host_full(&host_9354);
		struct host now = measured_host(&h, seed, crossed);
		struct fleet *f = fill(&h, seed);
		struct plan *p;

		assert_true(now.ranking->trusted);
		assert_int_equal(ranking_tier_named(now.ranking, "node"), -1);
		f->host = &now;
		p = fleet_plan(f);
		for (unsigned int v = 0; v < p->n; v++) {
			const struct cpuset *had = f->vms[v].masks;
			const struct plan_result *out = &p->results[v];

			if (out->verdict == PLAN_KEEP ||
				cpuset_within(had, &out->vcpus[0]))
				continue;
			moved++;
			if (is_domain(now.ranking, had))
				fail_msg("seed %u, vm %s: %s", seed, f->vms[v].id,
					out->why);
		}
		plan_free(p);
		fleet_free(f);
		host_forget(&now);
		host_fini(&h);
	}
	print_message("%u VMs moved in %lu runs\n", moved, cases_of(4 * SEEDS));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_moves_when_the_tree_is_confirmed),
		cmocka_unit_test(a_finer_tier_moves_nobody),
		cmocka_unit_test(a_denied_level_moves_only_who_has_a_part_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

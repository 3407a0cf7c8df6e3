// SPDX-License-Identifier: MIT
/*
 * How fast the planner is and how good its placements are, as medians and as ratios to
 * simple policies in the same run.
 *
 *     make bench-place
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fleet.h"

#define RUNS 31u

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
median(double *values, unsigned int n)
{
	qsort(values, n, sizeof(*values), by_value);
	return values[n / 2];
}

static void
add_random(struct fleet *f, uint64_t *seed, unsigned int max)
{
	unsigned int size = fleet_random_size(seed);
	char id[16];

	(void)snprintf(id, sizeof(id), "%u", 100 + fleet_below(seed, 900000000));
	fleet_add(f, id, PLACE_AUTO, size < max ? size : max);
}

/* Milliseconds of CPU time: the machine may be shared. */
static double
cpu_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double
time_plan(const struct fleet *f)
{
	double start = cpu_ms();
	struct plan *p = fleet_plan(f);
	double end = cpu_ms();

	plan_free(p);
	return end - start;
}

/* One newcomer among @n placed VMs; all @n at once. */
static void
bench_speed(const struct host_spec *spec, unsigned int n, unsigned int max_size)
{
	struct host h = host_full(spec);
	struct fleet *f = fleet_new(&h);
	uint64_t seed = 7;
	double all[RUNS];
	double one[RUNS];

	for (unsigned int i = 0; i < n; i++)
		add_random(f, &seed, max_size);
	for (unsigned int i = 0; i < 5; i++)
		all[i] = time_plan(f);
	fleet_step(f);
	for (unsigned int i = 0; i < RUNS; i++) {
		add_random(f, &seed, max_size);
		one[i] = time_plan(f);
		fleet_remove(f, n);
	}
	printf("%-22s %4u VMs %5.0f %%: all %7.2f ms, one more %6.3f ms, nothing new",
		spec->name, n, 100.0 * fleet_vcpus(f) / h.topo->n_pus, median(all, 5),
		median(one, RUNS));
	for (unsigned int i = 0; i < RUNS; i++)
		one[i] = time_plan(f);
	printf(" %6.3f ms\n", median(one, RUNS));
	fleet_free(f);
	host_fini(&h);
}

struct score {
	double wait;
	double *bad; /* of each step */
	double j;
	double terms[4];
	unsigned int n;
};

typedef void place_fn(struct fleet *f);

static void
place_planner(struct fleet *f)
{
	fleet_step(f);
}

static void
give(struct fleet_vm *vm, const struct topo *t, const struct cpuset *mask)
{
	free(vm->masks);
	vm->masks = calloc(1, sizeof(*vm->masks));
	vm->masks[0] = *mask;
	for (unsigned int i = 0; !vm->started && i < t->n_nodes; i++) {
		struct cpuset here = cpuset_and(&t->nodes[i].cpus, mask);

		vm->memory[i] = (double)cpuset_count(&here) / cpuset_count(mask);
	}
	vm->started = true;
}

/* The PU nearest to @first that is not in the mask yet. */
static unsigned int
nearest_outside(const struct fleet *f, const struct cpuset *mask, unsigned int first)
{
	const struct topo *t = f->host->topo;
	unsigned int best = 0;
	float least = 1e9f;

	for (unsigned int k = 0; k < t->n_pus; k++) {
		if (cpuset_has(mask, t->pus[k].cpu) ||
			lat_ns(&f->host->lat, first, k) >= least)
			continue;
		least = lat_ns(&f->host->lat, first, k);
		best = k;
	}
	return best;
}

/* The last CPU used + 1 and its nearest neighbours. */
static void
place_nearest(struct fleet *f)
{
	const struct topo *t = f->host->topo;

	for (unsigned int i = 0; i < f->n; i++) {
		struct cpuset mask;
		unsigned int first;

		if (f->vms[i].masks != NULL)
			continue;
		/* round robin by id: the fleet starts VMs in order */
		first = f->vms[i].order % t->n_pus;
		mask = cpuset_of(t->pus[first].cpu);
		while (cpuset_count(&mask) < f->vms[i].in.n_vcpus &&
			cpuset_count(&mask) < t->n_pus)
			cpuset_add(&mask, t->pus[nearest_outside(f, &mask, first)].cpu);
		give(&f->vms[i], t, &mask);
	}
}

/* CPUs of a node that the VMs placed so far leave free. */
static double
free_of(const struct fleet *f, unsigned int node)
{
	const struct cpuset *cpus = &f->host->topo->nodes[node].cpus;
	double left = cpuset_count(cpus);

	for (unsigned int v = 0; v < f->n; v++) {
		struct cpuset here;

		if (f->vms[v].masks == NULL)
			continue;
		here = cpuset_and(&f->vms[v].masks[0], cpus);
		left -= (double)f->vms[v].in.n_vcpus * cpuset_count(&here) /
			cpuset_count(&f->vms[v].masks[0]);
	}
	return left > 0 ? left : 0;
}

/* Whole nodes as numad gives them: the ones with most CPUs free, until those free are
 * enough or there are no more. */
static struct cpuset
enough_nodes(const struct fleet *f, unsigned int n_vcpus)
{
	const struct topo *t = f->host->topo;
	struct cpuset mask = CPUSET_NONE;
	double found = 0;

	while (found < n_vcpus && !cpuset_equal(&mask, &t->online)) {
		unsigned int best = 0;
		double most = -1;

		for (unsigned int k = 0; k < t->n_nodes; k++) {
			if (cpuset_overlap(&mask, &t->nodes[k].cpus) ||
				free_of(f, k) <= most)
				continue;
			most = free_of(f, k);
			best = k;
		}
		found += most;
		mask = cpuset_or(&mask, &t->nodes[best].cpus);
	}
	return mask;
}

static void
place_nodes(struct fleet *f)
{
	for (unsigned int i = 0; i < f->n; i++) {
		struct cpuset mask;

		if (f->vms[i].masks != NULL)
			continue;
		mask = enough_nodes(f, f->vms[i].in.n_vcpus);
		give(&f->vms[i], f->host->topo, &mask);
	}
}

/* Starts, stops and plugs at about @low to @high percent load. */
static struct score
drive(const struct host *h, place_fn *place, unsigned int low, unsigned int high,
	unsigned int seeds)
{
	struct score s = {.bad = calloc(seeds * 60, sizeof(double))};

	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct fleet *f = fleet_new(h);
		uint64_t rnd = seed * 977;
		unsigned int target = low;
		unsigned int started = 0;

		for (unsigned int step = 0; step < 60; step++) {
			unsigned int n;
			struct judge got;

			target = low + fleet_below(&rnd, high - low);
			n = target * h->topo->n_pus / 100;
			while (fleet_vcpus(f) > n + 8 && f->n > 1)
				fleet_remove(f, fleet_below(&rnd, f->n));
			while (fleet_vcpus(f) < n && f->n < FLEET_MAX) {
				add_random(f, &rnd, 32);
				f->vms[f->n - 1].order = ++started;
				place(f);
			}
			got = fleet_judge(f, seed * 1000 + step, 8);
			s.bad[s.n++] = got.bad;
			s.wait += got.wait;
			s.j += got.j;
			s.terms[0] += got.latency;
			s.terms[1] += got.remote;
			s.terms[2] += got.lost;
			s.terms[3] += got.smt;
		}
		fleet_free(f);
	}
	return s;
}

static void
print_score(const char *name, struct score *s, double reference)
{
	double bad = 0;

	for (unsigned int i = 0; i < s->n; i++)
		bad += s->bad[i] / s->n;
	printf("  %-10s J %.3f (%.2f) wait %.4f draws over 5 %%: %.3f  lat %.2f remote "
	       "%.2f lost %.3f smt %.2f\n",
		name, s->j / s->n, s->j / s->n / reference, s->wait / s->n, bad,
		s->terms[0] / s->n, s->terms[1] / s->n, s->terms[2] / s->n,
		s->terms[3] / s->n);
	free(s->bad);
}

static void
bench_quality(const struct host_spec *spec, unsigned int low, unsigned int high)
{
	struct host h = host_full(spec);
	unsigned int seeds = 3;
	struct score nodes = drive(&h, place_nodes, low, high, seeds);
	struct score nearest = drive(&h, place_nearest, low, high, seeds);
	struct score ours = drive(&h, place_planner, low, high, seeds);
	double reference = nodes.j / nodes.n;

	printf("%s, load %u-%u %%\n", spec->name, low, high);
	print_score("nodes", &nodes, reference);
	print_score("nearest", &nearest, reference);
	print_score("planner", &ours, reference);
	host_fini(&h);
}

int
main(void)
{
	bench_speed(&host_9654_2s, 300, 32);
	bench_speed(&host_9654_2s, 1000, 8);
	bench_speed(&host_9654_nps1, 300, 32);
	bench_speed(&host_9354, 40, 32);
	bench_quality(&host_9354, 40, 150);
	bench_quality(&host_9354, 200, 350);
	bench_quality(&host_7351p, 40, 150);
	bench_quality(&host_7351p, 200, 350);
	bench_quality(&host_xeon_2s, 40, 150);
	bench_quality(&host_xeon_2s, 200, 350);
	return 0;
}

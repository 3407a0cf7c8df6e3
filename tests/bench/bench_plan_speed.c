// SPDX-License-Identifier: MIT
/*
 * How fast the planner is, by CPUs and VMs: one newcomer, nothing new, all new at once;
 * medians of CPU time, and the largest memory of the process. First with VMs that all
 * float, then with every fourth one pinned, and the newcomer. Each case runs in a
 * process of its own.
 *
 *     make bench-plan-speed
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fleet.h"

#define RUNS 15u
/* Load in percent where there are VMs enough for it. */
#define LOAD_PCT 300u

static const struct host_spec hosts[] = {
	{"64", 1, 4, 2, 4, 2, 0},
	{"128", 1, 4, 2, 8, 2, 0},
	{"256", 2, 4, 2, 8, 2, 0},
	{"384", 2, 4, 3, 8, 2, 0},
	{"512", 2, 4, 4, 8, 2, 0},
	{"1024", 4, 4, 4, 8, 2, 0},
};

static const unsigned int fleets[] = {10, 100, 300, 1000, 4000};

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

/* Sizes are mixed, and on average what makes the load. */
static void
add_vm(struct fleet *f, uint64_t *seed, unsigned int mean, enum place_mode mode)
{
	unsigned int size = 1 + fleet_below(seed, 2 * mean - 1);
	char id[16];

	(void)snprintf(id, sizeof(id), "%u", 100 + f->n);
	fleet_add(f, id, mode, size);
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

/* Median of up to RUNS plans, fewer where one takes long. */
static double
median_plan(const struct fleet *f)
{
	double ms[RUNS];
	double spent = 0;
	unsigned int n = 0;

	while (n < RUNS && (n < 3 || spent < 1000)) {
		ms[n] = time_plan(f);
		spent += ms[n++];
	}
	return median(ms, n);
}

static double
median_newcomer(
	struct fleet *f, uint64_t *seed, unsigned int mean, enum place_mode mode)
{
	double ms[RUNS];

	for (unsigned int i = 0; i < RUNS; i++) {
		add_vm(f, seed, mean, mode);
		ms[i] = time_plan(f);
		fleet_remove(f, f->n - 1);
	}
	return median(ms, RUNS);
}

static double
peak_mib(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_maxrss / 1024;
}

static void
measure(const struct host_spec *spec, unsigned int n, enum place_mode mode)
{
	struct host h = host_full(spec);
	struct fleet *f = fleet_new(&h);
	unsigned int mean = h.topo->n_pus * LOAD_PCT / 100 / n;
	uint64_t seed = 7;
	double empty = peak_mib();
	double all;

	mean = mean > 16 ? 16 : mean < 1 ? 1 : mean;
	for (unsigned int i = 0; i < n; i++)
		add_vm(f, &seed, mean, i % 4 == 3 ? mode : PLACE_AUTO);
	all = median_plan(f);
	fleet_step(f);
	printf("%5s %5u %6.0f %10.2f %10.3f %12.3f %9.1f %9.1f\n", spec->name, n,
		100.0 * fleet_vcpus(f) / h.topo->n_pus, all,
		median_newcomer(f, &seed, mean, mode), median_plan(f), empty,
		peak_mib());
	fleet_free(f);
	host_fini(&h);
}

/* In a process of its own, so that memory is counted by case. */
static int
measure_apart(const struct host_spec *spec, unsigned int n, enum place_mode mode)
{
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		measure(spec, n, mode);
		(void)fflush(stdout);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 1;
}

static int
measure_all(enum place_mode mode)
{
	int failed = 0;

	printf("%5s %5s %6s %10s %10s %12s %9s %9s\n", "CPUs", "VMs", "load %",
		"all new ms", "one new ms", "none new ms", "host MiB", "peak MiB");
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		for (size_t k = 0; k < ARRAY_LEN(fleets); k++)
			failed |= measure_apart(&hosts[i], fleets[k], mode);
	}
	return failed;
}

int
main(void)
{
	int failed = measure_all(PLACE_AUTO);

	printf("\nevery fourth VM is pinned\n");
	return failed | measure_all(PLACE_PIN);
}

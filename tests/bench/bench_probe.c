// SPDX-License-Identifier: MIT
/*
 * One pair of CPUs measured in three ways: visits of the probe, the minimum of many
 * samples of two lines, the mean of all rounds. Each in turn, idle and with a busy
 * thread on both CPUs, so that what happens to the machine happens to all of them.
 *
 *     bench_probe [REPETITIONS [CPU_A CPU_B]]
 */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "probe/grip.h"
#include "probe/meter.h"
#include "probe/rally.h"
#include "probe/schedule.h"

#define REPS_MAX 1000u
/* As the well-known tools have them by default. */
#define MINIMUM_SAMPLES 1000u
#define MINIMUM_ROUNDS 100u
#define MEAN_SAMPLES 300u
#define MEAN_ROUNDS 1000u

/* What is measured: the ways, each idle and busy. */
enum way { OURS, MINIMUM, MEAN, N_WAYS };

static const char *const way_names[N_WAYS] = {
	"4 visits", "minimum of samples", "mean of rounds"};

struct series {
	unsigned int n;
	double ns[REPS_MAX];
	double wall_us[REPS_MAX];
	double cpu_us; /* of ours, on the busier CPU: all together */
	unsigned int bursts;
	unsigned int dropped;
};

struct bench {
	unsigned int cpus[2];
	struct meter *meter;
	struct series series[N_WAYS][2];
	atomic_bool busy;
	atomic_bool ending;
	sem_t wake[2];
	pthread_t loads[2];
};

/* Both lines of one ping-pong, each for itself. */
struct lines {
	_Alignas(256) _Atomic uint32_t a;
	_Alignas(256) _Atomic uint32_t b;
	unsigned int cpu;
};

struct load {
	struct bench *b;
	unsigned int index;
};

static void
bind_self(unsigned int cpu)
{
	struct cpuset set = cpuset_of(cpu);

	if (grip_bind(0, &set) < 0) {
		(void)fprintf(stderr, "cannot use CPU %u\n", cpu);
		exit(1);
	}
}

static void *
burn(void *arg)
{
	const struct load *l = arg;
	volatile uint64_t x = 0;

	bind_self(l->b->cpus[l->index]);
	while (!atomic_load(&l->b->ending)) {
		(void)sem_wait(&l->b->wake[l->index]);
		while (atomic_load(&l->b->busy))
			x = x * 3 + 1;
	}
	return NULL;
}

static void
set_busy(struct bench *b, bool on)
{
	struct timespec settle = {.tv_nsec = 20000000};

	atomic_store(&b->busy, on);
	for (unsigned int i = 0; i < 2 && on; i++)
		(void)sem_post(&b->wake[i]);
	(void)nanosleep(&settle, NULL);
}

/* Two lines: one to ask, one to answer. */
static void *
answer_samples(void *arg)
{
	struct lines *l = arg;

	bind_self(l->cpu);
	for (uint32_t i = 1; i <= MINIMUM_SAMPLES * MINIMUM_ROUNDS; i++) {
		while (atomic_load_explicit(&l->a, memory_order_acquire) != i)
			continue;
		atomic_store_explicit(&l->b, i, memory_order_release);
	}
	return NULL;
}

static double
ask_samples(struct lines *l)
{
	uint64_t least = UINT64_MAX;
	uint32_t turn = 0;

	for (unsigned int s = 0; s < MINIMUM_SAMPLES; s++) {
		uint64_t from = rally_now_ns();
		uint64_t took;

		for (unsigned int i = 0; i < MINIMUM_ROUNDS; i++) {
			turn++;
			atomic_store_explicit(&l->a, turn, memory_order_release);
			while (atomic_load_explicit(&l->b, memory_order_acquire) !=
				turn)
				continue;
		}
		took = rally_now_ns() - from;
		least = took < least ? took : least;
	}
	return (double)least / (2.0 * MINIMUM_ROUNDS);
}

/* One line, taken by compare-and-exchange. */
static void
take_turns(struct lines *l, uint32_t mine, unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++) {
		uint32_t seen = mine;

		while (!atomic_compare_exchange_weak(&l->a, &seen, 1 - mine))
			seen = mine;
	}
}

static void *
answer_rounds(void *arg)
{
	struct lines *l = arg;

	bind_self(l->cpu);
	take_turns(l, 1, MEAN_SAMPLES * MEAN_ROUNDS);
	return NULL;
}

static double
ask_rounds(struct lines *l)
{
	double sum = 0;

	for (unsigned int s = 0; s < MEAN_SAMPLES; s++) {
		uint64_t from = rally_now_ns();

		take_turns(l, 0, MEAN_ROUNDS);
		sum += (double)(rally_now_ns() - from) / (2.0 * MEAN_ROUNDS);
	}
	return sum / MEAN_SAMPLES;
}

static double
ping_pong(const struct bench *b, enum way way)
{
	struct lines l = {.cpu = b->cpus[1]};
	struct cpuset home;
	pthread_t other;
	double ns;

	if (grip_allowed(0, &home) < 0)
		exit(1);
	bind_self(b->cpus[0]);
	if (pthread_create(&other, NULL,
		    way == MINIMUM ? answer_samples : answer_rounds, &l) != 0)
		exit(1);
	ns = way == MINIMUM ? ask_samples(&l) : ask_rounds(&l);
	(void)pthread_join(other, NULL);
	(void)!grip_bind(0, &home);
	return ns;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(const double *values, unsigned int n)
{
	double sorted[REPS_MAX];

	if (n == 0)
		return 0;
	memcpy(sorted, values, n * sizeof(sorted[0]));
	qsort(sorted, n, sizeof(sorted[0]), compare);
	return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

/* Standard deviation in per cent, from what one result differs from the next: inside a
 * virtual machine the CPUs themselves move about, by which all ways are spoilt alike.
 */
static double
scatter_pct(const struct series *s)
{
	double steps[REPS_MAX];

	if (s->n < 2)
		return 0;
	for (unsigned int i = 1; i < s->n; i++)
		steps[i - 1] = fabs(s->ns[i] - s->ns[i - 1]);
	/* median of |difference of two normal values| / (0.6745 sqrt 2) */
	return 100 * median(steps, s->n - 1) / 0.954 / median(s->ns, s->n);
}

static double
spread_pct(const struct series *s)
{
	double mean = 0;
	double square = 0;

	if (s->n == 0)
		return 0;
	for (unsigned int i = 0; i < s->n; i++)
		mean += s->ns[i] / s->n;
	for (unsigned int i = 0; i < s->n; i++)
		square += (s->ns[i] - mean) * (s->ns[i] - mean) / s->n;
	return 100 * sqrt(square) / mean;
}

/* The visits of a pair; their median is its latency. 0: no result. */
static double
visits(struct bench *b, struct series *s)
{
	double ns[SCHEDULE_VISITS];
	double cpu_us[2] = {0};
	unsigned int n = 0;

	for (unsigned int i = 0; i < SCHEDULE_VISITS; i++) {
		struct meter_visit v;

		meter_visit(b->meter, b->cpus[0], b->cpus[1], &v);
		s->bursts += v.bursts;
		s->dropped += v.dropped;
		cpu_us[0] += (double)v.cpu_us[0];
		cpu_us[1] += (double)v.cpu_us[1];
		if (v.outcome == METER_OK)
			ns[n++] = (double)v.ns;
	}
	s->cpu_us += fmax(cpu_us[0], cpu_us[1]);
	return median(ns, n);
}

static void
repeat_once(struct bench *b, bool busy)
{
	for (enum way way = OURS; way < N_WAYS; way++) {
		struct series *s = &b->series[way][busy];
		uint64_t from = rally_now_ns();
		double ns = way == OURS ? visits(b, s) : ping_pong(b, way);

		if (ns <= 0)
			continue;
		s->wall_us[s->n] = (double)(rally_now_ns() - from) / 1000;
		s->ns[s->n++] = ns;
	}
}

static void
print_row(const struct bench *b, enum way way, bool busy)
{
	const struct series *s = &b->series[way][busy];
	const struct series *least = &b->series[MINIMUM][busy];
	double wall = median(s->wall_us, s->n);

	(void)printf("%-20s %-5s %8.1f %8.2f %9.2f %9.2f %7.3f %8u\n", way_names[way],
		busy ? "busy" : "idle", median(s->ns, s->n), spread_pct(s),
		scatter_pct(s), wall / 1000, wall / median(least->wall_us, least->n),
		s->n);
}

/* Of the two results of each repetition, which are neighbours in time. */
static double
busy_to_idle(const struct bench *b, enum way way)
{
	const struct series *s = b->series[way];
	unsigned int n = s[0].n < s[1].n ? s[0].n : s[1].n;
	double ratios[REPS_MAX];

	for (unsigned int i = 0; i < n; i++)
		ratios[i] = s[1].ns[i] / s[0].ns[i];
	return median(ratios, n);
}

static void
print_json(const struct bench *b)
{
	(void)printf("{\"cpus\":[%u,%u]", b->cpus[0], b->cpus[1]);
	for (enum way way = OURS; way < N_WAYS; way++) {
		(void)printf(",\"%s\":{\"busy_to_idle\":%.3f", way_names[way],
			busy_to_idle(b, way));
		for (unsigned int busy = 0; busy < 2; busy++) {
			const struct series *s = &b->series[way][busy];

			(void)printf(",\"%s\":{\"ns\":%.2f,\"spread_pct\":%.2f,"
				     "\"scatter_pct\":%.2f,\"wall_us\":%.0f,\"n\":%u}",
				busy ? "busy" : "idle", median(s->ns, s->n),
				spread_pct(s), scatter_pct(s), median(s->wall_us, s->n),
				s->n);
		}
		(void)printf("}");
	}
	(void)printf("}\n");
}

static void
report(const struct bench *b, unsigned int reps)
{
	(void)printf("CPUs %u and %u, %u repetitions%s\n", b->cpus[0], b->cpus[1], reps,
		meter_lacks_realtime(b->meter) ? ", no real-time priority" : "");
	(void)printf("%-20s %-5s %8s %8s %10s %8s\n", "", "", "ns", "spread %",
		"wall ms", "ratio");
	for (enum way way = OURS; way < N_WAYS; way++) {
		print_row(b, way, false);
		print_row(b, way, true);
	}
	for (enum way way = OURS; way < N_WAYS; way++)
		(void)printf(
			"%s: busy / idle %.3f\n", way_names[way], busy_to_idle(b, way));
	for (unsigned int busy = 0; busy < 2; busy++) {
		const struct series *s = &b->series[OURS][busy];

		(void)printf("%s, %s: %.0f us of each CPU, %.1f %% of the bursts "
			     "dropped\n",
			way_names[OURS], busy ? "busy" : "idle", s->cpu_us / reps,
			100.0 * s->dropped / s->bursts);
	}
	print_json(b);
}

static void
start_loads(struct bench *b, struct load *loads)
{
	for (unsigned int i = 0; i < 2; i++) {
		loads[i] = (struct load){b, i};
		(void)sem_init(&b->wake[i], 0, 0);
		if (pthread_create(&b->loads[i], NULL, burn, &loads[i]) != 0)
			exit(1);
	}
}

static void
end_loads(struct bench *b)
{
	atomic_store(&b->ending, true);
	for (unsigned int i = 0; i < 2; i++) {
		(void)sem_post(&b->wake[i]);
		(void)pthread_join(b->loads[i], NULL);
	}
}

static void
choose_cpus(struct bench *b, int argc, char **argv)
{
	struct cpuset allowed;

	if (argc > 3) {
		b->cpus[0] = (unsigned int)strtoul(argv[2], NULL, 10);
		b->cpus[1] = (unsigned int)strtoul(argv[3], NULL, 10);
		return;
	}
	if (grip_allowed(0, &allowed) < 0 || cpuset_count(&allowed) < 2) {
		(void)fprintf(stderr, "two CPUs are needed\n");
		exit(77);
	}
	b->cpus[0] = cpuset_next(&allowed, 0);
	b->cpus[1] = cpuset_next(&allowed, b->cpus[0] + 1);
}

int
main(int argc, char **argv)
{
	struct bench *b = xcalloc(1, sizeof(*b));
	unsigned long reps = argc > 1 ? strtoul(argv[1], NULL, 10) : 40;
	struct err e = ERR_NONE;
	struct load loads[2];

	if (reps == 0 || reps > REPS_MAX)
		reps = 40;
	choose_cpus(b, argc, argv);
	if (meter_new(&b->meter, &e) < 0) {
		(void)fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	start_loads(b, loads);
	for (unsigned long i = 0; i < reps; i++) {
		set_busy(b, false);
		repeat_once(b, false);
		set_busy(b, true);
		repeat_once(b, true);
	}
	set_busy(b, false);
	end_loads(b);
	report(b, (unsigned int)reps);
	meter_free(b->meter);
	free(b);
	return 0;
}

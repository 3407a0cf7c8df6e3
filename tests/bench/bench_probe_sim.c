// SPDX-License-Identifier: MIT
/*
 * How good the ranking is after some seconds of measuring, and how long all of it
 * takes, on simulated hosts of 64 to 1024 CPUs: see tests/unit/probe_sim.h.
 *
 *     make bench-probe-sim [PROBE_SIM="VISIT_US SEED"]
 *
 * True latencies are measured ones of real machines where QMPIN_SHARED has them
 * (latency/NAME.csv.xz). Chiplet hosts of other sizes are resampled from the EPYC 7742:
 * each pair of L3 groups takes after one of its pairs of L3 groups of the same class
 * (inside, same package, other package), each pair of cores in it after one pair of
 * cores, with all its threads. Meshes of other sizes are extended from the Xeon 8375C
 * (two sockets): each core takes the place of one of its socket's cores, drawn by
 * chance, and a pair of cores has the latencies of their places; two in the same place
 * have those of that core and another one. That is kind to the schedule: what a core's
 * pairs have in common is all there is. The measured meshes (64 and 128) are the proof.
 */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe_sim.h"

static const double looks_s[] = {1, 3, 10, 30};

/* A measured matrix and how its CPUs are numbered: thread t of core c is t * cores + c,
 * cores of a group and groups of a package side by side. */
struct real {
	const char *file;
	unsigned int packages;
	unsigned int groups; /* of a package */
	unsigned int cores;  /* of a group */
	unsigned int threads;
	float *ns; /* NULL: not there */
	unsigned int n;
};

enum { EPYC, GRAVITON, XEON, XEON_SMALL, KUNPENG, N_REAL };

static struct real reals[N_REAL] = {
	[EPYC] = {"amd-epyc-7742-2s-256t", 2, 16, 4, 2, NULL, 0},
	[GRAVITON] = {"aws-graviton3-64t", 1, 1, 64, 1, NULL, 0},
	[XEON] = {"intel-xeon-8375c-128t", 2, 1, 32, 2, NULL, 0},
	[XEON_SMALL] = {"intel-xeon-6242-2s-64t", 2, 1, 16, 2, NULL, 0},
	[KUNPENG] = {"hisilicon-kunpeng-920-2s-64c", 2, 1, 32, 1, NULL, 0},
};

static void
read_rows(struct real *r, FILE *in)
{
	char *line = NULL;
	size_t cap = 0;

	for (unsigned int i = 0; i < r->n && getline(&line, &cap, in) >= 0; i++) {
		char *at = line;

		for (unsigned int j = 0; j < i; j++) {
			float ns = strtof(at, &at);

			r->ns[(size_t)i * r->n + j] = ns;
			r->ns[(size_t)j * r->n + i] = ns;
			at += *at == ',';
		}
	}
	free(line);
}

static void
load(struct real *r)
{
	const char *shared = getenv("QMPIN_SHARED");
	char command[512];
	FILE *in;

	(void)snprintf(command, sizeof(command),
		"xz -dc '%s/latency/%s.csv.xz' 2>/dev/null", shared ? shared : "",
		r->file);
	in = popen(command, "r");
	if (in == NULL)
		return;
	r->n = r->packages * r->groups * r->cores * r->threads;
	r->ns = xcalloc((size_t)r->n * r->n, sizeof(*r->ns));
	read_rows(r, in);
	if (pclose(in) == 0)
		return;
	free(r->ns);
	r->ns = NULL;
}

/* Latency of thread t of core c and thread u of core d, cores numbered over the host.
 */
static float
real_ns(const struct real *r, unsigned int c, unsigned int t, unsigned int d,
	unsigned int u)
{
	unsigned int cores = r->n / r->threads;

	return r->ns[(size_t)(t * cores + c) * r->n + u * cores + d];
}

static unsigned int
below(uint64_t *seed, unsigned int n)
{
	return (unsigned int)(sim_uniform(seed) * n);
}

/* Cores of a real host that a made-up one's cores stand for. */
struct place {
	unsigned int c;
	unsigned int d;
};

/* Groups x and y of the real host for a pair of groups of a made-up one. */
static struct place
real_groups(const struct real *r, bool same_group, bool same_package, uint64_t *seed)
{
	unsigned int package = below(seed, r->packages);
	unsigned int x = below(seed, r->groups);
	unsigned int y = x;

	if (same_group)
		return (struct place){package * r->groups + x, package * r->groups + x};
	if (!same_package)
		return (struct place){x, r->groups + below(seed, r->groups)};
	while (y == x)
		y = below(seed, r->groups);
	return (struct place){package * r->groups + x, package * r->groups + y};
}

static void
set_cores(struct matrix *m, const struct real *r, unsigned int core, unsigned int other,
	struct place p)
{
	unsigned int cores = m->n / r->threads;

	for (unsigned int t = 0; t < r->threads; t++)
		for (unsigned int u = 0; u < r->threads; u++)
			if (core != other || t != u)
				matrix_at(m, t * cores + core, u * cores + other)->ns =
					real_ns(r, p.c, t, p.d, u);
}

/* The pairs of cores of two groups, each like one of the two groups in @g. */
static void
resample_groups(struct matrix *m, const struct real *r, struct place at, struct place g,
	unsigned int n, uint64_t *seed)
{
	for (unsigned int i = 0; i < n * n; i++) {
		unsigned int core = at.c * n + i / n;
		unsigned int other = at.d * n + i % n;
		unsigned int c = below(seed, r->cores);
		unsigned int d = below(seed, r->cores);

		while (g.c == g.d && c == d && core != other)
			d = below(seed, r->cores);
		if (core == other)
			d = c;
		set_cores(m, r, core, other,
			(struct place){g.c * r->cores + c, g.d * r->cores + d});
	}
}

static struct matrix *
resampled(const struct real *r, const struct layout *l, const struct topo *t,
	uint64_t seed)
{
	unsigned int groups = l->packages * l->l3s;
	struct matrix *m = matrix_new(&t->online);

	for (unsigned int x = 0; x < groups; x++)
		for (unsigned int y = 0; y <= x; y++)
			resample_groups(m, r, (struct place){x, y},
				real_groups(r, x == y, x / l->l3s == y / l->l3s, &seed),
				l->cores, &seed);
	return m;
}

static struct matrix *
extended(const struct real *r, const struct layout *l, const struct topo *t,
	uint64_t seed)
{
	unsigned int cores = l->packages * l->cores;
	struct matrix *m = matrix_new(&t->online);
	unsigned int *place = xcalloc(cores, sizeof(*place));

	for (unsigned int i = 0; i < cores; i++)
		place[i] = i / l->cores * r->cores + below(&seed, r->cores);
	for (unsigned int i = 0; i < cores; i++) {
		for (unsigned int j = 0; j <= i; j++) {
			struct place p = {place[i], place[j]};

			while (i != j && p.c == p.d)
				p.d = i / l->cores * r->cores + below(&seed, r->cores);
			set_cores(m, r, i, j, p);
		}
	}
	free(place);
	return m;
}

static struct matrix *
as_measured(const struct real *r, const struct layout *l, const struct topo *t,
	uint64_t seed)
{
	struct matrix *m = matrix_new(&t->online);
	unsigned int real_cores = r->n / r->threads;
	unsigned int cores = m->n / l->threads;

	(void)seed;
	/* perhaps only the first cores of it */
	for (unsigned int i = 1; i < m->n; i++)
		for (unsigned int j = 0; j < i; j++)
			matrix_at(m, i, j)->ns =
				real_ns(r, i % cores, i / cores, j % cores, j / cores);
	return cores <= real_cores ? m : NULL;
}

static const struct subject {
	const char *name;
	unsigned int real;
	struct matrix *(*truth)(const struct real *r, const struct layout *l,
		const struct topo *t, uint64_t seed);
	struct layout layout;
} subjects[] = {
	{"chiplet 64, resampled", EPYC, resampled, {1, 1, 8, 4, 2, 0, 0}},
	{"chiplet 128, one 7742", EPYC, as_measured, {1, 1, 16, 4, 2, 0, 0}},
	{"chiplet 256, 2 x 7742", EPYC, as_measured, {2, 1, 16, 4, 2, 0, 0}},
	{"chiplet 384, resampled", EPYC, resampled, {2, 1, 12, 8, 2, 0, 0}},
	{"chiplet 512, resampled", EPYC, resampled, {2, 1, 16, 8, 2, 0, 0}},
	{"chiplet 1024, resampled", EPYC, resampled, {2, 1, 32, 8, 2, 0, 0}},
	{"mesh 64, Graviton 3", GRAVITON, as_measured, {1, 1, 1, 64, 1, 0, 0}},
	{"mesh 64, 2 x 6242", XEON_SMALL, as_measured, {2, 1, 1, 16, 2, 0, 0}},
	{"mesh 64, 2 x Kunpeng 920", KUNPENG, as_measured, {2, 1, 1, 32, 1, 0, 0}},
	{"mesh 128, 2 x 8375C", XEON, as_measured, {2, 1, 1, 32, 2, 0, 0}},
	{"mesh 256, extended", XEON, extended, {2, 1, 1, 64, 2, 0, 0}},
	{"mesh 384, extended", XEON, extended, {2, 1, 1, 96, 2, 0, 0}},
	{"mesh 512, extended", XEON, extended, {2, 1, 1, 128, 2, 0, 0}},
	{"mesh 1024, extended", XEON, extended, {2, 1, 1, 256, 2, 0, 0}},
};

static const struct way {
	const char *name;
	const char *key;
	bool parallel; /* an eighth of the CPUs at a time */
	double cold_s; /* of pace; negative: no pace */
	bool all_pairs;
} ways[] = {
	{"one by one", "sequential", false, -1, false},
	{"1/8, 3 s cold", "paced", true, 3, false},
	{"1/8, always cold", "cold", true, 1e6, false},
	{"all pairs in order", "naive", false, -1, true},
};

static void
print_table(const char *name, const struct way *w, const struct sim_result *r)
{
	printf("%-25s %-18s", name, w->name);
	for (size_t i = 0; i < ARRAY_LEN(looks_s); i++) {
		printf(" |");
		for (unsigned int k = 0; k < 3; k++)
			printf(" %5.1f", fmin(100 * r->looks[i].loss[k], 999));
	}
	printf(" | %7.1f s %7u", r->total_s, r->visits);
	if (!w->all_pairs)
		printf(" %5.2f %6.2f", r->next_ns / 1e3, r->next_max_us / 1e3);
	printf("\n");
}

static void
print_json(const struct subject *s, const struct way *w, const struct sim_result *r,
	FILE *json)
{
	(void)fprintf(json,
		"%s{\"host\":\"%s\",\"way\":\"%s\",\"total_s\":%.2f,"
		"\"visits\":%u,\"next_us\":%.3f,\"loss_pct\":{",
		ftell(json) == 0 ? "" : ",", s->name, w->key, r->total_s, r->visits,
		r->next_ns / 1e3);
	for (size_t i = 0; i < ARRAY_LEN(looks_s); i++)
		(void)fprintf(json, "%s\"%g\":[%.2f,%.2f,%.2f]", i == 0 ? "" : ",",
			looks_s[i], 100 * r->looks[i].loss[0],
			100 * r->looks[i].loss[1], 100 * r->looks[i].loss[2]);
	(void)fprintf(json, "}}");
}

static void
bench(const struct subject *s, double visit_us, uint64_t seed, FILE *json)
{
	const struct real *real = &reals[s->real];
	struct sim_host h = {.name = s->name, .topo = hosts_build(&s->layout)};
	unsigned int jobs = h.topo->n_pus / 16 > 1 ? h.topo->n_pus / 16 : 1;

	if (real->ns == NULL && s->truth == resampled) {
		sim_host_fini(&h);
		h = sim_chiplet(s->name, &s->layout, 0.06, 0.02, seed);
	} else if (real->ns != NULL) {
		h.truth = s->truth(real, &s->layout, h.topo, seed);
	}
	for (size_t i = 0; h.truth != NULL && i < ARRAY_LEN(ways); i++) {
		const struct sim_options o = {
			.visit_us = visit_us,
			.jobs = ways[i].parallel ? jobs : 1,
			.cold_s = ways[i].cold_s,
			.all_pairs = ways[i].all_pairs,
			.seed = seed,
			.noise = sim_noise_usual,
			.looks = looks_s,
			.n_looks = ARRAY_LEN(looks_s),
		};
		struct sim_result r;

		sim_run(&h, &o, &r);
		print_table(s->name, &ways[i], &r);
		print_json(s, &ways[i], &r, json);
		(void)fflush(stdout);
	}
	sim_host_fini(&h);
}

int
main(int argc, char **argv)
{
	double visit_us = argc > 1 ? strtod(argv[1], NULL) : 1500;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	const char *only = argc > 3 ? argv[3] : "";
	char *text = NULL;
	size_t len = 0;
	FILE *json = open_memstream(&text, &len);

	if (json == NULL || !(visit_us >= 1))
		return 1;
	for (unsigned int i = 0; i < N_REAL; i++)
		load(&reals[i]);
	if (reals[EPYC].ns == NULL)
		printf("no measured matrices (QMPIN_SHARED): made-up chiplets only\n");
	printf("visit %.0f us; loss of the 4, 8, 16 nearest in %% after 1, 3, 10, 30 s; "
	       "time and visits until done; CPU time of a step, mean us and longest ms\n",
		visit_us);
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
		if (strstr(subjects[i].name, only) != NULL)
			bench(&subjects[i], visit_us, seed, json);
	(void)fclose(json);
	printf("{\"visit_us\":%.0f,\"runs\":[%s]}\n", visit_us, text);
	free(text);
	for (unsigned int i = 0; i < N_REAL; i++)
		free(reals[i].ns);
	return 0;
}

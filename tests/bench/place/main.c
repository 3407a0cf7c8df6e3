// SPDX-License-Identifier: MIT
/*
 * How good placements are: the planner and its peers on the same made-up days of many
 * hosts, judged by one judge. "make bench-place"; BENCH_PLACE holds options.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "experiment.h"

#define BANDS_MAX 8u
/* So many CPUs and more: two seeds; without the reference. */
#define LARGE_HOST 256u
#define ANNEAL_CPUS_MAX 64u

struct options {
	const char *hosts; /* parts of names, NULL: the usual ones */
	unsigned int first_seed;
	unsigned int seeds; /* 0: by the size of the host */
	unsigned int events;
	unsigned int n_bands;
	struct scenario_band bands[BANDS_MAX];
	bool curves;
	bool weights;
	bool real;
	bool help;
	const char *json;
	uint64_t emit; /* seed of the scenario to be printed; 0: none */
	struct tune tune;
};

static void
usage(FILE *out)
{
	(void)fputs(
		"bench_place [OPTION]...\n"
		"  --hosts NAME[,NAME]  only hosts with one of these in their name\n"
		"  --real               real machines too (QMPIN_SHARED)\n"
		"  --band LOW-HIGH      load in percent of the CPUs; may be repeated\n"
		"  --seeds N            days of each host and load\n"
		"  --first-seed N       other days: those the planner was not tuned on\n"
		"  --events N           of each day\n"
		"  --from-empty         judge the steps that fill the host as well\n"
		"  --rounds N           of the reference after each event, 0: without\n"
		"  --curves             against moves and width of masks instead\n"
		"  --weights            weights halved and doubled instead\n"
		"  --json FILE          the same as JSON\n"
		"  --emit SEED          print a scenario for qmpin plan and end\n"
		"  --help               this\n",
		out);
}

static bool
read_number(const char *text, uint64_t max, uint64_t *out)
{
	if (text != NULL && str_parse_uint(text, max, out) == 0)
		return true;
	(void)fprintf(stderr, "bench_place: not a number up to %u: %s\n",
		(unsigned int)max, text != NULL ? text : "");
	return false;
}

static bool
read_band(struct options *o, char *text)
{
	char *low = strtok(text, "-");
	char *high = strtok(NULL, "");
	uint64_t from = 0;
	uint64_t to = 0;

	if (o->n_bands == BANDS_MAX || !read_number(low, 1000, &from) ||
		!read_number(high, 1000, &to) || from > to)
		return false;
	o->bands[o->n_bands++] =
		(struct scenario_band){(unsigned int)from, (unsigned int)to};
	return true;
}

static const struct option long_options[] = {
	{"hosts", required_argument, NULL, 'h'},
	{"real", no_argument, NULL, 'r'},
	{"band", required_argument, NULL, 'b'},
	{"seeds", required_argument, NULL, 's'},
	{"first-seed", required_argument, NULL, 'S'},
	{"events", required_argument, NULL, 'e'},
	{"from-empty", no_argument, NULL, 'f'},
	{"rounds", required_argument, NULL, 'n'},
	{"curves", no_argument, NULL, 'c'},
	{"weights", no_argument, NULL, 'w'},
	{"json", required_argument, NULL, 'j'},
	{"emit", required_argument, NULL, 'E'},
	{"help", no_argument, NULL, 'H'},
	{NULL, 0, NULL, 0},
};

/* Options with a number. */
static bool
read_count(struct options *o, int opt)
{
	uint64_t n = 0;

	if (!read_number(optarg, 100000, &n))
		return false;
	if (opt == 's')
		o->seeds = (unsigned int)n;
	else if (opt == 'S')
		o->first_seed = (unsigned int)n;
	else if (opt == 'e')
		o->events = (unsigned int)n;
	else if (opt == 'n')
		o->tune.rounds = (unsigned int)n;
	else
		o->emit = n;
	return true;
}

static bool
read_option(struct options *o, int opt)
{
	switch (opt) {
	case 'h':
		o->hosts = optarg;
		return true;
	case 'r':
		o->real = true;
		return true;
	case 'b':
		return read_band(o, optarg);
	case 'f':
		o->tune.from_empty = true;
		return true;
	case 'c':
		o->curves = true;
		return true;
	case 'w':
		o->weights = true;
		return true;
	case 'j':
		o->json = optarg;
		return true;
	case 'H':
		o->help = true;
		return true;
	case 's':
	case 'S':
	case 'e':
	case 'n':
	case 'E':
		return read_count(o, opt);
	default:
		return false;
	}
}

static bool
read_options(struct options *o, int argc, char **argv)
{
	int opt;

	*o = (struct options){.first_seed = 1, .events = 80, .tune = tune_default()};
	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (!read_option(o, opt))
			return false;
	}
	if (o->n_bands == 0) {
		o->bands[o->n_bands++] = (struct scenario_band){40, 150};
		o->bands[o->n_bands++] = (struct scenario_band){200, 350};
	}
	return optind == argc;
}

static bool
wanted(const struct options *o, const struct bench_host *h)
{
	auto_free char *copy = NULL;
	char *save = NULL;

	if (o->hosts == NULL)
		return h->usual || o->real;
	copy = strdup(o->hosts);
	for (char *part = strtok_r(copy, ",", &save); part != NULL;
		part = strtok_r(NULL, ",", &save)) {
		if (strstr(h->name, part) != NULL)
			return true;
	}
	return false;
}

static unsigned int
seeds_of(const struct options *o, const struct bench_host *h)
{
	if (o->seeds > 0)
		return o->seeds;
	return h->topo->n_pus >= LARGE_HOST || !h->usual ? 2 : 5;
}

static void
run_host(const struct options *o, struct bench_host *h, struct table *t)
{
	struct experiment x = {.host = h,
		.first_seed = o->first_seed,
		.seeds = seeds_of(o, h),
		.events = o->events,
		.tune = o->tune,
		.table = t};

	if (o->tune.rounds > 0 && h->usual && h->topo->n_pus <= ANNEAL_CPUS_MAX)
		x.anneal_seeds = x.seeds < 2 ? x.seeds : 2;
	for (unsigned int b = 0; b < o->n_bands; b++) {
		x.band = o->bands[b];
		if (o->curves)
			experiment_curves(&x);
		if (o->weights)
			experiment_weights(&x);
		if (!o->curves && !o->weights)
			experiment_compare(&x);
	}
}

static void
emit(const struct options *o, const struct bench_host *h)
{
	struct scenario s = scenario_make(h->topo, &o->bands[0], o->emit, o->events);

	scenario_print(&s, stdout);
	scenario_fini(&s);
}

static int
write_json(const struct options *o, json_t *rows)
{
	auto_json json_t *all = json_pack("{s:o}", "rows", rows);

	if (json_dump_file(all, o->json, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) == 0)
		return 0;
	(void)fprintf(stderr, "bench_place: cannot write %s\n", o->json);
	return 1;
}

int
main(int argc, char **argv)
{
	struct options o;
	struct table t = {0};
	struct bench_hosts hosts;

	if (!read_options(&o, argc, argv)) {
		usage(stderr);
		return 2;
	}
	if (o.help) {
		usage(stdout);
		return 0;
	}
	if (o.json != NULL)
		t.rows = json_array();
	hosts = bench_hosts_load(o.real);
	for (unsigned int i = 0; i < hosts.n; i++) {
		if (!wanted(&o, &hosts.hosts[i]))
			continue;
		if (o.emit > 0) {
			emit(&o, &hosts.hosts[i]);
			break;
		}
		run_host(&o, &hosts.hosts[i], &t);
	}
	bench_hosts_fini(&hosts);
	return o.json != NULL ? write_json(&o, t.rows) : 0;
}

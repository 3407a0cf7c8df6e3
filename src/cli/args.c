// SPDX-License-Identifier: MIT
/* The command line of qmpin, by way of getopt_long. */
#include "config.h"

#include "cli/args.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "topo/cpuset.h"

enum {
	OPT_RUN_DIR = 256,
	OPT_FORMAT,
	OPT_NO_HEADING,
	OPT_ALL,
	OPT_AFFINITY,
	OPT_TOPOLOGY,
	OPT_LATENCY,
	OPT_LOCAL,
	OPT_CPUS,
	OPT_BUDGET,
	OPT_EXHAUSTIVE,
	OPT_CONFIG,
	OPT_SET,
	OPT_EXPLAIN,
	OPT_DRY_RUN,
	OPT_COLUMNS,
	OPT_PERMANENT,
	OPT_RESET,
};

/* The leading colon makes a missing argument distinct from an unknown option. */
static const char short_options[] = ":jhn:o:vV";

static const struct option long_options[] = {
	{"run-dir", required_argument, NULL, OPT_RUN_DIR},
	{"output-format", required_argument, NULL, OPT_FORMAT},
	{"no-heading", no_argument, NULL, OPT_NO_HEADING},
	{"all", no_argument, NULL, OPT_ALL},
	{"output", required_argument, NULL, 'o'},
	{"affinity", no_argument, NULL, OPT_AFFINITY},
	{"topology", required_argument, NULL, OPT_TOPOLOGY},
	{"latency", required_argument, NULL, OPT_LATENCY},
	{"local", no_argument, NULL, OPT_LOCAL},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"budget", required_argument, NULL, OPT_BUDGET},
	{"exhaustive", no_argument, NULL, OPT_EXHAUSTIVE},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"set", required_argument, NULL, OPT_SET},
	{"explain", no_argument, NULL, OPT_EXPLAIN},
	{"dry-run", no_argument, NULL, OPT_DRY_RUN},
	{"columns", required_argument, NULL, OPT_COLUMNS},
	{"verbose", no_argument, NULL, 'v'},
	{"permanent", no_argument, NULL, OPT_PERMANENT},
	{"reset", no_argument, NULL, OPT_RESET},
	{"lines", required_argument, NULL, 'n'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

const char *
args_option_name(unsigned int options)
{
	static const struct {
		unsigned int option;
		const char *name;
	} names[] = {
		{ARGS_ALL, "--all"},
		{ARGS_OUTPUT, "--output"},
		{ARGS_AFFINITY, "--affinity"},
		{ARGS_TOPOLOGY, "--topology"},
		{ARGS_LATENCY, "--latency"},
		{ARGS_LOCAL, "--local"},
		{ARGS_CPUS, "--cpus"},
		{ARGS_BUDGET, "--budget"},
		{ARGS_EXHAUSTIVE, "--exhaustive"},
		{ARGS_CONFIG, "--config"},
		{ARGS_SET, "--set"},
		{ARGS_EXPLAIN, "--explain"},
		{ARGS_DRY_RUN, "--dry-run"},
		{ARGS_COLUMNS, "--columns"},
		{ARGS_VERBOSE, "--verbose"},
		{ARGS_PERMANENT, "--permanent"},
		{ARGS_RESET, "--reset"},
		{ARGS_LINES, "--lines"},
		{ARGS_FORMAT_CSV, "--output-format csv"},
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if ((options & names[i].option) != 0)
			return names[i].name;
	}
	return "";
}

static int
set_format(struct args *a, const char *name, struct err *e)
{
	static const char *const names[] = {
		[ARGS_TEXT] = "text",
		[ARGS_JSON] = "json",
		[ARGS_JSON_PRETTY] = "json-pretty",
		[ARGS_CSV] = "csv",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], name) == 0) {
			a->format = (enum args_format)i;
			a->format_given = true;
			if (a->format == ARGS_CSV)
				a->given |= ARGS_FORMAT_CSV;
			else
				a->given &= ~(unsigned int)ARGS_FORMAT_CSV;
			return 0;
		}
	}
	return err_set(e, -EINVAL, NULL, 0,
		"no output format '%s': text, json or json-pretty (latency: csv, too)",
		name);
}

/* The name of a file or directory; @what it needs. */
static int
set_path(const char **out, const char *path, const char *what, struct err *e)
{
	if (*path == '\0')
		return err_set(e, -EINVAL, NULL, 0, "%s", what);
	*out = path;
	return 0;
}

/* One CPU alone has no latency to others. */
static int
set_cpus(struct args *a, const char *list, struct err *e)
{
	struct cpuset cpus;

	if (cpuset_parse(list, &cpus) < 0)
		return err_set(e, -EINVAL, NULL, 0,
			"--cpus '%.60s' is no list of CPUs such as 0-7,64-71", list);
	if (cpuset_count(&cpus) < 2)
		return err_set(e, -EINVAL, NULL, 0, "--cpus needs two CPUs at least");
	a->cpus = list;
	return 0;
}

static int
set_budget(struct args *a, const char *text, struct err *e)
{
	/* no exponents, no "inf", no hexadecimals */
	double s = text[strspn(text, "0123456789.")] == '\0' ? strtod(text, NULL) : 0;

	if (!(s > 0 && s <= ARGS_BUDGET_MAX_S))
		return err_set(e, -EINVAL, NULL, 0,
			"--budget '%.60s' is no number of seconds up to %.0f", text,
			ARGS_BUDGET_MAX_S);
	a->budget_s = s;
	return 0;
}

static int
set_lines(struct args *a, const char *text, struct err *e)
{
	uint64_t n;

	if (str_parse_uint(text, ARGS_LINES_MAX, &n) < 0)
		return err_set(e, -EINVAL, NULL, 0,
			"--lines '%.60s' is no number up to %u", text, ARGS_LINES_MAX);
	a->lines = (unsigned int)n;
	return 0;
}

/* What the keys and values are is the settings' business. */
static int
add_set(struct args *a, const char *text, struct err *e)
{
	if (strchr(text, '=') == NULL || *text == '=')
		return err_set(
			e, -EINVAL, NULL, 0, "--set '%.60s' is no KEY=VALUE", text);
	if (a->n_sets == ARGS_SETS_MAX)
		return err_set(
			e, -EINVAL, NULL, 0, "more than %u times --set", ARGS_SETS_MAX);
	a->sets[a->n_sets++] = text;
	return 0;
}

/* optopt is a short option's letter, or 0 where a long one is unknown. */
static int
explain_option(int c, char **argv, struct err *e)
{
	const char *given = argv[optind - 1];

	if (c == ':')
		return err_set(
			e, -EINVAL, NULL, 0, "option '%s' needs an argument", given);
	if (optopt > 0 && optopt < OPT_RUN_DIR && !(given[0] == '-' && given[1] == '-'))
		return err_set(e, -EINVAL, NULL, 0, "unknown option '-%c'", optopt);
	if (optopt != 0)
		return err_set(
			e, -EINVAL, NULL, 0, "option '%s' takes no argument", given);
	return err_set(e, -EINVAL, NULL, 0, "unknown option '%s'", given);
}

/* Options that stand for every command. */
static int
take_common(struct args *a, int c, char **argv, struct err *e)
{
	switch (c) {
	case OPT_RUN_DIR:
		return set_path(&a->run_dir, optarg, "--run-dir needs a directory", e);
	case OPT_FORMAT:
		return set_format(a, optarg, e);
	case OPT_NO_HEADING:
		a->heading = false;
		return 0;
	case 'j':
		return set_format(a, "json", e);
	case 'h':
		a->help = true;
		return 0;
	case 'V':
		a->version = true;
		return 0;
	default:
		return explain_option(c, argv, e);
	}
}

static int
take_switch(struct args *a, enum args_option option, bool *on)
{
	a->given |= option;
	*on = true;
	return 0;
}

/* Options of tables. */
static int
take_table(struct args *a, int c, char **argv, struct err *e)
{
	switch (c) {
	case OPT_COLUMNS:
		a->given |= ARGS_COLUMNS;
		return set_path(&a->columns, optarg, "--columns needs their names", e);
	case 'v':
		return take_switch(a, ARGS_VERBOSE, &a->verbose);
	default:
		return take_common(a, c, argv, e);
	}
}

/* Options of modes. */
static int
take_mode(struct args *a, int c, char **argv, struct err *e)
{
	switch (c) {
	case OPT_PERMANENT:
		return take_switch(a, ARGS_PERMANENT, &a->permanent);
	case OPT_RESET:
		return take_switch(a, ARGS_RESET, &a->reset);
	default:
		return take_table(a, c, argv, e);
	}
}

/* Options of plans, and what to show. */
static int
take_plan(struct args *a, int c, char **argv, struct err *e)
{
	switch (c) {
	case OPT_CONFIG:
		a->given |= ARGS_CONFIG;
		return set_path(
			&a->config, optarg, "--config needs a file or directory", e);
	case OPT_SET:
		a->given |= ARGS_SET;
		return add_set(a, optarg, e);
	case 'n':
		a->given |= ARGS_LINES;
		return set_lines(a, optarg, e);
	case OPT_DRY_RUN:
		return take_switch(a, ARGS_DRY_RUN, &a->dry_run);
	case OPT_EXPLAIN:
		return take_switch(a, ARGS_EXPLAIN, &a->explain);
	default:
		return take_mode(a, c, argv, e);
	}
}

static int
take_option(struct args *a, int c, char **argv, struct err *e)
{
	switch (c) {
	case OPT_ALL:
		return take_switch(a, ARGS_ALL, &a->all);
	case OPT_AFFINITY:
		return take_switch(a, ARGS_AFFINITY, &a->affinity);
	case OPT_LOCAL:
		return take_switch(a, ARGS_LOCAL, &a->local);
	case OPT_EXHAUSTIVE:
		return take_switch(a, ARGS_EXHAUSTIVE, &a->exhaustive);
	case 'o':
		a->given |= ARGS_OUTPUT;
		return set_path(&a->output, optarg, "--output needs a file", e);
	case OPT_TOPOLOGY:
		a->given |= ARGS_TOPOLOGY;
		return set_path(&a->topology, optarg,
			"--topology needs a directory or an XML file", e);
	case OPT_LATENCY:
		a->given |= ARGS_LATENCY;
		return set_path(&a->latency, optarg, "--latency needs a file", e);
	case OPT_CPUS:
		a->given |= ARGS_CPUS;
		return set_cpus(a, optarg, e);
	case OPT_BUDGET:
		a->given |= ARGS_BUDGET;
		return set_budget(a, optarg, e);
	default:
		return take_plan(a, c, argv, e);
	}
}

int
args_parse(
	int argc, char **argv, const char *env_run_dir, struct args *out, struct err *e)
{
	struct args a = {
		.run_dir = ARGS_RUN_DIR, .heading = true, .lines = ARGS_LINES_DEFAULT};
	int c;
	int r = 0;

	if (env_run_dir != NULL && *env_run_dir != '\0')
		a.run_dir = env_run_dir;
	opterr = 0;
	optind = 0; /* glibc: start afresh */
	while (r == 0 &&
		(c = getopt_long(argc, argv, short_options, long_options, NULL)) != -1)
		r = take_option(&a, c, argv, e);
	if (r < 0)
		return r;
	if (optind < argc)
		a.command = argv[optind++];
	a.operands = argv + optind;
	a.n_operands = argc - optind;
	*out = a;
	return 0;
}

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

static int
hide_heading(struct args *a, const char *value UNUSED, struct err *e UNUSED)
{
	a->heading = false;
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

/* What getopt_long says for the first option that has no letter. */
#define FIRST_LONG 256

#define MEMBER(m) .at = offsetof(struct args, m)

static const struct row {
	const char *name;
	int letter;	     /* of its short form; 0: it has none */
	unsigned int option; /* of enum args_option; 0: every command takes it */
	size_t at;	     /* of a switch, or of a name as its value */
	const char *needs;   /* what its value is; NULL: it has none */
	/* NULL: the member is set */
	int (*take)(struct args *a, const char *value, struct err *e);
} table[] = {
	{"--all", 0, ARGS_ALL, MEMBER(all)},
	{"--output", 'o', ARGS_OUTPUT, MEMBER(output), "a file"},
	{"--affinity", 0, ARGS_AFFINITY, MEMBER(affinity)},
	{"--topology", 0, ARGS_TOPOLOGY, MEMBER(topology),
		"a directory or an XML file"},
	{"--latency", 0, ARGS_LATENCY, MEMBER(latency), "a file"},
	{"--local", 0, ARGS_LOCAL, MEMBER(local)},
	{"--cpus", 0, ARGS_CPUS, 0, "CPUs", set_cpus},
	{"--budget", 0, ARGS_BUDGET, 0, "seconds", set_budget},
	{"--exhaustive", 0, ARGS_EXHAUSTIVE, MEMBER(exhaustive)},
	{"--config", 0, ARGS_CONFIG, MEMBER(config), "a file or directory"},
	{"--set", 0, ARGS_SET, 0, "KEY=VALUE", add_set},
	{"--explain", 0, ARGS_EXPLAIN, MEMBER(explain)},
	{"--dry-run", 0, ARGS_DRY_RUN, MEMBER(dry_run)},
	{"--columns", 0, ARGS_COLUMNS, MEMBER(columns), "their names"},
	{"--verbose", 'v', ARGS_VERBOSE, MEMBER(verbose)},
	{"--permanent", 0, ARGS_PERMANENT, MEMBER(permanent)},
	{"--reset", 0, ARGS_RESET, MEMBER(reset)},
	{"--lines", 'n', ARGS_LINES, 0, "a number", set_lines},
	{"--run-dir", 0, 0, MEMBER(run_dir), "a directory"},
	{"--output-format", 0, 0, 0, "a name", set_format},
	{"--no-heading", 0, 0, .take = hide_heading},
	{"--help", 'h', 0, MEMBER(help)},
	{"--version", 'V', 0, MEMBER(version)},
};

/* The leading colon makes a missing argument distinct from an unknown option. */
static const char short_options[] = ":jhn:o:vV";

const char *
args_option_name(unsigned int options)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if ((options & table[i].option) != 0)
			return table[i].name;
	}
	return (options & ARGS_FORMAT_CSV) != 0 ? "--output-format csv" : "";
}

/* The table for getopt_long, which ends with zeroes. */
static void
list_options(struct option out[ARRAY_LEN(table) + 1])
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct row *row = &table[i];

		out[i] = (struct option){row->name + strlen("--"),
			row->needs != NULL ? required_argument : no_argument, NULL,
			row->letter != 0 ? row->letter : FIRST_LONG + (int)i};
	}
}

/* NULL: none is like that. */
static const struct row *
find_row(int c)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (c == table[i].letter || c == FIRST_LONG + (int)i)
			return &table[i];
	}
	return NULL;
}

static int
take_option(struct args *a, const struct row *row, const char *value, struct err *e)
{
	void *member = (char *)a + row->at;

	a->given |= row->option;
	if (row->take != NULL)
		return row->take(a, value, e);
	if (row->needs == NULL) {
		*(bool *)member = true;
		return 0;
	}
	if (*value == '\0')
		return err_set(
			e, -EINVAL, NULL, 0, "%s needs %s", row->name, row->needs);
	*(const char **)member = value;
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
	if (optopt > 0 && optopt < FIRST_LONG && !(given[0] == '-' && given[1] == '-'))
		return err_set(e, -EINVAL, NULL, 0, "unknown option '-%c'", optopt);
	if (optopt != 0)
		return err_set(
			e, -EINVAL, NULL, 0, "option '%s' takes no argument", given);
	return err_set(e, -EINVAL, NULL, 0, "unknown option '%s'", given);
}

int
args_parse(
	int argc, char **argv, const char *env_run_dir, struct args *out, struct err *e)
{
	struct args a = {
		.run_dir = ARGS_RUN_DIR, .heading = true, .lines = ARGS_LINES_DEFAULT};
	struct option options[ARRAY_LEN(table) + 1] = {0};
	int c;
	int r = 0;

	if (env_run_dir != NULL && *env_run_dir != '\0')
		a.run_dir = env_run_dir;
	opterr = 0;
	optind = 0; /* glibc: start afresh */
	list_options(options);
	while (r == 0 &&
		(c = getopt_long(argc, argv, short_options, options, NULL)) != -1) {
		const struct row *row = find_row(c);

		if (c == 'j')
			r = set_format(&a, "json", e);
		else if (row != NULL)
			r = take_option(&a, row, optarg, e);
		else
			r = explain_option(c, argv, e);
	}
	if (r < 0)
		return r;
	if (optind < argc)
		a.command = argv[optind++];
	a.operands = argv + optind;
	a.n_operands = argc - optind;
	*out = a;
	return 0;
}

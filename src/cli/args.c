// SPDX-License-Identifier: MIT
/* The command line of qmpin, by way of getopt_long. */
#include "config.h"

#include "cli/args.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <string.h>

enum { OPT_RUN_DIR = 256, OPT_FORMAT, OPT_NO_HEADING, OPT_ALL };

/* The leading colon makes a missing argument distinct from an unknown option. */
static const char short_options[] = ":jhV";

static const struct option long_options[] = {
	{"run-dir", required_argument, NULL, OPT_RUN_DIR},
	{"output-format", required_argument, NULL, OPT_FORMAT},
	{"no-heading", no_argument, NULL, OPT_NO_HEADING},
	{"all", no_argument, NULL, OPT_ALL},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

const char *
args_help(void)
{
	return "      --run-dir DIR           where the sockets of qmpind are\n"
	       "                              (default: QMPIN_RUN_DIR or " ARGS_RUN_DIR
	       ")\n"
	       "      --output-format FORMAT  text (default), json or json-pretty\n"
	       "  -j                          same as --output-format json\n"
	       "      --no-heading            tables without column headings\n"
	       "      --all                   all VMs, for commands that change them\n"
	       "  -h, --help                  show this text\n"
	       "  -V, --version               show the version\n";
}

static int
set_format(struct args *a, const char *name, struct err *e)
{
	static const char *const names[] = {
		[ARGS_TEXT] = "text",
		[ARGS_JSON] = "json",
		[ARGS_JSON_PRETTY] = "json-pretty",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], name) == 0) {
			a->format = (enum args_format)i;
			return 0;
		}
	}
	return err_set(e, -EINVAL, NULL, 0,
		"no output format '%s': text, json or json-pretty", name);
}

static int
set_run_dir(struct args *a, const char *dir, struct err *e)
{
	if (*dir == '\0')
		return err_set(e, -EINVAL, NULL, 0, "--run-dir needs a directory");
	a->run_dir = dir;
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

static int
take_option(struct args *a, int c, char **argv, struct err *e)
{
	switch (c) {
	case OPT_RUN_DIR:
		return set_run_dir(a, optarg, e);
	case OPT_FORMAT:
		return set_format(a, optarg, e);
	case OPT_NO_HEADING:
		a->heading = false;
		return 0;
	case OPT_ALL:
		a->all = true;
		return 0;
	case 'j':
		a->format = ARGS_JSON;
		return 0;
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

int
args_parse(
	int argc, char **argv, const char *env_run_dir, struct args *out, struct err *e)
{
	struct args a = {.run_dir = ARGS_RUN_DIR, .heading = true};
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

// SPDX-License-Identifier: MIT
/* Options and nothing else: what they mean on this host is for run.c to say. */
#include "config.h"

#include "probe/probeargs.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/str.h"

enum option_id {
	OPTION_CPUS,
	OPTION_COLD,
	OPTION_BUDGET,
	OPTION_CPUS_PCT,
	OPTION_EXHAUSTIVE,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option options[] = {
	{"cpus", required_argument, NULL, OPTION_CPUS},
	{"cold", required_argument, NULL, OPTION_COLD},
	{"budget", required_argument, NULL, OPTION_BUDGET},
	{"cpus-pct", required_argument, NULL, OPTION_CPUS_PCT},
	{"exhaustive", no_argument, NULL, OPTION_EXHAUSTIVE},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{NULL, 0, NULL, 0},
};

/* "3", "0.25": milliseconds are enough, and no locale is asked. */
static int
parse_seconds(const char *text, double *out)
{
	const char *point = strchrnul(text, '.');
	char whole[16];
	char part[4] = "000";
	uint64_t s;
	uint64_t ms;
	size_t len = (size_t)(point - text);

	if (len >= sizeof(whole) || (*point == '.' && point[1] == '\0') ||
		strlen(point) > sizeof(part))
		return -EINVAL;
	memcpy(whole, text, len);
	whole[len] = '\0';
	if (*point == '.')
		memcpy(part, point + 1, strlen(point + 1));
	if (str_parse_uint(whole, PROBEARGS_SECONDS_MAX, &s) < 0 ||
		str_parse_uint(part, 999, &ms) < 0)
		return -EINVAL;
	*out = (double)s + (double)ms / 1000.0;
	return 0;
}

static int
take_cpus(struct probeargs *a, const char *value, struct err *e)
{
	int r = cpuset_parse(value, &a->cpus);

	if (r == -ERANGE)
		return err_set(e, -EINVAL, NULL, 0,
			"--cpus: a CPU above %u in '%.100s'", CPUSET_CAP - 1, value);
	if (r < 0 || cpuset_empty(&a->cpus))
		return err_set(e, -EINVAL, NULL, 0,
			"--cpus: '%.100s' is not a list of CPUs like 0-3,8", value);
	a->cpus_given = true;
	return 0;
}

static int
take_seconds(const char *name, const char *value, double *out, struct err *e)
{
	if (parse_seconds(value, out) < 0)
		return err_set(e, -EINVAL, NULL, 0,
			"--%s: '%.100s' is not a number of seconds from 0 to %u", name,
			value, PROBEARGS_SECONDS_MAX);
	return 0;
}

static int
take_share(struct probeargs *a, const char *value, struct err *e)
{
	uint64_t pct;

	if (str_parse_uint(value, 100, &pct) < 0 || pct == 0)
		return err_set(e, -EINVAL, NULL, 0,
			"--cpus-pct: '%.100s' is not a number from 1 to 100", value);
	a->cpus_pct = (unsigned int)pct;
	return 0;
}

static int
take_option(struct probeargs *a, enum option_id id, const char *value, struct err *e)
{
	switch (id) {
	case OPTION_CPUS:
		return take_cpus(a, value, e);
	case OPTION_COLD:
		return take_seconds("cold", value, &a->cold_s, e);
	case OPTION_BUDGET:
		return take_seconds("budget", value, &a->budget_s, e);
	case OPTION_CPUS_PCT:
		return take_share(a, value, e);
	case OPTION_EXHAUSTIVE:
		a->exhaustive = true;
		break;
	case OPTION_HELP:
		a->help = true;
		break;
	case OPTION_VERSION:
		a->version = true;
		break;
	}
	return 0;
}

int
probeargs_parse(int argc, char **argv, struct probeargs *out, struct err *e)
{
	struct probeargs a = {.cold_s = 3, .cpus_pct = 12};
	int id;
	int r;

	opterr = 0;
	optind = 1;
	while ((id = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (id == ':')
			return err_set(e, -EINVAL, NULL, 0, "%s needs a value",
				argv[optind - 1]);
		if (id == '?')
			return err_set(e, -EINVAL, NULL, 0, "unknown option %s",
				argv[optind - 1]);
		r = take_option(&a, (enum option_id)id, optarg, e);
		if (r < 0)
			return r;
	}
	if (optind < argc)
		return err_set(
			e, -EINVAL, NULL, 0, "unexpected argument %s", argv[optind]);
	*out = a;
	return 0;
}

void
probeargs_help(FILE *out)
{
	(void)fputs(
		"Usage: qmpin-probe [OPTION]...\n"
		"Measure how far CPUs are from each other. A part of qmpind and of 'qmpin "
		"probe',\nwhich talk to it on its stdin and stdout; it ends when its stdin "
		"is closed.\n\n"
		"  --cpus LIST         only these CPUs, like 0-3,8 (all it may use)\n"
		"  --cold SECONDS      so long up to 1 % of each CPU's time is taken, then "
		"0.1 % (3)\n"
		"  --budget SECONDS    end after so many seconds; 0: when all is known (0)\n"
		"  --cpus-pct N        of the CPUs at work at a time; at least one pair (12)\n"
		"  --exhaustive        every pair of CPUs\n"
		"  --help              print this and exit\n"
		"  --version           print the version and exit\n\n"
		"Exit status: 0 measured, or ended by its parent; 1 failed; 2 usage.\n",
		out);
}

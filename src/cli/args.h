// SPDX-License-Identifier: MIT
/* The command line of qmpin: options anywhere, the command, its operands. */
#ifndef QMPIN_CLI_ARGS_H
#define QMPIN_CLI_ARGS_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

#define ARGS_RUN_DIR "/run/qmpin"

enum args_format { ARGS_TEXT, ARGS_JSON, ARGS_JSON_PRETTY, ARGS_CSV };

/* Options that only some commands take: each names its own in cmd_table. */
enum args_option {
	ARGS_ALL = 1 << 0,
	ARGS_OUTPUT = 1 << 1,
	ARGS_AFFINITY = 1 << 2,
	ARGS_TOPOLOGY = 1 << 3,
	ARGS_LATENCY = 1 << 4,
	ARGS_LOCAL = 1 << 5,
	ARGS_CPUS = 1 << 6,
	ARGS_BUDGET = 1 << 7,
	ARGS_EXHAUSTIVE = 1 << 8,
	ARGS_CONFIG = 1 << 9,
	ARGS_SET = 1 << 10,
	ARGS_EXPLAIN = 1 << 11,
	ARGS_FORMAT_CSV = 1 << 12, /* --output-format csv */
	ARGS_DRY_RUN = 1 << 13,
	ARGS_COLUMNS = 1 << 14,
	ARGS_VERBOSE = 1 << 15,
	ARGS_PERMANENT = 1 << 16,
	ARGS_RESET = 1 << 17,
	ARGS_LINES = 1 << 18,
};

/* Longest --budget: a day. */
#define ARGS_BUDGET_MAX_S 86400.0

/* --lines without being told, as journalctl has it, and at most. */
#define ARGS_LINES_DEFAULT 10u
#define ARGS_LINES_MAX 1000000u

/* Values of --set. */
#define ARGS_SETS_MAX 64u

/* Strings are borrowed from argv, the environment or static. */
struct args {
	const char *run_dir;
	enum args_format format;
	bool format_given;
	bool heading;
	unsigned int given;   /* bits of enum args_option */
	bool all;	      /* instead of operands */
	const char *output;   /* file to write; NULL: none */
	bool affinity;	      /* show which VM is where */
	const char *topology; /* tree or XML of a host; NULL: none */
	const char *latency;  /* file with latencies; NULL: none */
	bool local;	      /* without the daemon */
	const char *cpus;     /* a cpulist of two CPUs at least; NULL: all */
	double budget_s;      /* 0: none was given */
	bool exhaustive;      /* every pair of CPUs */
	unsigned int lines;   /* of the past, to begin with */
	const char *config;   /* of qmpind; NULL: none */
	unsigned int n_sets;
	const char *sets[ARGS_SETS_MAX]; /* KEY=VALUE */
	bool dry_run;			 /* show, do not do */
	bool permanent;			 /* in the configuration, too */
	bool reset;			 /* as configured again */
	bool explain;			 /* reasons beside the results */
	const char *columns;		 /* of the table; NULL: the usual ones */
	bool verbose;
	bool help;
	bool version;
	const char *command; /* NULL: none was given */
	char **operands;
	int n_operands;
};

/**
 * Read argv, which is reordered: options first.
 *
 * @env_run_dir  QMPIN_RUN_DIR; NULL or empty: not set
 * @out          written only on success
 *
 * Returns 0 or -EINVAL with @e.
 */
MUST_CHECK int args_parse(int argc, char **argv, const char *env_run_dir,
	struct args *out, struct err *e);

/** How the lowest of these options is written: "--all". Static. */
const char *args_option_name(unsigned int options);

#endif

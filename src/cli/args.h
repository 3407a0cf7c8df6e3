// SPDX-License-Identifier: MIT
/* The command line of qmpin: options anywhere, the command, its operands. */
#ifndef QMPIN_CLI_ARGS_H
#define QMPIN_CLI_ARGS_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

#define ARGS_RUN_DIR "/run/qmpin"

enum args_format { ARGS_TEXT, ARGS_JSON, ARGS_JSON_PRETTY };

/* Strings are borrowed from argv, the environment or static. */
struct args {
	const char *run_dir;
	enum args_format format;
	bool heading;
	bool all; /* instead of operands */
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

/** The lines about options of the help text. */
const char *args_help(void);

#endif

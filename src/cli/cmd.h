// SPDX-License-Identifier: MIT
/* The commands of qmpin: one file each, behind one table. */
#ifndef QMPIN_CLI_CMD_H
#define QMPIN_CLI_CMD_H

#include "cli/args.h"

/* What scripts may rely on. */
enum cmd_exit {
	CMD_OK = 0,
	CMD_FAILED = 1,
	CMD_USAGE = 2,
	CMD_NO_DAEMON = 3,
	CMD_NO_PERMISSION = 4,
	CMD_PARTLY = 5,
};

/* Names a directory that stands for / in what is looked at without the daemon. */
#define CMD_ROOT_ENV "QMPIN_ROOT"

/* As many operands as anybody has VMs. */
#define CMD_MANY 100000

struct cmd {
	const char *name;
	const char *operands; /* for the help: "[ID]" */
	int max_operands;
	unsigned int options; /* bits of enum args_option that it takes */
	const char *summary;  /* one line for the help of all */
	const char *details;  /* some lines for its own help, the last one ended too */
	/* Prints its result; errors are printed where they are found. */
	enum cmd_exit (*run)(const struct args *args);
};

/* Ends with a NULL name. */
extern const struct cmd cmd_table[];

/** NULL: there is none. */
const struct cmd *cmd_find(const char *name);

#endif

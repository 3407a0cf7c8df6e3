// SPDX-License-Identifier: MIT
/*
 * Runs the program qmpin against the server in the test's own event loop.
 */
#ifndef QMPIN_TESTS_CLI_RUN_H
#define QMPIN_TESTS_CLI_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "ctl_world.h"

#define CLI_ARGS_MAX 8
#define CLI_EXEC_FAILED 101

/* How qmpin is run. */
struct cli_how {
	const char *args[CLI_ARGS_MAX];
	unsigned short columns; /* of a terminal; 0: a pipe */
	const char *env;	/* one "NAME=VALUE" more */
	bool nobody;		/* as a user without rights */
	/* Once this is true, it gets the signal; NULL: never. */
	bool (*is_time)(const struct ctl_world *w);
	int signal;
	bool group; /* all of the terminal's foreground gets it, as with Ctrl-C */
};

struct cli_result {
	int status;
	struct strbuf out;
	struct strbuf err; /* stays empty on a terminal: it goes to out */
};

/** Become qmpin: only in a child. */
void cli_exec(const struct ctl_world *w, const struct cli_how *how);

/** Collect what comes from two descriptors (the second may be -1) until both end, while
 * the server runs. */
void cli_serve(struct ctl_world *w, int out, int err, struct cli_result *r);

/** Run qmpin to its end. cli_result_fini. */
void cli_run(struct ctl_world *w, const struct cli_how *how, struct cli_result *r);
void cli_result_fini(struct cli_result *r);

/** It ends well with this on stdout and nothing on stderr. */
void cli_expect_text(struct ctl_world *w, const struct cli_how *how, const char *want);

/** The same, where a blank stands for any number of them. */
void cli_expect_words(struct ctl_world *w, const struct cli_how *how, const char *want);

/** All of a file, which must be there, as a new string. */
char *cli_read_file(const char *path);

/** No line of @text is longer. */
void cli_expect_lines_within(const char *text, size_t columns);

#endif

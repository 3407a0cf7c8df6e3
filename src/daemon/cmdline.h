// SPDX-License-Identifier: MIT
/*
 * The command line of qmpind. Pure but for --help's text.
 */
#ifndef QMPIN_DAEMON_CMDLINE_H
#define QMPIN_DAEMON_CMDLINE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/err.h"

/* Strings point into argv or are constants. */
struct cmdline {
	const char *config; /* NULL: the default files */
	const char *vm_dir;
	const char *run_dir;
	const char *state_dir;
	const char *root;     /* NULL: none */
	const char *topology; /* NULL: this machine */
	bool run_dir_given;
	bool foreground;
	bool dry_run; /* asked for, or implied by root or topology */
	bool check_config;
	const char *restore; /* ids of VMs between commas, or "all"; NULL: run */
	bool forget;	     /* with restore */
	const char *release; /* the same */
	bool help;
	bool version;
};

/** Returns 0 or -EINVAL with @e (one line that names the argument). */
MUST_CHECK int cmdline_parse(struct cmdline *c, int argc, char **argv, struct err *e);

void cmdline_help(FILE *out);

#endif

// SPDX-License-Identifier: MIT
/* Latencies for people, and as files: what `qmpin latency` and `qmpin probe` share. */
#ifndef QMPIN_CLI_LATPRINT_H
#define QMPIN_CLI_LATPRINT_H

#include <stdbool.h>

#include "base/attr.h"
#include "cli/cmd.h"
#include "cli/latsource.h"
#include "cli/outfile.h"

/* The kinds of files that latencies can be written to. */
#define LATPRINT_FILES (OUTFILE_CSV | OUTFILE_JSON | OUTFILE_XML)

/** Where they are from, when they were measured, whether they are trusted: some lines
 * on stdout. */
void latprint_summary(const struct ctl_latency *l);

/** A table of the tiers on stdout, after an empty line. */
void latprint_tiers(const struct latsource *s, bool heading);

/** What measuring says about each level of the host's own tree, as a table after an
 * empty line; nothing where the host is unknown or not measured. */
void latprint_levels(const struct latsource *s, bool heading);

/** Write them to a file. CMD_FAILED with a message where that is not possible. */
MUST_CHECK enum cmd_exit latprint_file(
	const struct latsource *s, const char *path, enum outfile_kind kind);

#endif

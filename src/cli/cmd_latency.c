// SPDX-License-Identifier: MIT
/*
 * qmpin latency: which CPUs are how near each other, tier by tier or from one of them,
 * and what measuring says about the host's own tree.
 */
#include "config.h"

#include "cli/cmd_latency.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "cli/latprint.h"
#include "cli/latsource.h"
#include "cli/neighbours.h"
#include "cli/out.h"
#include "cli/outfile.h"
#include "probe/latfile.h"

static enum cmd_exit
print_csv(const struct matrix *m)
{
	auto_free char *text = latfile_csv(m);

	(void)fputs(text, stdout);
	return out_finish();
}

static enum cmd_exit
print(const struct args *args, const struct latsource *s)
{
	if (args->format == ARGS_CSV)
		return print_csv(s->latency.matrix);
	if (args->format == ARGS_TEXT) {
		latprint_summary(&s->latency);
		latprint_tiers(s, args->heading);
		latprint_levels(s, args->heading);
	} else {
		auto_json json_t *reply = ctl_latency_json(&s->latency);

		out_json(reply, args->format);
	}
	return out_finish();
}

/* The neighbours of one CPU. */
static enum cmd_exit
print_one(const struct args *args)
{
	struct latsource s;
	struct err e = ERR_NONE;
	unsigned int cpu = 0;
	enum cmd_exit r;

	if (args->output != NULL || args->format == ARGS_CSV)
		(void)err_set(&e, 0, NULL, 0,
			"a single CPU is shown here, as a table or as JSON");
	else
		(void)!neighbours_parse(args->operands[0], &cpu, &e);
	if (err_is_set(&e)) {
		out_error(&e);
		return CMD_USAGE;
	}
	r = latsource_open(args, &s);
	if (r != CMD_OK)
		return r;
	r = neighbours_print(&s.latency, cpu, args, &e) < 0 ? CMD_FAILED : out_finish();
	latsource_close(&s);
	if (err_is_set(&e))
		out_error(&e);
	return r;
}

enum cmd_exit
cmd_latency_run(const struct args *args)
{
	enum outfile_kind kind = OUTFILE_CSV;
	struct latsource s;
	struct err e = ERR_NONE;
	enum cmd_exit r;

	if (args->n_operands > 0)
		return print_one(args);
	if (args->output != NULL &&
		outfile_kind(args->output, LATPRINT_FILES, &kind, &e) < 0) {
		out_error(&e);
		return CMD_USAGE;
	}
	r = latsource_open(args, &s);
	if (r != CMD_OK)
		return r;
	r = args->output != NULL ? latprint_file(&s, args->output, kind)
				 : print(args, &s);
	latsource_close(&s);
	return r;
}

// SPDX-License-Identifier: MIT
/*
 * qmpin probe: have latencies measured, by the daemon or here, and show what came of
 * it. Here means: for this once; what the daemon keeps is the daemon's.
 */
#include "config.h"

#include "cli/cmd_probe.h"

#include <errno.h>

#include "base/json.h"
#include "cli/latprint.h"
#include "cli/latsource.h"
#include "cli/out.h"
#include "cli/outfile.h"
#include "cli/probedaemon.h"
#include "cli/probelocal.h"
#include "cli/stop.h"

/* Of what was measured, or of what is known after it. */
static enum cmd_exit
show(const struct args *args, const struct latsource *s, enum outfile_kind kind)
{
	enum cmd_exit r = CMD_OK;
	enum cmd_exit printed;

	if (args->output != NULL)
		r = latprint_file(s, args->output, kind);
	if (args->format == ARGS_TEXT) {
		latprint_summary(&s->latency);
		latprint_tiers(s, args->heading);
	} else {
		auto_json json_t *reply = ctl_latency_json(&s->latency);

		out_json(reply, args->format);
	}
	printed = out_finish();
	return r != CMD_OK ? r : printed;
}

static enum cmd_exit
exit_of(int r)
{
	switch (r) {
	case -EACCES:
		return CMD_NO_PERMISSION;
	case -ETIMEDOUT:
	case -ECONNRESET:
		return CMD_NO_DAEMON;
	default:
		return CMD_FAILED;
	}
}

/* One line about what ended it early. */
static enum cmd_exit
tell(int r, const struct err *e, bool found)
{
	if (r == 0)
		return CMD_OK;
	if (r != -ECANCELED)
		out_error(e);
	else if (found)
		out_note("cancelled: there may be less than was asked for");
	else
		out_note("cancelled before anything was measured");
	return exit_of(r);
}

static enum cmd_exit
probe_here(const struct args *args, const struct stop *stop, enum outfile_kind kind)
{
	struct err e = ERR_NONE;
	struct latsource s;
	enum cmd_exit shown = CMD_OK;
	enum cmd_exit r;
	bool found = false;
	int measured = probelocal_run(args, stop, &s, &found, &e);

	r = tell(measured, &e, found);
	if (found) {
		shown = show(args, &s, kind);
		latsource_close(&s);
	}
	return r != CMD_OK ? r : shown;
}

static bool
is_absent(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED;
}

/* What it knows afterwards is shown when it was cancelled, too. */
static enum cmd_exit
after_daemon(
	const struct args *args, int r, const struct err *e, enum outfile_kind kind)
{
	enum cmd_exit told = tell(r, e, true);
	enum cmd_exit shown;
	struct latsource s;

	if (r < 0 && r != -ECANCELED)
		return told;
	shown = latsource_open(args, &s);
	if (shown == CMD_OK) {
		shown = show(args, &s, kind);
		latsource_close(&s);
	}
	return told != CMD_OK ? told : shown;
}

static enum cmd_exit
probe(const struct args *args, const struct stop *stop, enum outfile_kind kind)
{
	struct err e = ERR_NONE;
	int r;

	if (args->local)
		return probe_here(args, stop, kind);
	r = probedaemon_run(args, stop, &e);
	if (!is_absent(r))
		return after_daemon(args, r, &e, kind);
	out_note("qmpind does not run: measuring without it");
	return probe_here(args, stop, kind);
}

enum cmd_exit
cmd_probe_run(const struct args *args)
{
	enum outfile_kind kind = OUTFILE_CSV;
	struct err e = ERR_NONE;
	struct stop stop;
	enum cmd_exit r;

	if (args->output != NULL &&
		outfile_kind(args->output, LATPRINT_FILES, &kind, &e) < 0) {
		out_error(&e);
		return CMD_USAGE;
	}
	if (args->output != NULL && outfile_check(args->output, &e) < 0) {
		out_error(&e);
		return CMD_FAILED;
	}
	stop_begin(&stop);
	r = probe(args, &stop, kind);
	stop_end(&stop);
	return r;
}

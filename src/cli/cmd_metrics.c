// SPDX-License-Identifier: MIT
/*
 * qmpin metrics: the daemon's text as it is, here or in a file that is replaced in one
 * step, so that whoever collects such files never reads half of one.
 */
#include "config.h"

#include "cli/cmd_metrics.h"

#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/out.h"
#include "cli/outfile.h"
#include "cli/session.h"

static enum cmd_exit
print(const json_t *reply, const char *text, const struct args *args)
{
	struct err e = ERR_NONE;

	if (args->output != NULL && !str_equal(args->output, "-")) {
		if (outfile_write(args->output, text, strlen(text), &e) == 0)
			return CMD_OK;
		out_error(&e);
		return CMD_FAILED;
	}
	if (args->format == ARGS_TEXT)
		out_text(text);
	else
		out_json(reply, args->format);
	return out_finish();
}

enum cmd_exit
cmd_metrics_run(const struct args *args)
{
	auto_json json_t *reply = NULL;
	const char *text = "";
	enum cmd_exit r;

	if (args->output != NULL && args->format != ARGS_TEXT) {
		out_note("a file gets text: -o does not go with JSON");
		return CMD_USAGE;
	}
	r = session_ask(args, "GetMetrics", NULL, &reply);
	if (r != CMD_OK)
		return r;
	if (json_get_string(reply, "text", &text) < 0) {
		out_note("the daemon's metrics are no text");
		return CMD_FAILED;
	}
	return print(reply, text, args);
}

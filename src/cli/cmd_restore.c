// SPDX-License-Identifier: MIT
/*
 * qmpin restore: the masks that VMs had before qmpind. Where no daemon runs, qmpind
 * itself does it by the records it has left.
 */
#include "config.h"

#include "cli/cmd_restore.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/out.h"
#include "cli/session.h"
#include "cli/vmcall.h"

/* Names the program to run instead of the installed one. */
#define DAEMON_ENV "QMPIN_DAEMON"

/* Ids between commas, or "all". */
static void
name_vms(const struct args *args, struct strbuf *out)
{
	if (args->all)
		strbuf_adds(out, "all");
	for (int i = 0; i < args->n_operands; i++)
		strbuf_addf(out, "%s%s", i > 0 ? "," : "", args->operands[i]);
}

/* Returns only when it cannot be run. */
static enum cmd_exit
restore_offline(const struct args *args)
{
	const char *other = getenv(DAEMON_ENV);
	const char *program = other != NULL && *other != '\0' ? other : DAEMON_PROGRAM;
	struct strbuf which = {0};

	if (args->format != ARGS_TEXT) {
		out_note("no qmpind runs: it can be told in text only");
		return CMD_NO_DAEMON;
	}
	name_vms(args, &which);
	out_note("no qmpind runs: restoring from its records");
	(void)execl(program, "qmpind", "--run-dir", args->run_dir, "--restore",
		strbuf_text(&which), (char *)NULL);
	out_note("cannot run %s: %s", program, strerror(errno));
	strbuf_fini(&which);
	return CMD_FAILED;
}

enum cmd_exit
cmd_restore_run(const struct args *args)
{
	auto_json json_t *reply = NULL;
	const json_t *moves;
	enum cmd_exit failed;
	enum cmd_exit r;

	if (!vmcall_is_clear(args, "restore"))
		return CMD_USAGE;
	if (!session_is_there(args))
		return restore_offline(args);
	r = vmcall_run(args, "Restore", &reply);
	if (r != CMD_OK)
		return r;
	moves = json_object_get(reply, "moves");
	if (args->format == ARGS_TEXT)
		vmcall_print_moves(moves);
	else
		out_json(reply, args->format);
	failed = vmcall_failed(reply, "not restored", json_array_size(moves) > 0);
	if (args->format == ARGS_TEXT && json_array_size(moves) == 0 &&
		failed == CMD_OK)
		out_note("no mask was to be changed; left alone from now on");
	r = out_finish();
	return r != CMD_OK ? r : failed;
}

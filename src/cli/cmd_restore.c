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

#include "base/str.h"
#include "cli/out.h"
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

static void
print(const struct args *args, const json_t *moves, bool any_failed)
{
	(void)args;
	vmcall_print_moves(moves);
	if (json_array_size(moves) == 0 && !any_failed)
		out_note("no mask was to be changed; left alone from now on");
}

enum cmd_exit
cmd_restore_run(const struct args *args)
{
	static const struct vmcall call = {.verb = "restore",
		.method = "Restore",
		.done = "moves",
		.undone = "not restored",
		.print = print,
		.offline = restore_offline};

	return vmcall_run(args, &call);
}

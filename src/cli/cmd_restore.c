// SPDX-License-Identifier: MIT
/*
 * qmpin restore: the masks that VMs had before qmpind. Where no daemon runs, qmpind
 * itself does it by the records it has left.
 */
#include "config.h"

#include "cli/cmd_restore.h"

#include <jansson.h>

#include "cli/out.h"
#include "cli/vmcall.h"

static enum cmd_exit
restore_offline(const struct args *args)
{
	return vmcall_offline(args, "--restore", "restoring from its records");
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

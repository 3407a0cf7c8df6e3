// SPDX-License-Identifier: MIT
/*
 * qmpin apply: what is planned for VMs is done at once, also for those that were left
 * alone. What was set, or with --dry-run would be, is a line for threads of the same
 * masks.
 */
#include "config.h"

#include "cli/cmd_apply.h"

#include <jansson.h>

#include "cli/out.h"
#include "cli/vmcall.h"

static void
print(const struct args *args, const json_t *moves, bool any_failed)
{
	vmcall_print_moves(moves);
	if (json_array_size(moves) == 0 && !any_failed)
		out_note(args->dry_run ? "nothing would be changed"
				       : "nothing was to be changed");
}

enum cmd_exit
cmd_apply_run(const struct args *args)
{
	const struct vmcall call = {.verb = "apply",
		.method = args->dry_run ? "Plan" : "Apply",
		.done = "moves",
		.undone = "not applied",
		.print = print};

	return vmcall_run(args, &call);
}

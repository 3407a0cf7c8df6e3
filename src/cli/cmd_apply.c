// SPDX-License-Identifier: MIT
/*
 * qmpin apply: what is planned for VMs is done at once, also for those that were left
 * alone. What was set, or with --dry-run would be, is a line for threads of the same
 * masks.
 */
#include "config.h"

#include "cli/cmd_apply.h"

#include <jansson.h>

#include "base/json.h"
#include "cli/out.h"
#include "cli/vmcall.h"

static void
print(const struct args *args, const json_t *reply)
{
	const json_t *moves = json_object_get(reply, "moves");

	if (args->format != ARGS_TEXT) {
		out_json(reply, args->format);
		return;
	}
	vmcall_print_moves(moves);
	if (json_array_size(moves) == 0 &&
		json_array_size(json_object_get(reply, "failed")) == 0)
		out_note(args->dry_run ? "nothing would be changed"
				       : "nothing was to be changed");
}

enum cmd_exit
cmd_apply_run(const struct args *args)
{
	auto_json json_t *reply = NULL;
	enum cmd_exit failed;
	enum cmd_exit r;

	if (!vmcall_is_clear(args, "apply"))
		return CMD_USAGE;
	r = vmcall_run(args, args->dry_run ? "Plan" : "Apply", &reply);
	if (r != CMD_OK)
		return r;
	print(args, reply);
	r = out_finish();
	failed = vmcall_failed(reply, "not applied",
		json_array_size(json_object_get(reply, "moves")) > 0);
	return r != CMD_OK ? r : failed;
}

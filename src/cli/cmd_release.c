// SPDX-License-Identifier: MIT
/*
 * qmpin release: monitors of VMs as if qmpind had never been there. What could not be
 * released is told on stderr, one line a VM.
 */
#include "config.h"

#include "cli/cmd_release.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "cli/out.h"
#include "cli/vmcall.h"

static void
print_released(const json_t *released, bool any_failed)
{
	if (json_array_size(released) == 0 && !any_failed)
		out_note("no VMs");
	for (size_t i = 0; i < json_array_size(released); i++) {
		const char *id = json_string_value(json_array_get(released, i));
		auto_free char *safe = out_safe(id != NULL ? id : "-");

		printf("released %s\n", safe);
	}
}

enum cmd_exit
cmd_release_run(const struct args *args)
{
	auto_json json_t *reply = NULL;
	const json_t *released;
	enum cmd_exit failed;
	enum cmd_exit r;

	if (!vmcall_is_clear(args, "release"))
		return CMD_USAGE;
	r = vmcall_run(args, "Release", &reply);
	if (r != CMD_OK)
		return r;
	released = json_object_get(reply, "released");
	if (args->format == ARGS_TEXT)
		print_released(released,
			json_array_size(json_object_get(reply, "failed")) > 0);
	else
		out_json(reply, args->format);
	r = out_finish();
	failed = vmcall_failed(reply, "not released", json_array_size(released) > 0);
	return r != CMD_OK ? r : failed;
}

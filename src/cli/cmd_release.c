// SPDX-License-Identifier: MIT
/*
 * qmpin release: monitors of VMs as if qmpind had never been there. What could not be
 * released is told on stderr, one line a VM. Where no daemon runs, qmpind itself does
 * it.
 */
#include "config.h"

#include "cli/cmd_release.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "cli/out.h"
#include "cli/vmcall.h"

static void
print(const struct args *args, const json_t *released, bool any_failed)
{
	(void)args;
	if (json_array_size(released) == 0 && !any_failed)
		out_note("no VMs");
	for (size_t i = 0; i < json_array_size(released); i++) {
		const char *id = json_string_value(json_array_get(released, i));
		auto_free char *safe = out_safe(id != NULL ? id : "-");

		printf("released %s\n", safe);
	}
}

static enum cmd_exit
release_offline(const struct args *args)
{
	return vmcall_offline(args, "--release", "asking the VMs themselves");
}

enum cmd_exit
cmd_release_run(const struct args *args)
{
	static const struct vmcall call = {.verb = "release",
		.method = "Release",
		.done = "released",
		.undone = "not released",
		.print = print,
		.offline = release_offline};

	return vmcall_run(args, &call);
}

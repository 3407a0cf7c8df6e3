// SPDX-License-Identifier: MIT
/* qmpin version: of this program; `qmpin status` has the daemon's. */
#include "config.h"

#include "cli/cmd_version.h"

#include <jansson.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/out.h"

enum cmd_exit
cmd_version_run(const struct args *args)
{
	auto_json json_t *obj = json_pack("{s:s}", "version", PACKAGE_VERSION);

	if (args->format == ARGS_TEXT)
		printf("qmpin %s\n", PACKAGE_VERSION);
	else
		out_json(obj, args->format);
	return out_finish();
}

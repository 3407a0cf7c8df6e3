// SPDX-License-Identifier: MIT
/* qmpin probe: not written yet. */
#include "config.h"

#include "cli/cmd_probe.h"

enum cmd_exit
cmd_probe_run(const struct args *args)
{
	(void)args;
	return CMD_FAILED;
}

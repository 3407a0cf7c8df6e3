// SPDX-License-Identifier: MIT
/* qmpin heatmap: not written yet. */
#include "config.h"

#include "cli/cmd_heatmap.h"

enum cmd_exit
cmd_heatmap_run(const struct args *args)
{
	(void)args;
	return CMD_FAILED;
}

// SPDX-License-Identifier: MIT
/* qmpin help: the whole command line on one screen of 80 columns. */
#include "config.h"

#include "cli/cmd_help.h"

#include <stdio.h>

#include "cli/out.h"

enum cmd_exit
cmd_help_run(const struct args *args)
{
	(void)args;
	printf("Usage: qmpin [OPTION]... COMMAND [ID]...\n"
	       "\n"
	       "Show what qmpind does: which CPUs the threads of this host's VMs may use.\n"
	       "\n"
	       "Commands:\n");
	for (const struct cmd *c = cmd_table; c->name != NULL; c++)
		printf("  %-7s %-11s %s\n", c->name, c->operands, c->summary);
	printf("\nOptions, before or after the command:\n%s", args_help());
	printf("\n"
	       "Environment:\n"
	       "  QMPIN_RUN_DIR  see --run-dir\n"
	       "  NO_COLOR       if not empty: no colours\n"
	       "\n"
	       "Exit status: 0 ok, 1 failed, 2 usage, 3 qmpind not reachable,\n"
	       "  4 no permission, 5 partly done.\n");
	return out_finish();
}

// SPDX-License-Identifier: MIT
/* The table of commands, in the order of the help text. */
#include "config.h"

#include "cli/cmd.h"

#include <string.h>

#include "cli/cmd_help.h"
#include "cli/cmd_ps.h"
#include "cli/cmd_release.h"
#include "cli/cmd_status.h"
#include "cli/cmd_version.h"

const struct cmd cmd_table[] = {
	{"status", "", 0, false, "the daemon: what it manages, repairs, warnings",
		cmd_status_run},
	{"ps", "[ID]", 1, false, "VMs and their CPUs; with ID, the threads of one VM",
		cmd_ps_run},
	{"release", "ID...|--all", CMD_MANY, true,
		"hold VMs' monitors no longer, undo changes to them", cmd_release_run},
	{"version", "", 0, false, "the version of qmpin", cmd_version_run},
	{"help", "", 0, false, "show this text", cmd_help_run},
	{NULL, NULL, 0, false, NULL, NULL},
};

const struct cmd *
cmd_find(const char *name)
{
	for (const struct cmd *c = cmd_table; c->name != NULL; c++) {
		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

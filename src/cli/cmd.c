// SPDX-License-Identifier: MIT
/* The table of commands, in the order of the help text. */
#include "config.h"

#include "cli/cmd.h"

#include <string.h>

#include "cli/cmd_heatmap.h"
#include "cli/cmd_help.h"
#include "cli/cmd_latency.h"
#include "cli/cmd_probe.h"
#include "cli/cmd_ps.h"
#include "cli/cmd_release.h"
#include "cli/cmd_status.h"
#include "cli/cmd_version.h"

const struct cmd cmd_table[] = {
	{"status", "", 0, 0, "the daemon: what it manages, repairs, warnings",
		cmd_status_run},
	{"ps", "[ID]", 1, 0, "VMs and their CPUs; with ID, the threads of one VM",
		cmd_ps_run},
	{"release", "ID...|--all", CMD_MANY, ARGS_ALL,
		"hold VMs' monitors no longer, undo changes to them", cmd_release_run},
	{"probe", "", 0,
		ARGS_LOCAL | ARGS_CPUS | ARGS_BUDGET | ARGS_EXHAUSTIVE | ARGS_OUTPUT,
		"measure the latencies between CPUs", cmd_probe_run},
	{"latency", "", 0, ARGS_TOPOLOGY | ARGS_LATENCY | ARGS_OUTPUT | ARGS_FORMAT_CSV,
		"latencies between CPUs, tier by tier", cmd_latency_run},
	{"heatmap", "", 0, ARGS_TOPOLOGY | ARGS_LATENCY | ARGS_OUTPUT | ARGS_AFFINITY,
		"a picture of them, here or in an SVG file", cmd_heatmap_run},
	{"version", "", 0, 0, "the version of qmpin", cmd_version_run},
	{"help", "", 0, 0, "show this text", cmd_help_run},
	{NULL, NULL, 0, 0, NULL, NULL},
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

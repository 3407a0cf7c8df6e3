// SPDX-License-Identifier: MIT
/* The table of commands, in the order of the help text. */
#include "config.h"

#include "cli/cmd.h"

#include <string.h>

#include "cli/cmd_apply.h"
#include "cli/cmd_explain.h"
#include "cli/cmd_heatmap.h"
#include "cli/cmd_help.h"
#include "cli/cmd_latency.h"
#include "cli/cmd_monitor.h"
#include "cli/cmd_plan.h"
#include "cli/cmd_probe.h"
#include "cli/cmd_ps.h"
#include "cli/cmd_release.h"
#include "cli/cmd_restore.h"
#include "cli/cmd_status.h"
#include "cli/cmd_version.h"

const struct cmd cmd_table[] = {
	{"status", "", 0, 0, "the daemon: what it manages, repairs, warnings",
		"Is qmpind well: how many VMs and threads it manages, how often it had to\n"
		"repair a mask, whether latencies are measured, and its warnings.\n",
		cmd_status_run},
	{"ps", "[ID]", 1, 0, "VMs and their CPUs; with ID, the threads of one VM",
		"The VMs: vCPUs, mode, the CPUs they may use and their NUMA nodes, how their\n"
		"monitor is shared, masks repaired, why they were placed last. With ID, the\n"
		"threads of that VM: wanted mask, real mask, last CPU.\n",
		cmd_ps_run},
	{"explain", "ID", 1, 0, "why a VM is where it is",
		"What a VM's place costs, term by term, and why: what came second, which rules\n"
		"left no choice, what would have to be free for something better, and what was\n"
		"decided lately. Nothing is changed.\n",
		cmd_explain_run},
	{"apply", "ID...|--all", CMD_MANY, ARGS_ALL | ARGS_DRY_RUN,
		"place VMs now; --dry-run: show what would be done",
		"Looks at these VMs and places them now, also those that were restored, that\n"
		"wait for their turn, or that were left alone since somebody else kept changing\n"
		"their masks. With --dry-run nothing is done but shown: which threads would\n"
		"get other CPUs, and why.\n",
		cmd_apply_run},
	{"restore", "ID...|--all", CMD_MANY, ARGS_ALL,
		"give VMs back the masks they had before qmpind",
		"Every thread gets the CPU mask it had before qmpind first touched its VM. The\n"
		"VM is then left alone, also when qmpind restarts, until it is applied (qmpin\n"
		"apply) or its QEMU ends. Where no qmpind runs, its records tell the masks.\n",
		cmd_restore_run},
	{"release", "ID...|--all", CMD_MANY, ARGS_ALL,
		"hold VMs' monitors no longer, undo changes to them",
		"Takes away what qmpind has added to these QEMUs and holds their monitors no\n"
		"longer. CPU masks stay as they are.\n",
		cmd_release_run},
	{"monitor", "[ID]", 1, ARGS_LINES,
		"decisions as they are taken; with ID, about one VM",
		"Each time masks are set, a line in the words of the log: which threads, from\n"
		"which CPUs to which, and why. It begins with the last ones and goes on until\n"
		"Ctrl-C. A VM that does not run yet is waited for. With -j, the moves of each\n"
		"thread, too, as one JSON object a line. Nothing is changed.\n",
		cmd_monitor_run},
	{"probe", "", 0,
		ARGS_LOCAL | ARGS_CPUS | ARGS_BUDGET | ARGS_EXHAUSTIVE | ARGS_OUTPUT,
		"measure the latencies between CPUs",
		"Has qmpind measure afresh, now, and shows the tiers that come of it. Where\n"
		"qmpind does not run, qmpin measures by itself, for this once. Takes little\n"
		"of each CPU's time; Ctrl-C ends it and shows what is known until then.\n"
		"With -o all pairs go to FILE, too: its name ends in .csv, .json or .xml.\n",
		cmd_probe_run},
	{"latency", "[CPU]", 1,
		ARGS_TOPOLOGY | ARGS_LATENCY | ARGS_OUTPUT | ARGS_FORMAT_CSV,
		"latencies between CPUs, tier by tier; CPU: its neighbours",
		"What qmpind knows or, without asking it, what files say, in nanoseconds one\n"
		"way. With CPU, its neighbours from near to far. With -o nothing is\n"
		"shown, and all pairs go to FILE: its name ends in .csv, .json or .xml\n"
		"(hwloc's, for lstopo).\n"
		"\n"
		"  tier        groups of CPUs that are equally near each other; its pairs are\n"
		"              in one of them, but in none of the tier before\n"
		"  confidence  how clearly the values set a tier apart from the next one\n"
		"  trusted     VMs are placed by these values; if not, by the host's own tree\n"
		"  level       of the host's own tree: core, L2, L3, node, package\n",
		cmd_latency_run},
	{"heatmap", "", 0, ARGS_TOPOLOGY | ARGS_LATENCY | ARGS_OUTPUT | ARGS_AFFINITY,
		"a picture of these latencies, here or in an SVG file",
		"A square for each pair of CPUs: what qmpind knows or, without asking it,\n"
		"what files say. CPUs are in the order of their tiers (see latency --help).\n"
		"Without -o the picture is shown here. With -o it is an SVG for a browser:\n"
		"FILE ends in .svg, or is - for standard output.\n",
		cmd_heatmap_run},
	{"plan", "[SCENARIO]", 1,
		ARGS_TOPOLOGY | ARGS_LATENCY | ARGS_CONFIG | ARGS_SET | ARGS_OUTPUT |
			ARGS_EXPLAIN,
		"what would be done with the VMs of a scenario",
		"SCENARIO is a file of events, each a line of JSON: VMs start, plug vCPUs and\n"
		"stop, CPUs go and come; - is standard input. The host is this machine or\n"
		"that of --topology. On a terminal the end is shown as a picture and a table;\n"
		"else, with -j, or in FILE (- is standard output) each event's placement is a\n"
		"line of JSON. docs/plan.md tells of both. Without SCENARIO, --topology is\n"
		"shown as the planner sees it. Nothing is changed on this machine.\n"
		"\n"
		"An event that cannot be is told, left out, and makes the exit status 5.\n",
		cmd_plan_run},
	{"version", "", 0, 0, "the version of qmpin", "The version of qmpin.\n",
		cmd_version_run},
	{"help", "[COMMAND]", 1, 0, "this text; with COMMAND, its options",
		"All commands, or one command and its options.\n", cmd_help_run},
	{NULL, NULL, 0, 0, NULL, NULL, NULL},
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

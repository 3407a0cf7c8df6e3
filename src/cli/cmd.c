// SPDX-License-Identifier: MIT
/* The table of commands, in the order of the help text. */
#include "config.h"

#include "cli/cmd.h"

#include <string.h>

#include "cli/cmd_apply.h"
#include "cli/cmd_config.h"
#include "cli/cmd_doctor.h"
#include "cli/cmd_explain.h"
#include "cli/cmd_heatmap.h"
#include "cli/cmd_help.h"
#include "cli/cmd_latency.h"
#include "cli/cmd_metrics.h"
#include "cli/cmd_mode.h"
#include "cli/cmd_monitor.h"
#include "cli/cmd_plan.h"
#include "cli/cmd_probe.h"
#include "cli/cmd_ps.h"
#include "cli/cmd_release.h"
#include "cli/cmd_reload.h"
#include "cli/cmd_restore.h"
#include "cli/cmd_status.h"
#include "cli/cmd_topology.h"
#include "cli/cmd_version.h"

const struct cmd cmd_table[] = {
	{"status", "", 0, 0, "the daemon: what it manages, repairs, warnings",
		"Is qmpind well: how many VMs and threads it manages, how often it had to\n"
		"repair a mask, whether latencies are measured, and its warnings.\n",
		cmd_status_run},
	{"ps", "[ID]", 1, ARGS_COLUMNS | ARGS_VERBOSE,
		"VMs and their CPUs; with ID, the threads of one VM",
		"The VMs: vCPUs, mode, the CPUs they may use and what these are of the host,\n"
		"how much of the memory is near, how long runnable vCPUs waited lately, how\n"
		"often masks were put right, when and why they were placed last. With ID, one\n"
		"VM and its threads: wanted and real mask. With -v each thread has a row, with\n"
		"its thread id and the CPU it ran on last.\n"
		"\n"
		"Columns: vm, name, vcpus, mode, origin, state, domain, nodes, cpus, limit,\n"
		"mem, share, wait, repairs, last, pid, note; with ID: class, index, threads,\n"
		"tid, comm, want, have, last, note.\n",
		cmd_ps_run},
	{"explain", "ID", 1, 0, "why a VM is where it is",
		"What a VM's place costs, term by term, and why: what came second, which rules\n"
		"left no choice, what would have to be free for something better, and what was\n"
		"decided lately. Nothing is changed.\n",
		cmd_explain_run},
	{"topology", "", 0, ARGS_TOPOLOGY | ARGS_CONFIG,
		"the host, core by core, with who sits where",
		"Draws nodes, L3 groups and cores, and in the line of the smallest group that\n"
		"holds it each VM with its number of vCPUs; 4.0/8 are four vCPUs for eight\n"
		"CPUs. In brackets are the CPUs of a core, a character each. Of a file no VMs\n"
		"are known; what would become of them is what qmpin plan tells. --config says\n"
		"which of its CPUs are reserved.\n",
		cmd_topology_run},
	{"monitor", "[ID]", 1, ARGS_LINES,
		"decisions as they are taken; with ID, about one VM",
		"Each time masks are set, a line in the words of the log: which threads, from\n"
		"which CPUs to which, and why. It begins with the last ones and goes on until\n"
		"Ctrl-C. A VM that does not run yet is waited for. With -j, the moves of each\n"
		"thread, too, as one JSON object a line. Nothing is changed.\n",
		cmd_monitor_run},
	{"metrics", "", 0, ARGS_OUTPUT, "numbers to watch, as Prometheus reads them",
		"What qmpind counts: VMs by state and mode, masks set and repaired, how long it\n"
		"takes, waiting and memory of each VM. -o replaces FILE in one step, so this\n"
		"is all that node_exporter's textfile collector needs, in /etc/cron.d:\n"
		"\n"
		"  * * * * * root qmpin metrics -o /var/lib/prometheus/node-exporter/qmpin.prom\n"
		"\n"
		"or, by hand: qmpin metrics >DIR/qmpin.tmp && mv DIR/qmpin.tmp DIR/qmpin.prom\n",
		cmd_metrics_run},
	{"doctor", "", 0, 0, "what is wrong with host, daemon and VMs",
		"Looks over permissions, kernel and host, the daemon's configuration, who else\n"
		"pins threads, and VMs that are held back: a line each, and what to do about\n"
		"it. The exit status is 1 where there is a problem. Without qmpind, the host\n"
		"and the VMs' configurations are looked at all the same.\n",
		cmd_doctor_run},
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
		"apply), qmpin mode has it placed, or its QEMU ends. Where no qmpind runs, its\n"
		"records tell the masks.\n",
		cmd_restore_run},
	{"release", "ID...|--all", CMD_MANY, ARGS_ALL,
		"hold VMs' monitors no longer, undo changes to them",
		"Takes away what qmpind has added to these QEMUs and holds their monitors no\n"
		"longer. CPU masks stay as they are.\n",
		cmd_release_run},
	{"mode", "ID [MODE]", 2, ARGS_PERMANENT | ARGS_RESET | ARGS_CONFIG,
		"set the mode of a VM: off, pin, float ...",
		"MODE counts at once and until the VM's QEMU ends, also when qmpind restarts\n"
		"meanwhile; it is stronger than any configuration. One that places takes the VM\n"
		"up as qmpin apply does, also after qmpin restore. With --reset the VM has its\n"
		"configured mode again. With --permanent the mode goes into the configuration\n"
		"instead (or into DIR of --config), for this QEMU and all that follow, or with\n"
		"--reset out of it.\n"
		"\n"
		"  off        left alone, with the masks it has; qmpin restore gives it back\n"
		"             those from before qmpind\n"
		"  observe    planned and shown, but nothing is set\n"
		"  auto       float, narrowed to core where the host has room\n"
		"  float      its vCPUs share whole groups of near CPUs\n"
		"  core       guest cores on host cores, siblings on siblings\n"
		"  pin        each vCPU on a CPU of its own\n"
		"  dedicated  as pin, and no other managed VM on those cores\n",
		cmd_mode_run},
	{"config", "show|check [FILE]", 2, ARGS_ALL | ARGS_CONFIG,
		"show: settings in force; check: are files right",
		"show asks qmpind which settings count and where they were made; without --all\n"
		"only those that somebody has made. check reads FILE, or what qmpind would read\n"
		"if it started now, and says what is wrong, with its line; it needs no qmpind.\n",
		cmd_config_run},
	{"reload", "", 0, 0, "have qmpind read its configuration again",
		"As systemctl reload qmpind, and what is wrong with the new configuration is\n"
		"told here: the old one then stays.\n",
		cmd_reload_run},
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
		"latencies between CPUs; with CPU, its neighbours",
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
		"a picture of these latencies, here or in a file",
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

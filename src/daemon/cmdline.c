// SPDX-License-Identifier: MIT
/* The command line of qmpind: one table for parsing and for --help. */
#include "config.h"

#include "daemon/cmdline.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	const char *value; /* NULL: a switch */
	size_t offset;
	const char *text;
} table[] = {
	{"config", "PATH", offsetof(struct cmdline, config),
		"read this file instead of all configuration files; a\n"
		"                      directory: in place of /etc/qmpin"},
	{"vm-dir", "DIR", offsetof(struct cmdline, vm_dir),
		"sockets and pidfiles of VMs (/run/qemu-server)"},
	{"run-dir", "DIR", offsetof(struct cmdline, run_dir),
		"control sockets and records (/run/qmpin)"},
	{"state-dir", "DIR", offsetof(struct cmdline, state_dir),
		"measured latencies are kept here (/var/lib/qmpin)"},
	{"root", "DIR", offsetof(struct cmdline, root),
		"read /sys, /proc and /etc below DIR; implies --dry-run"},
	{"topology", "PATH", offsetof(struct cmdline, topology),
		"plan for the host of this sysfs tree or lstopo XML file;\n"
		"                      implies --dry-run"},
	{"foreground", NULL, offsetof(struct cmdline, foreground),
		"log to stderr, not to the journal"},
	{"dry-run", NULL, offsetof(struct cmdline, dry_run),
		"plan and report, change nothing"},
	{"check-config", NULL, offsetof(struct cmdline, check_config),
		"check the configuration and exit"},
	{"restore", "IDS|all", offsetof(struct cmdline, restore),
		"give back the masks that VMs had before qmpind, and\n"
		"                      exit; only where no qmpind runs"},
	{"forget", NULL, offsetof(struct cmdline, forget),
		"with --restore: the next qmpind does not leave these VMs\n"
		"                      alone, but takes them for new ones"},
	{"release", "IDS|all", offsetof(struct cmdline, release),
		"take away what was added to QEMUs, and exit; only where\n"
		"                      no qmpind runs"},
	{"help", NULL, offsetof(struct cmdline, help), "print this and exit"},
	{"version", NULL, offsetof(struct cmdline, version),
		"print the version and exit"},
};

#define N_OPTIONS (sizeof(table) / sizeof(table[0]))

static void
fill_getopt(struct option *options)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		options[i] = (struct option){table[i].name,
			table[i].value != NULL ? required_argument : no_argument, NULL,
			(int)i};
	options[N_OPTIONS] = (struct option){0};
}

static void
take_option(struct cmdline *c, size_t i, const char *value)
{
	char *member = (char *)c + table[i].offset;
	const bool on = true;

	if (table[i].value != NULL)
		memcpy(member, &value, sizeof(value));
	else
		memcpy(member, &on, sizeof(on));
}

int
cmdline_parse(struct cmdline *c, int argc, char **argv, struct err *e)
{
	struct option options[N_OPTIONS + 1];
	int i;

	*c = (struct cmdline){
		.vm_dir = "/run/qemu-server", .state_dir = "/var/lib/qmpin"};
	fill_getopt(options);
	opterr = 0;
	optind = 1;
	while ((i = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (i == ':')
			return err_set(e, -EINVAL, NULL, 0, "%s needs a value",
				argv[optind - 1]);
		if (i == '?')
			return err_set(e, -EINVAL, NULL, 0, "unknown option %s",
				argv[optind - 1]);
		take_option(c, (size_t)i, optarg);
	}
	if (optind < argc)
		return err_set(
			e, -EINVAL, NULL, 0, "unexpected argument %s", argv[optind]);
	if (c->forget && c->restore == NULL)
		return err_set(e, -EINVAL, NULL, 0, "--forget is for --restore only");
	c->run_dir_given = c->run_dir != NULL;
	if (c->run_dir == NULL)
		c->run_dir = "/run/qmpin";
	c->dry_run = c->dry_run || c->root != NULL || c->topology != NULL;
	return 0;
}

void
cmdline_help(FILE *out)
{
	(void)fputs("Usage: qmpind [OPTION]...\n"
		    "Keep the threads of QEMU virtual machines on the right CPUs.\n\n",
		out);
	for (size_t i = 0; i < N_OPTIONS; i++) {
		char left[40];

		(void)snprintf(left, sizeof(left), "--%s%s%s", table[i].name,
			table[i].value != NULL ? " " : "",
			table[i].value != NULL ? table[i].value : "");
		(void)fprintf(out, "  %-19s %s\n", left, table[i].text);
	}
	(void)fputs(
		"\nSIGHUP reloads the configuration and the topology. SIGTERM ends "
		"qmpind and\nleaves all masks as they are. Exit status: 0 ended, 1 "
		"failed, 2 usage,\n5 done for some VMs only, 78 bad configuration.\n",
		out);
}

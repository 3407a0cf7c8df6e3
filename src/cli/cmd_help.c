// SPDX-License-Identifier: MIT
/*
 * qmpin help: all commands on one screen of 80 columns, or one command with its
 * options. Which command takes which option is cmd_table's business.
 */
#include "config.h"

#include "cli/cmd_help.h"

#include "base/str.h"
#include "cli/out.h"

struct option_help {
	unsigned int option; /* of enum args_option */
	const char *lines;   /* without the last newline */
};

static const struct option_help own_options[] = {
	{ARGS_ALL, "      --all            all of them"},
	{ARGS_PERMANENT,
		"      --permanent      by the configuration: conf.d/90-qmpin-mode.conf"},
	{ARGS_RESET, "      --reset          the configured mode, in place of MODE"},
	{ARGS_LOCAL,
		"      --local          without qmpind, even where it runs: it keeps\n"
		"                       its own values"},
	{ARGS_CPUS, "      --cpus LIST      only these, such as 0-7,64-71"},
	{ARGS_BUDGET,
		"      --budget SECONDS end after so long, by the clock; without it qmpind\n"
		"                       goes on until all is known, qmpin itself ends\n"
		"                       after 30 s"},
	{ARGS_EXHAUSTIVE, "      --exhaustive     measure every pair, infer nothing"},
	{ARGS_OUTPUT, "  -o, --output FILE    write FILE, see above"},
	{ARGS_TOPOLOGY,
		"      --topology DIR|XML\n"
		"                       of that host: a directory with a copy of\n"
		"                       sys/devices/system in it, or lstopo's XML"},
	{ARGS_LATENCY,
		"      --latency FILE   values from a .csv, .json or .xml; without\n"
		"                       --topology nothing but them is known of the host,\n"
		"                       and --topology without it has assumed ones, by what\n"
		"                       CPUs share"},
	{ARGS_CONFIG,
		"      --config FILE|DIR\n"
		"                       settings as of qmpind, in place of all others"},
	{ARGS_SET,
		"      --set KEY=VALUE  a setting, such as mode=pin, rebalance=no or\n"
		"                       weights.memory=2; as often as needed"},
	{ARGS_EXPLAIN, "      --explain        each VM's reasons, in words"},
	{ARGS_LINES,
		"  -n, --lines N        begin with the last N decisions (default: 10)"},
	{ARGS_DRY_RUN, "      --dry-run        show what would be done, do nothing"},
	{ARGS_COLUMNS,
		"      --columns LIST   these, such as vm,cpus,wait; with a + before the\n"
		"                       first, besides the usual ones"},
	{ARGS_VERBOSE, "  -v, --verbose        all columns; with ID, every thread"},
	{ARGS_AFFINITY,
		"      --affinity       which VM is on which CPU; that only qmpind knows"},
	{ARGS_FORMAT_CSV, "      --output-format csv\n"
			  "                       all pairs, as in a .csv file"},
};

static void
add_all(struct strbuf *page)
{
	strbuf_addf(page,
		"Usage: qmpin [OPTION]... COMMAND [ARGUMENT]...\n"
		"\n"
		"Show what qmpind does: which CPUs the threads of this host's VMs may use.\n"
		"\n"
		"Commands:\n");
	for (const struct cmd *c = cmd_table; c->name != NULL; c++)
		strbuf_addf(
			page, "  %-8s %-17s %s\n", c->name, c->operands, c->summary);
	strbuf_addf(page,
		"\n"
		"Options of every command, before or after it; qmpin COMMAND --help shows\n"
		"what else it takes:\n"
		"      --run-dir DIR           where the sockets of qmpind are\n"
		"                              (default: QMPIN_RUN_DIR or " ARGS_RUN_DIR
		")\n"
		"      --output-format FORMAT  text (default), json or json-pretty\n"
		"  -j                          same as --output-format json\n"
		"      --no-heading            tables without column headings\n"
		"  -h, --help                  show this text, or that of the command\n"
		"  -V, --version               show the version\n"
		"\n"
		"Environment: QMPIN_RUN_DIR (see --run-dir); NO_COLOR (if not empty: none).\n"
		"\n"
		"Exit status: 0 ok, 1 failed, 2 usage, 3 qmpind not reachable,\n"
		"4 no permission, 5 partly done.\n");
}

static void
add_one(struct strbuf *page, const struct cmd *c)
{
	strbuf_addf(page, "Usage: qmpin %s [OPTION]...%s%s\n\n%s\nOptions:\n", c->name,
		c->operands[0] != '\0' ? " " : "", c->operands, c->details);
	for (size_t i = 0; i < ARRAY_LEN(own_options); i++) {
		if ((c->options & own_options[i].option) != 0)
			strbuf_addf(page, "%s\n", own_options[i].lines);
	}
	strbuf_addf(page,
		"  --run-dir, --output-format, -j, --no-heading: see qmpin help\n");
}

enum cmd_exit
cmd_help_show(const char *name)
{
	const struct cmd *c = name != NULL ? cmd_find(name) : NULL;
	struct strbuf page = {0};
	struct err e = ERR_NONE;

	if (name != NULL && c == NULL) {
		(void)err_set(&e, 0, NULL, 0,
			"no command '%.100s' (qmpin help lists them)", name);
		out_error(&e);
		return CMD_USAGE;
	}
	if (c != NULL)
		add_one(&page, c);
	else
		add_all(&page);
	out_page(strbuf_text(&page));
	strbuf_fini(&page);
	return out_finish();
}

enum cmd_exit
cmd_help_run(const struct args *args)
{
	return cmd_help_show(args->n_operands > 0 ? args->operands[0] : NULL);
}

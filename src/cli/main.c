// SPDX-License-Identifier: MIT
/* qmpin: reads the command line and hands over to the command. */
#include "config.h"

#include <jansson.h>
#include <locale.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/xalloc.h"
#include "cli/args.h"
#include "cli/cmd.h"
#include "cli/cmd_help.h"
#include "cli/cmd_version.h"
#include "cli/out.h"

/* Whose help tells more; NULL: that of all. */
static const char *
find_command(char **words)
{
	for (; *words != NULL; words++) {
		if (cmd_find(*words) != NULL)
			return *words;
	}
	return NULL;
}

static enum cmd_exit
complain(char **argv, struct err *e)
{
	const char *command = find_command(argv + 1);

	(void)err_set(e, 0, NULL, 0, "bad arguments");
	out_note("%s (see qmpin %s%s--help)", e->text, command != NULL ? command : "",
		command != NULL ? " " : "");
	return CMD_USAGE;
}

static enum cmd_exit
dispatch(const struct args *args)
{
	const struct cmd *cmd;
	struct err e = ERR_NONE;

	if (args->help)
		return cmd_help_show(args->command);
	if (args->version)
		return cmd_version_run(args);
	if (args->command == NULL) {
		out_note("no command given (qmpin help lists them)");
		return CMD_USAGE;
	}
	cmd = cmd_find(args->command);
	if (cmd == NULL)
		(void)err_set(&e, 0, NULL, 0,
			"no command '%.100s' (qmpin help lists them)", args->command);
	else if (args->n_operands > 0 && cmd->max_operands == 0)
		(void)err_set(&e, 0, NULL, 0, "qmpin %s takes no arguments", cmd->name);
	else if (args->n_operands > cmd->max_operands)
		(void)err_set(&e, 0, NULL, 0, "too many arguments: qmpin %s %s",
			cmd->name, cmd->operands);
	else if ((args->given & ~cmd->options) != 0)
		(void)err_set(&e, 0, NULL, 0,
			"qmpin %s has no option '%s' (see qmpin %s --help)", cmd->name,
			args_option_name(args->given & ~cmd->options), cmd->name);
	if (cmd != NULL && !err_is_set(&e))
		return cmd->run(args);
	out_error(&e);
	return CMD_USAGE;
}

int
main(int argc, char **argv)
{
	struct err e = ERR_NONE;
	struct args args;

	json_set_alloc_funcs(xmalloc, free);
	/* Characters only: numbers are written the same everywhere. */
	(void)setlocale(LC_CTYPE, "");
	if (args_parse(argc, argv, getenv("QMPIN_RUN_DIR"), &args, &e) < 0)
		return (int)complain(argv, &e);
	return (int)dispatch(&args);
}

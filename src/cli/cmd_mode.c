// SPDX-License-Identifier: MIT
/*
 * qmpin mode: by the daemon, until the VM's QEMU ends; made permanent here, in a file
 * of conf.d. The daemon may write nothing below /etc, so it is asked to read that file
 * and to find in force what was wished. Where it does not, the file is as before.
 */
#include "config.h"

#include "cli/cmd_mode.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "cli/out.h"
#include "cli/session.h"
#include "conf/modefile.h"
#include "place/mode.h"

#define TREE "/etc/qmpin"

struct wish {
	const char *id;
	const char *name; /* NULL: as configured */
	enum place_mode mode;
};

static bool
has_sense(const struct args *args)
{
	const char *id = args->n_operands > 0 ? args->operands[0] : NULL;

	if (id == NULL || (args->n_operands == 1 && !args->reset))
		out_note("qmpin mode ID MODE, or qmpin mode ID --reset");
	else if (args->n_operands == 2 && args->reset)
		out_note("either MODE or --reset");
	else if (args->config != NULL && !args->permanent)
		out_note("--config is for --permanent only");
	else if (!settings_id_valid(id))
		out_note("'%.64s' is not the id of a VM", id);
	else
		return true;
	return false;
}

static bool
read_wish(const struct args *args, struct wish *out)
{
	int mode;

	if (!has_sense(args))
		return false;
	*out = (struct wish){.id = args->operands[0]};
	if (args->reset)
		return true;
	out->name = args->operands[1];
	mode = place_mode_parse(out->name);
	if (mode < 0) {
		out_note("no mode '%.60s': off, observe, auto, float, core, pin or "
			 "dedicated",
			out->name);
		return false;
	}
	out->mode = (enum place_mode)mode;
	return true;
}

static enum cmd_exit
ask(const struct args *args, const struct wish *w, json_t **reply)
{
	json_t *params = json_pack("{s:s, s:s*, s:b}", "id", w->id, "mode", w->name,
		"permanent", (int)args->permanent);

	return session_ask(args, "SetMode", params, reply);
}

/* What has come of it; short, as the daemon has its say in the journal. */
static enum cmd_exit
tell(const struct args *args, const struct wish *w, const json_t *reply)
{
	const char *mode = w->name != NULL ? w->name : "as configured";

	if (args->format != ARGS_TEXT)
		out_json(reply, args->format);
	else if (args->permanent)
		printf("vm %s: mode %s, by the configuration\n", w->id, mode);
	else
		printf("vm %s: mode %s%s\n", w->id, mode,
			w->name != NULL ? ", until its QEMU ends" : "");
	return out_finish();
}

static enum cmd_exit
set(const struct args *args, const struct wish *w)
{
	auto_json json_t *reply = NULL;
	enum cmd_exit r = ask(args, w, &reply);

	return r == CMD_OK ? tell(args, w, reply) : r;
}

/* Where no daemon replies, what its reply would be. */
static enum cmd_exit
tell_written(const struct args *args)
{
	auto_json json_t *nothing = json_object();

	if (args->format != ARGS_TEXT)
		out_json(nothing, args->format);
	return out_finish();
}

static enum cmd_exit
complain(int r, const struct err *e)
{
	out_error(e);
	return r == -EACCES || r == -EPERM ? CMD_NO_PERMISSION : CMD_FAILED;
}

static int
write_down(struct modefile *f, const struct wish *w, struct err *e)
{
	int r = 0;

	if (w->name != NULL)
		r = modefile_set(f, w->id, w->mode, e);
	else
		modefile_unset(f, w->id);
	return r < 0 ? r : modefile_save(f, e);
}

/* Have the daemon follow what is written by now, or take it back. */
static enum cmd_exit
put_in_force(const struct args *args, struct modefile *f, const struct wish *w)
{
	struct err e = ERR_NONE;
	enum cmd_exit exit;
	int r;

	if (!session_is_there(args)) {
		out_note("no qmpind runs: %s counts when it starts", f->path);
		return tell_written(args);
	}
	exit = set(args, w);
	if (exit == CMD_OK)
		return exit;
	r = modefile_undo(f, &e);
	if (r < 0)
		return complain(r, &e);
	out_note("%s is as before", f->path);
	return exit;
}

static enum cmd_exit
set_permanent(const struct args *args, const struct wish *w)
{
	const char *tree = args->config != NULL ? args->config : TREE;
	struct modefile f;
	struct err e = ERR_NONE;
	enum cmd_exit exit;
	int r = modefile_open(&f, tree, &e);

	if (r < 0)
		return complain(r, &e);
	r = write_down(&f, w, &e);
	exit = r < 0 ? complain(r, &e) : put_in_force(args, &f, w);
	modefile_close(&f);
	return exit;
}

enum cmd_exit
cmd_mode_run(const struct args *args)
{
	struct wish wish;

	if (!read_wish(args, &wish))
		return CMD_USAGE;
	return args->permanent ? set_permanent(args, &wish) : set(args, &wish);
}

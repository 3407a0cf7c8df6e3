// SPDX-License-Identifier: MIT
/*
 * qmpin monitor: decisions as they are taken, a line each, until the user or qmpind
 * ends. Every line is written before the next one is waited for.
 */
#include "config.h"

#include "cli/cmd_monitor.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "cli/out.h"
#include "cli/session.h"
#include "ctl/client.h"

/* For connecting and for questions; decisions may take days. */
#define TIMEOUT_MS 15000

#define FAINT "\033[2m"
#define BOLD "\033[1m"
#define YELLOW "\033[33m"
#define PLAIN "\033[0m"

struct watch {
	enum args_format format;
	bool colors;
	bool connected;
	enum cmd_exit written; /* what became of the output */
};

/* There is nothing to clean up, and a reader of ours that has stopped reading must not
 * keep us from ending. */
static void
on_interrupt(int signal)
{
	(void)signal;
	_exit(CMD_OK);
}

static void
end_on_interrupt(void)
{
	struct sigaction action = {.sa_handler = on_interrupt};
	struct sigaction before;

	/* one that is ignored was started in the background */
	if (sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
		(void)sigaction(SIGINT, &action, NULL);
}

/* What was not decided, but put right, or is not told, stands out. */
static bool
is_odd(const json_t *decision)
{
	const char *cause = json_string_value(json_object_get(decision, "cause"));

	return str_equal(cause, "drift") || str_equal(cause, "gap");
}

static void
print_line(const struct watch *w, const json_t *decision)
{
	bool has_id = json_is_string(json_object_get(decision, "id"));
	bool odd = is_odd(decision);
	const char *bold = w->colors ? BOLD : "";
	const char *plain = w->colors ? PLAIN : "";
	auto_free char *id = out_member(decision, "id");
	auto_free char *text = out_member(decision, "text");
	auto_free char *about = NULL;
	char when[64];

	out_time(json_object_get(decision, "time"), when, sizeof(when));
	about = has_id ? xasprintf("%svm %s:%s ", bold, id, plain) : xstrdup("");
	out_line(strlen(when) + 1, "%s%s%s %s%s%s%s", w->colors ? FAINT : "", when,
		plain, about, w->colors && odd ? YELLOW : "", text, odd ? plain : "");
}

static bool
on_reply_monitor(void *arg, const json_t *reply)
{
	struct watch *w = arg;

	if (w->format == ARGS_TEXT)
		print_line(w, json_object_get(reply, "decision"));
	else
		out_json(reply, w->format);
	w->written = out_finish();
	return w->written == CMD_OK;
}

/* A VM that is not there may be about to start, or a slip of the finger. */
static int
look_for(struct ctl_client *client, json_t *id, struct err *e)
{
	struct err unused = ERR_NONE;
	auto_free char *safe = out_safe(json_string_value(id));
	int r = ctl_client_call(client, "ListVMs", json_pack("{s:O}", "id", id), false,
		NULL, NULL, &unused);

	if (r == -ENOENT)
		out_note("no VM %s yet: waiting for it", safe);
	else if (r < 0)
		return err_set(e, r, NULL, 0, "%s", unused.text);
	return 0;
}

/* Returns why it has ended, with @e. @id: NULL: all VMs. */
static int
follow(const struct args *args, json_t *id, struct watch *w, struct err *e)
{
	json_t *params = json_pack("{s:i}", "last", (int)args->lines);
	struct ctl_client *client;
	int r = ctl_client_new(args->run_dir, TIMEOUT_MS, &client, e);

	if (r < 0) {
		json_decref(params);
		return r;
	}
	w->connected = true;
	if (id != NULL) {
		json_object_set(params, "id", id);
		r = look_for(client, id, e);
	}
	ctl_client_be_patient(client);
	if (r == 0)
		r = ctl_client_call(client, "Monitor", json_incref(params), true,
			on_reply_monitor, w, e);
	json_decref(params);
	ctl_client_free(client);
	return r;
}

static enum cmd_exit
exit_of(int r, const struct watch *w)
{
	if (r == -EACCES)
		return CMD_NO_PERMISSION;
	if (r == -ECONNRESET || r == -ETIMEDOUT || !w->connected)
		return CMD_NO_DAEMON;
	return CMD_FAILED;
}

enum cmd_exit
cmd_monitor_run(const struct args *args)
{
	struct watch w = {.format = args->format, .colors = out_colors()};
	struct err e = ERR_NONE;
	auto_json json_t *id = NULL;
	int r;

	if (args->n_operands > 0) {
		id = json_string(args->operands[0]);
		if (id == NULL) {
			out_note("the VM's id is not UTF-8 text");
			return CMD_USAGE;
		}
	}
	end_on_interrupt();
	r = follow(args, id, &w, &e);
	if (w.written != CMD_OK)
		return w.written;
	if (w.connected && !session_is_there(args)) {
		out_note("qmpind has ended");
		return CMD_NO_DAEMON;
	}
	(void)err_set(&e, r, NULL, 0, "qmpind tells nothing more");
	out_error(&e);
	return exit_of(r, &w);
}

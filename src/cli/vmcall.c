// SPDX-License-Identifier: MIT
/* Commands about some VMs, or all of them. */
#include "config.h"

#include "cli/vmcall.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/out.h"
#include "cli/session.h"

/* Names the program to run instead of the installed one. */
#define DAEMON_ENV "QMPIN_DAEMON"

/* VMs are named, or --all is given, and not both; else says so. */
static bool
is_clear(const struct args *args, const char *verb)
{
	if (args->all && args->n_operands > 0)
		out_note("either VMs or --all");
	else if (!args->all && args->n_operands == 0)
		out_note("%s which VMs? qmpin %s ID..., or qmpin %s --all", verb, verb,
			verb);
	else
		return true;
	return false;
}

/* Ids as parameters, none for --all. Returns false when one is not even text. */
static bool
make_params(const struct args *args, json_t **out)
{
	json_t *ids = json_array();

	for (int i = 0; i < args->n_operands; i++) {
		if (json_array_append_new(ids, json_string(args->operands[i])) < 0) {
			out_note("a VM's id is not UTF-8 text");
			json_decref(ids);
			return false;
		}
	}
	*out = args->all ? json_object() : json_pack("{s:O}", "ids", ids);
	json_decref(ids);
	return true;
}

/* Returns what to exit with; @any_done: something was done for others. */
static enum cmd_exit
tell_failed(const json_t *failed, const char *undone, bool any_done)
{
	for (size_t i = 0; i < json_array_size(failed); i++) {
		const char *text = json_string_value(json_array_get(failed, i));
		auto_free char *safe = out_safe(text != NULL ? text : "-");

		out_note("%s: VM %s", undone, safe);
	}
	if (json_array_size(failed) == 0)
		return CMD_OK;
	return any_done ? CMD_PARTLY : CMD_FAILED;
}

static enum cmd_exit
show(const struct args *args, const struct vmcall *call, const json_t *reply)
{
	const json_t *done = json_object_get(reply, call->done);
	const json_t *failed = json_object_get(reply, "failed");
	enum cmd_exit told;
	enum cmd_exit r;

	if (args->format == ARGS_TEXT)
		call->print(args, done, json_array_size(failed) > 0);
	else
		out_json(reply, args->format);
	r = out_finish();
	told = tell_failed(failed, call->undone, json_array_size(done) > 0);
	return r != CMD_OK ? r : told;
}

enum cmd_exit
vmcall_run(const struct args *args, const struct vmcall *call)
{
	auto_json json_t *reply = NULL;
	json_t *params;
	enum cmd_exit r;

	if (!is_clear(args, call->verb))
		return CMD_USAGE;
	if (call->offline != NULL && !session_is_there(args))
		return call->offline(args);
	if (!make_params(args, &params))
		return CMD_USAGE;
	r = session_ask(args, call->method, params, &reply);
	return r == CMD_OK ? show(args, call, reply) : r;
}

static const char *
text_of(const json_t *move, const char *key)
{
	const char *text = json_string_value(json_object_get(move, key));

	return text != NULL ? text : "-";
}

static bool
is_vcpu(const json_t *move)
{
	return str_equal(text_of(move, "thread_class"), "vcpu");
}

/* One line tells both. */
static bool
belong_together(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {"id", "from", "to", "cause", "reason"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!str_equal(text_of(a, keys[i]), text_of(b, keys[i])))
			return false;
	}
	return is_vcpu(a) == is_vcpu(b);
}

/* "vCPU 0", "vCPUs 0,1", "emulator and 3 more threads". */
static void
add_who(struct strbuf *line, const json_t *moves, size_t first, size_t n)
{
	const json_t *move = json_array_get(moves, first);
	auto_free char *class = out_member(move, "thread_class");

	if (!is_vcpu(move)) {
		strbuf_adds(line, class);
		if (n > 1)
			strbuf_addf(line, " and %zu more thread%s", n - 1,
				n > 2 ? "s" : "");
		return;
	}
	strbuf_addf(line, "vCPU%s ", n > 1 ? "s" : "");
	for (size_t i = 0; i < n; i++) {
		auto_free char *index =
			out_member(json_array_get(moves, first + i), "index");

		strbuf_addf(line, "%s%s", i > 0 ? "," : "", index);
	}
}

void
vmcall_print_moves(const json_t *moves)
{
	size_t n;

	for (size_t i = 0; i < json_array_size(moves); i += n) {
		const json_t *move = json_array_get(moves, i);
		auto_free char *id = out_member(move, "id");
		auto_free char *from = out_member(move, "from");
		auto_free char *to = out_member(move, "to");
		auto_free char *why = out_member(move, "reason");
		struct strbuf who = {0};

		for (n = 1; i + n < json_array_size(moves); n++) {
			if (!belong_together(move, json_array_get(moves, i + n)))
				break;
		}
		add_who(&who, moves, i, n);
		out_line(4, "vm %s: %s %s -> %s (%s)", id, strbuf_text(&who),
			*from != '\0' ? from : "none", to, why);
		strbuf_fini(&who);
	}
}

/* Ids between commas, or "all". */
static void
name_vms(const struct args *args, struct strbuf *out)
{
	if (args->all)
		strbuf_adds(out, "all");
	for (int i = 0; i < args->n_operands; i++)
		strbuf_addf(out, "%s%s", i > 0 ? "," : "", args->operands[i]);
}

enum cmd_exit
vmcall_offline(const struct args *args, const char *option, const char *how)
{
	const char *other = getenv(DAEMON_ENV);
	const char *program = other != NULL && *other != '\0' ? other : DAEMON_PROGRAM;
	struct strbuf which = {0};

	if (args->format != ARGS_TEXT) {
		out_note("no qmpind runs: it can be told in text only");
		return CMD_NO_DAEMON;
	}
	name_vms(args, &which);
	out_note("no qmpind runs: %s", how);
	(void)execl(program, "qmpind", "--run-dir", args->run_dir, option,
		strbuf_text(&which), (char *)NULL);
	out_note("cannot run %s: %s", program, strerror(errno));
	strbuf_fini(&which);
	return CMD_FAILED;
}

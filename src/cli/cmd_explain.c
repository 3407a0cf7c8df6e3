// SPDX-License-Identifier: MIT
/*
 * qmpin explain: why a VM is where it is, what that costs, what came second, what would
 * have to be free, and what was decided lately, as one would tell a colleague.
 */
#include "config.h"

#include "cli/cmd_explain.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "cli/out.h"
#include "cli/session.h"

/* Terms below this are not worth a line. */
#define LEAST_NS 0.05

static char *
safe_text(const json_t *value)
{
	const char *text = json_string_value(value);

	return out_safe(text != NULL ? text : "-");
}

/* "CPUs 8-11,40-43 of node 0" */
static char *
place_text(const json_t *candidate)
{
	auto_free char *cpus = out_member(candidate, "cpus");
	auto_free char *nodes = out_member(candidate, "nodes");

	if (strcmp(nodes, "-") == 0)
		return xasprintf("CPUs %s", cpus);
	return xasprintf("CPUs %s of node%s %s", cpus,
		strpbrk(nodes, ",-") != NULL ? "s" : "", nodes);
}

static void
print_chosen(const json_t *vm, const json_t *chosen)
{
	auto_free char *id = out_member(vm, "id");
	auto_free char *name = out_member(vm, "name");
	auto_free char *mode = out_member(vm, "mode");
	auto_free char *origin = out_member(vm, "mode_origin");
	auto_free char *why = out_member(chosen, "verdict");
	auto_free char *place = place_text(chosen);
	auto_free char *refused = out_member(vm, "refused");
	bool observed = strcmp(mode, "observe") == 0;

	out_line(0, "VM %s (%s) %s %s:", id, name,
		observed ? "would run on" : "runs on", place);
	out_line(0, "%s.", why);
	out_line(0, "Its mode is %s (%s).", mode, origin);
	if (json_is_string(json_object_get(vm, "refused")))
		out_line(0, "It asked for more: %s.", refused);
}

/* The dearest first would hide that the order is the planner's. */
static void
print_terms(const json_t *chosen)
{
	const json_t *terms = json_object_get(chosen, "terms");

	printf("\n");
	out_line(0, "What that costs, in expected nanoseconds for each vCPU:");
	for (size_t i = 0; i < json_array_size(terms); i++) {
		const json_t *term = json_array_get(terms, i);
		double ns = json_number_value(json_object_get(term, "ns"));
		auto_free char *text = out_member(term, "text");

		if (ns >= LEAST_NS || ns <= -LEAST_NS)
			out_line(12, "  %8.1f  %s", ns, text);
	}
	printf("  %8.1f  in all\n",
		json_number_value(json_object_get(chosen, "total_ns")));
}

static void
print_runner_up(const json_t *second)
{
	auto_free char *verdict = NULL;
	auto_free char *place = NULL;

	if (!json_is_object(second)) {
		printf("\nNothing came second.\n");
		return;
	}
	verdict = out_member(second, "verdict");
	place = place_text(second);
	printf("\n");
	out_line(0, "Second best: %s:", place);
	out_line(0, "%s.", verdict);
}

/* Nothing when there is none, unless @none says so. */
static void
print_list(const char *heading, const json_t *texts, const char *none)
{
	const char *first = json_array_size(texts) > 0 ? heading : none;

	if (first != NULL) {
		printf("\n");
		out_line(0, "%s", first);
	}
	for (size_t i = 0; i < json_array_size(texts); i++) {
		auto_free char *text = safe_text(json_array_get(texts, i));

		out_line(4, "  - %s", text);
	}
}

static void
print_history(const json_t *history)
{
	if (json_array_size(history) > 0)
		printf("\nWhat was decided, the latest last:\n");
	for (size_t i = 0; i < json_array_size(history); i++) {
		const json_t *decision = json_array_get(history, i);
		auto_free char *cause = out_member(decision, "cause");
		auto_free char *text = out_member(decision, "text");
		char when[64];

		out_time(json_object_get(decision, "time"), when, sizeof(when));
		out_line(23, "  %s  %s: %s", when, cause, text);
	}
}

static void
print_text(const json_t *vm, const json_t *reply)
{
	const json_t *chosen = json_object_get(reply, "chosen");

	print_chosen(vm, chosen);
	print_terms(chosen);
	print_runner_up(json_object_get(reply, "runner_up"));
	print_list("What narrowed its choice:", json_object_get(reply, "rules"), NULL);
	print_list("It would be better off if:", json_object_get(reply, "better_if"),
		"Nothing is known that would be much better for it.");
	print_history(json_object_get(reply, "history"));
}

/* Its name, its mode and where that comes from. */
static enum cmd_exit
ask_for_vm(const struct args *args, const json_t *id, json_t **vm)
{
	auto_json json_t *reply = NULL;
	enum cmd_exit r =
		session_ask(args, "ListVMs", json_pack("{s:O}", "id", id), &reply);

	if (r == CMD_OK)
		*vm = json_incref(json_array_get(json_object_get(reply, "vms"), 0));
	return r;
}

enum cmd_exit
cmd_explain_run(const struct args *args)
{
	auto_json json_t *id = NULL;
	auto_json json_t *vm = NULL;
	auto_json json_t *reply = NULL;
	enum cmd_exit r;

	if (args->n_operands == 0) {
		out_note("explain which VM? qmpin explain ID");
		return CMD_USAGE;
	}
	id = json_string(args->operands[0]);
	if (id == NULL) {
		out_note("the VM's id is not UTF-8 text");
		return CMD_USAGE;
	}
	r = session_ask(args, "Explain", json_pack("{s:O}", "id", id), &reply);
	if (r == CMD_OK && args->format == ARGS_TEXT)
		r = ask_for_vm(args, id, &vm);
	if (r != CMD_OK)
		return r;
	if (args->format == ARGS_TEXT)
		print_text(vm, reply);
	else
		out_json(reply, args->format);
	return out_finish();
}

// SPDX-License-Identifier: MIT
/* qmpin ps: the VMs in a table, or one VM with its threads. */
#include "config.h"

#include "cli/cmd_ps.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "cli/out.h"
#include "cli/session.h"
#include "cli/vms.h"
#include "cli/vmtable.h"

/* Columns of what a line is about. */
#define LABEL 11u

static void
print_member(const char *label, const json_t *vm, const char *member, const char *unit)
{
	const json_t *value = json_object_get(vm, member);
	auto_free char *text = out_member(vm, member);

	out_line(LABEL, "%-10s %s%s", label, text,
		value != NULL && !json_is_null(value) ? unit : "");
}

/* "repairs    5 (thread 2, all 3)". */
static void
print_repairs(const json_t *vm)
{
	auto_free char *repairs = out_member(vm, "repairs");
	const json_t *drifts = json_object_get(vm, "drifts");
	size_t n = json_array_size(drifts);
	struct strbuf line = {0};

	strbuf_addf(&line, "%-10s %s", "repairs", repairs);
	for (size_t i = 0; i < n; i++) {
		const json_t *drift = json_array_get(drifts, i);
		auto_free char *kind = out_member(drift, "kind");
		auto_free char *times = out_member(drift, "repairs");

		strbuf_addf(&line, "%s%s %s", i == 0 ? " (" : ", ", kind, times);
	}
	out_line(LABEL, "%s%s", strbuf_text(&line), n > 0 ? ")" : "");
	strbuf_fini(&line);
}

static void
print_history(const json_t *vm)
{
	auto_free char *cause = out_member(vm, "last_cause");
	char when[64];

	out_time(json_object_get(vm, "last_move"), when, sizeof(when));
	print_repairs(vm);
	out_line(LABEL, "last move  %s, cause %s", when, cause);
}

static void
print_refused(const json_t *vm)
{
	auto_free char *refused = out_member(vm, "refused");

	if (json_is_string(json_object_get(vm, "refused")))
		printf("%-10s %s\n", "asked for", refused);
}

static void
print_vm(const json_t *vm)
{
	auto_free char *id = out_member(vm, "id");
	auto_free char *name = out_member(vm, "name");
	auto_free char *pid = out_member(vm, "pid");
	auto_free char *state = out_member(vm, "state");
	auto_free char *mode = out_member(vm, "mode");
	auto_free char *origin = out_member(vm, "mode_origin");
	auto_free char *vcpus = out_member(vm, "vcpus");
	auto_free char *max = out_member(vm, "vcpus_max");

	out_line(LABEL, "VM         %s, name %s", id, name);
	out_line(LABEL, "state      %s, pid %s", state, pid);
	print_member("share", vm, "share", "");
	printf("mode       %s (%s)\n", mode, origin);
	print_refused(vm);
	printf("vCPUs      %s of %s\n", vcpus, max);
	print_member("CPUs", vm, "cpus", "");
	print_member("domain", vm, "domain", "");
	print_member("nodes", vm, "nodes", "");
	print_member("may use", vm, "limit", "");
	print_member("memory", vm, "memory_local_pct", " % local");
	print_member("waiting", vm, "wait_pct", " %");
	print_history(vm);
	print_member("note", vm, "note", "");
}

/* false: no VM can have this id, as it is not even text. */
static bool
make_params(const struct args *args, json_t **out)
{
	*out = NULL;
	if (args->n_operands == 0)
		return true;
	*out = json_pack("{s:s, s:b}", "id", args->operands[0], "threads", 1);
	if (*out == NULL)
		out_note("the VM's id is not UTF-8 text");
	return *out != NULL;
}

static void
print_text(const json_t *vms, const struct args *args, const struct columns *columns)
{
	if (args->n_operands == 0) {
		if (json_array_size(vms) == 0)
			out_note("no VMs");
		else
			vmtable_print(vms, columns, args->heading);
		return;
	}
	for (size_t i = 0; i < json_array_size(vms); i++) {
		const json_t *vm = json_array_get(vms, i);

		print_vm(vm);
		printf("\n");
		(void)fflush(stdout);
		vmtable_print_threads(json_object_get(vm, "threads"), columns,
			args->heading, !args->verbose && args->columns == NULL);
	}
}

/* Before anybody is asked: what cannot be shown need not be. */
static bool
choose_columns(const struct args *args, struct columns *out)
{
	struct err e = ERR_NONE;

	if (vmtable_columns(args, args->n_operands > 0, out, &e) == 0)
		return true;
	out_error(&e);
	return false;
}

enum cmd_exit
cmd_ps_run(const struct args *args)
{
	auto_json json_t *list = json_array();
	auto_json json_t *reply = NULL;
	struct columns columns;
	json_t *params;
	enum cmd_exit r;

	if (!choose_columns(args, &columns) || !make_params(args, &params))
		return CMD_USAGE;
	r = session_call(args, "ListVMs", params, true, vms_on_reply, list);
	if (r != CMD_OK)
		return r;
	reply = json_pack("{s:o}", "vms", vms_sorted(list));
	if (args->format == ARGS_TEXT)
		print_text(json_object_get(reply, "vms"), args, &columns);
	else
		out_json(reply, args->format);
	return out_finish();
}

// SPDX-License-Identifier: MIT
/*
 * qmpin ps: the VMs in a table, or one VM with its threads.
 */
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
#include "cli/table.h"
#include "cli/vms.h"

/* The member of a VM or thread for each column; NULL: made from several. */
static const struct table_column vm_columns[] = {
	{.name = "VM"},
	{.name = "NAME", .min = 6},
	{.name = "VCPUS", .right = true},
	{.name = "MODE"},
	{.name = "CPUS", .min = 8},
	{.name = "NODES", .min = 5, .drop = 4},
	{.name = "STATE"},
	{.name = "SHARE", .drop = 5},
	{.name = "WAIT", .right = true, .drop = 3},
	{.name = "REPAIRS", .right = true, .drop = 2},
	{.name = "LAST", .min = 6, .drop = 1},
	{.name = "NOTE", .min = 8},
};
static const char *const vm_members[ARRAY_LEN(vm_columns)] = {"id", "name", NULL,
	"mode", "cpus", "nodes", "state", "share", "wait_pct", "repairs", "last_cause",
	"note"};

static const struct table_column thread_columns[] = {
	{.name = "CLASS"},
	{.name = "INDEX", .right = true},
	{.name = "TID", .right = true},
	{.name = "COMM", .min = 4},
	{.name = "WANT", .min = 8},
	{.name = "HAVE", .min = 8},
	{.name = "LAST", .right = true, .drop = 1},
	{.name = "NOTE"},
};
static const char *const thread_members[ARRAY_LEN(thread_columns)] = {
	"class", "index", "tid", "comm", "want", "have", "last", NULL};

static char *
vcpus_text(const json_t *vm)
{
	auto_free char *now = out_member(vm, "vcpus");
	auto_free char *max = out_member(vm, "vcpus_max");

	return xasprintf("%s/%s", now, max);
}

static char *
wait_text(const json_t *vm)
{
	const json_t *pct = json_object_get(vm, "wait_pct");

	return json_is_number(pct) ? xasprintf("%.0f%%", json_number_value(pct))
				   : xstrdup("-");
}

static char *
vm_text(const json_t *vm, const char *member)
{
	if (member == NULL)
		return vcpus_text(vm);
	return str_equal(member, "wait_pct") ? wait_text(vm) : out_member(vm, member);
}

static void
print_vms(const json_t *vms, bool heading)
{
	struct table *t = table_new(vm_columns, ARRAY_LEN(vm_columns));

	for (size_t i = 0; i < json_array_size(vms); i++) {
		const json_t *vm = json_array_get(vms, i);

		table_row(t);
		for (size_t c = 0; c < ARRAY_LEN(vm_columns); c++)
			table_set(t, c, vm_text(vm, vm_members[c]));
	}
	table_print(t, heading);
	table_free(t);
}

/* What is planned for the thread is not what the kernel has. */
static bool
is_off(const json_t *thread)
{
	const char *want = json_string_value(json_object_get(thread, "want"));
	const char *have = json_string_value(json_object_get(thread, "have"));

	return want != NULL && !str_equal(want, have);
}

static void
print_threads(const json_t *threads, bool heading)
{
	struct table *t = table_new(thread_columns, ARRAY_LEN(thread_columns));

	for (size_t i = 0; i < json_array_size(threads); i++) {
		const json_t *thread = json_array_get(threads, i);
		bool off = is_off(thread);

		table_row(t);
		for (size_t c = 0; c < ARRAY_LEN(thread_columns); c++)
			table_set(t, c,
				thread_members[c] != NULL
					? out_member(thread, thread_members[c])
					: xstrdup(off ? "differs" : "-"));
		if (off)
			table_mark(t);
	}
	table_print(t, heading);
	table_free(t);
}

static void
print_member(const char *label, const json_t *vm, const char *member, const char *unit)
{
	const json_t *value = json_object_get(vm, member);
	auto_free char *text = out_member(vm, member);

	printf("%-10s %s%s\n", label, text,
		value != NULL && !json_is_null(value) ? unit : "");
}

/* "repairs    5 (thread 2, all 3)". */
static void
print_repairs(const json_t *vm)
{
	auto_free char *repairs = out_member(vm, "repairs");
	const json_t *drifts = json_object_get(vm, "drifts");
	size_t n = json_array_size(drifts);

	printf("%-10s %s", "repairs", repairs);
	for (size_t i = 0; i < n; i++) {
		const json_t *drift = json_array_get(drifts, i);
		auto_free char *kind = out_member(drift, "kind");
		auto_free char *times = out_member(drift, "repairs");

		printf("%s%s %s", i == 0 ? " (" : ", ", kind, times);
	}
	printf("%s\n", n > 0 ? ")" : "");
}

static void
print_history(const json_t *vm)
{
	auto_free char *cause = out_member(vm, "last_cause");
	char when[64];

	out_time(json_object_get(vm, "last_move"), when, sizeof(when));
	print_repairs(vm);
	printf("last move  %s, cause %s\n", when, cause);
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
	auto_free char *vcpus = vcpus_text(vm);

	printf("VM         %s, name %s\n", id, name);
	printf("state      %s, pid %s\n", state, pid);
	print_member("share", vm, "share", "");
	printf("mode       %s (%s)\n", mode, origin);
	printf("vCPUs      %s\n", vcpus);
	print_member("CPUs", vm, "cpus", "");
	print_member("nodes", vm, "nodes", "");
	print_member("may use", vm, "limit", "");
	print_member("memory", vm, "memory_local_pct", " % local");
	print_member("waiting", vm, "wait_pct", " %");
	print_history(vm);
	print_member("note", vm, "note", "");
}

static bool
on_reply_vms(void *arg, const json_t *reply)
{
	json_t *list = arg;
	json_t *vms = json_object_get(reply, "vms");

	if (json_is_array(vms))
		(void)json_array_extend(list, vms);
	return true;
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
print_text(const json_t *vms, const struct args *args)
{
	if (args->n_operands == 0) {
		if (json_array_size(vms) == 0)
			out_note("no VMs");
		else
			print_vms(vms, args->heading);
		return;
	}
	for (size_t i = 0; i < json_array_size(vms); i++) {
		const json_t *vm = json_array_get(vms, i);

		print_vm(vm);
		printf("\n");
		(void)fflush(stdout);
		print_threads(json_object_get(vm, "threads"), args->heading);
	}
}

enum cmd_exit
cmd_ps_run(const struct args *args)
{
	auto_json json_t *list = json_array();
	auto_json json_t *reply = NULL;
	json_t *params;
	enum cmd_exit r;

	if (!make_params(args, &params))
		return CMD_USAGE;
	r = session_call(args, "ListVMs", params, true, on_reply_vms, list);
	if (r != CMD_OK)
		return r;
	reply = json_pack("{s:o}", "vms", vms_sorted(list));
	if (args->format == ARGS_TEXT)
		print_text(json_object_get(reply, "vms"), args);
	else
		out_json(reply, args->format);
	return out_finish();
}

// SPDX-License-Identifier: MIT
/* VMs in a table, and the threads of one in another. */
#include "config.h"

#include "cli/vmtable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "cli/out.h"
#include "topo/cpuset.h"

/* The member of a VM for each column, or how its text is made. */
struct vm_column {
	const char *member;
	char *(*make)(const json_t *vm);
};

static char *
vcpus_text(const json_t *vm)
{
	auto_free char *now = out_member(vm, "vcpus");
	auto_free char *max = out_member(vm, "vcpus_max");

	return xasprintf("%s/%s", now, max);
}

/* "off (tag)": where the VM itself says it. */
static char *
mode_text(const json_t *vm)
{
	auto_free char *mode = out_member(vm, "mode");
	auto_free char *origin = out_member(vm, "mode_origin");

	if (!str_equal(origin, "tag") && !str_equal(origin, "description"))
		return xstrdup(mode);
	return xasprintf("%s (%s)", mode, origin);
}

static char *
percent_text(const json_t *vm, const char *member)
{
	const json_t *pct = json_object_get(vm, member);

	return json_is_number(pct) ? xasprintf("%.0f%%", json_number_value(pct))
				   : xstrdup("-");
}

static char *
wait_text(const json_t *vm)
{
	return percent_text(vm, "wait_pct");
}

static char *
memory_text(const json_t *vm)
{
	return percent_text(vm, "memory_local_pct");
}

/* "2026-01-31 10:00:00 resume": to be looked up in the journal. */
static char *
last_text(const json_t *vm)
{
	const json_t *when = json_object_get(vm, "last_move");
	auto_free char *cause = out_member(vm, "last_cause");
	char text[64];

	if (!json_is_integer(when))
		return xstrdup("-");
	out_time(when, text, sizeof(text));
	return xasprintf("%s %s", text, cause);
}

static const struct table_column vm_columns[] = {
	{.name = "VM"},
	{.name = "NAME", .min = 6},
	{.name = "VCPUS", .right = true},
	{.name = "MODE"},
	{.name = "ORIGIN", .drop = 2, .extra = true},
	{.name = "STATE", .drop = 7},
	{.name = "DOMAIN", .drop = 11},
	{.name = "NODES", .min = 5, .drop = 3, .extra = true},
	{.name = "CPUS", .min = 8},
	{.name = "LIMIT", .min = 8, .drop = 8, .extra = true},
	{.name = "MEM", .right = true, .drop = 10},
	{.name = "SHARE", .drop = 6},
	{.name = "WAIT", .right = true, .drop = 9},
	{.name = "REPAIRS", .right = true, .drop = 5},
	{.name = "LAST", .drop = 4},
	{.name = "PID", .right = true, .drop = 1, .extra = true},
	{.name = "NOTE", .min = 8, .below = 24},
};
static const struct vm_column vm_texts[ARRAY_LEN(vm_columns)] = {
	{.member = "id"},
	{.member = "name"},
	{.make = vcpus_text},
	{.make = mode_text},
	{.member = "mode_origin"},
	{.member = "state"},
	{.member = "domain"},
	{.member = "nodes"},
	{.member = "cpus"},
	{.member = "limit"},
	{.make = memory_text},
	{.member = "share"},
	{.make = wait_text},
	{.member = "repairs"},
	{.make = last_text},
	{.member = "pid"},
	{.member = "note"},
};

static const struct table_column thread_columns[] = {
	{.name = "CLASS"},
	{.name = "INDEX", .right = true},
	{.name = "THREADS", .right = true, .extra = true},
	{.name = "TID", .right = true},
	{.name = "COMM", .min = 4},
	{.name = "WANT", .min = 8},
	{.name = "HAVE", .min = 8},
	{.name = "LAST", .right = true, .drop = 1},
	{.name = "NOTE"},
};
enum { THREAD_CLASS, THREAD_INDEX, THREAD_THREADS, THREAD_NOTE = 8 };
static const char *const thread_members[ARRAY_LEN(thread_columns)] = {
	"class", NULL, NULL, "tid", "comm", "want", "have", "last", NULL};

int
vmtable_columns(
	const struct args *args, bool threads, struct columns *out, struct err *e)
{
	const char *names = args->columns;

	if (!threads)
		return columns_choose(vm_columns, ARRAY_LEN(vm_columns), names,
			args->verbose, out, e);
	if (names == NULL && !args->verbose)
		names = "class,index,threads,want,have,note";
	return columns_choose(
		thread_columns, ARRAY_LEN(thread_columns), names, false, out, e);
}

void
vmtable_print(const json_t *vms, const struct columns *columns, bool heading)
{
	struct table *t = table_new(columns->shown, columns->n);

	for (size_t i = 0; i < json_array_size(vms); i++) {
		const json_t *vm = json_array_get(vms, i);

		table_row(t);
		for (size_t c = 0; c < columns->n; c++) {
			const struct vm_column *v = &vm_texts[columns->given[c]];

			table_set(t, c,
				v->make != NULL ? v->make(vm)
						: out_member(vm, v->member));
		}
	}
	table_print(t, heading);
	table_free(t);
}

/* ---- threads ---- */

/* Threads that have a row together: as the first one, and how many. */
struct gathered {
	const json_t *first;
	struct cpuset indices;
	unsigned int n;
};

/* What is planned for the thread is not what the kernel has. */
static bool
is_off(const json_t *thread)
{
	const char *want = json_string_value(json_object_get(thread, "want"));
	const char *have = json_string_value(json_object_get(thread, "have"));

	return want != NULL && !str_equal(want, have);
}

static bool
goes_with(const json_t *a, const json_t *b)
{
	static const char *const members[] = {"class", "want", "have"};

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (json_equal(json_object_get(a, members[i]),
			    json_object_get(b, members[i])) == 0)
			return false;
	}
	return true;
}

static void
gather(struct gathered *g, const json_t *thread)
{
	const json_t *index = json_object_get(thread, "index");

	if (g->n++ == 0)
		g->first = thread;
	if (json_is_integer(index) && json_integer_value(index) >= 0 &&
		json_integer_value(index) < (json_int_t)CPUSET_CAP)
		cpuset_add(&g->indices, (unsigned int)json_integer_value(index));
}

static char *
thread_text(const struct gathered *g, size_t column)
{
	char indices[CPUSET_TEXT_MAX];

	switch (column) {
	case THREAD_INDEX:
		return cpuset_empty(&g->indices) ? xstrdup("-")
						 : xstrdup(cpuset_format(&g->indices,
							   indices, sizeof(indices)));
	case THREAD_THREADS:
		return xasprintf("%u", g->n);
	case THREAD_NOTE:
		return xstrdup(is_off(g->first) ? "differs" : "-");
	default:
		return out_member(g->first, thread_members[column]);
	}
}

static void
add_threads(struct table *t, const struct gathered *g, const struct columns *columns)
{
	table_row(t);
	for (size_t c = 0; c < columns->n; c++)
		table_set(t, c, thread_text(g, columns->given[c]));
	if (is_off(g->first))
		table_mark(t);
}

void
vmtable_print_threads(const json_t *threads, const struct columns *columns,
	bool heading, bool together)
{
	struct table *t = table_new(columns->shown, columns->n);
	size_t n = json_array_size(threads);
	struct gathered *rows = xcalloc(n, sizeof(*rows));
	size_t n_rows = 0;

	for (size_t i = 0; i < n; i++) {
		const json_t *thread = json_array_get(threads, i);
		size_t k = together ? 0 : n_rows;

		while (k < n_rows && !goes_with(rows[k].first, thread))
			k++;
		n_rows += k == n_rows;
		gather(&rows[k], thread);
	}
	for (size_t i = 0; i < n_rows; i++)
		add_threads(t, &rows[i], columns);
	table_print(t, heading);
	table_free(t);
	free(rows);
}

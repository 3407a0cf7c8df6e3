// SPDX-License-Identifier: MIT
/*
 * qmpin heatmap: the latencies as a picture, in an SVG file or on the terminal; with
 * --affinity also which VM is where. Drawing is ctl/heatmap's.
 */
#include "config.h"

#include "cli/cmd_heatmap.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "cli/latsource.h"
#include "cli/out.h"
#include "cli/outfile.h"
#include "cli/session.h"
#include "cli/vms.h"
#include "ctl/heatmap.h"

#define TRUE_COLOURS (1u << 24)

/* Where it is, or may be: a VM without a plan has no CPUs of its own. */
static void
read_vm(const json_t *vm, struct heatmap_vm *out)
{
	const char *cpus = json_string_value(json_object_get(vm, "cpus"));
	const char *limit = json_string_value(json_object_get(vm, "limit"));
	const char *id = json_string_value(json_object_get(vm, "id"));

	out->id = id != NULL ? id : "?";
	out->name = json_string_value(json_object_get(vm, "name"));
	if (cpus == NULL)
		cpus = limit;
	if (cpus == NULL || cpuset_parse(cpus, &out->cpus) < 0)
		out->cpus = CPUSET_NONE;
}

/* @list  what the VMs' strings are borrowed from */
static struct heatmap_vm *
read_vms(const json_t *list)
{
	size_t n = json_array_size(list);
	struct heatmap_vm *vms = xcalloc(n, sizeof(*vms));

	for (size_t i = 0; i < n; i++)
		read_vm(json_array_get(list, i), &vms[i]);
	return vms;
}

/* --- How ----------------------------------------------------------------------------
 */

/* Coloured pictures are made of block characters. */
static unsigned int
colours(void)
{
	const char *term = getenv("COLORTERM");

	if (!out_colors() || !out_utf8())
		return 0;
	if (str_equal(term, "truecolor") || str_equal(term, "24bit"))
		return TRUE_COLOURS;
	return 256;
}

/* Which host is only known of the daemon's own. */
static char *
title_of(const struct args *args, const struct ctl_latency *l)
{
	time_t s = (time_t)(l->measured_us / 1000000);
	char host[65] = "";
	char when[64];
	struct tm tm;

	if (args->latency != NULL || args->topology != NULL)
		return xstrdup("Latencies between CPUs");
	(void)gethostname(host, sizeof(host) - 1);
	if (s == 0 || localtime_r(&s, &tm) == NULL ||
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm) == 0)
		return xasprintf("Latencies between the CPUs of %s", host);
	return xasprintf("Latencies between the CPUs of %s, %s", host, when);
}

/* For those who are not on the host: ssh HOST qmpin heatmap -o - > FILE.svg */
static bool
is_stdout(const char *path)
{
	return str_equal(path, "-");
}

static enum cmd_exit
write_svg(const struct heatmap *h, const char *path)
{
	auto_free char *svg = heatmap_svg(h);
	struct err e = ERR_NONE;

	if (is_stdout(path)) {
		(void)fputs(svg, stdout);
		return out_finish();
	}
	if (outfile_write(path, svg, strlen(svg), &e) == 0)
		return CMD_OK;
	out_error(&e);
	return CMD_FAILED;
}

static enum cmd_exit
print(const struct args *args, const struct heatmap *h)
{
	if (args->format == ARGS_TEXT) {
		auto_free char *text = heatmap_text(h, out_columns(), colours());

		(void)fputs(text, stdout);
	} else {
		auto_json json_t *reply = ctl_latency_json(h->latency);

		out_json(reply, args->format);
	}
	return out_finish();
}

static enum cmd_exit
draw(const struct args *args, const struct ctl_latency *l, const json_t *list)
{
	auto_free struct heatmap_vm *vms = read_vms(list);
	auto_free char *title = title_of(args, l);
	const struct heatmap h = {
		.latency = l,
		.title = title,
		.vms = vms,
		.n_vms = json_array_size(list),
		.utf8 = out_utf8(),
	};

	return args->output != NULL ? write_svg(&h, args->output) : print(args, &h);
}

enum cmd_exit
cmd_heatmap_run(const struct args *args)
{
	auto_json json_t *found = json_array();
	auto_json json_t *list = NULL;
	enum outfile_kind kind;
	struct ctl_latency l;
	struct err e = ERR_NONE;
	enum cmd_exit r;

	if (args->output != NULL && !is_stdout(args->output) &&
		outfile_kind(args->output, OUTFILE_SVG, &kind, &e) < 0) {
		out_error(&e);
		return CMD_USAGE;
	}
	if (args->affinity) {
		r = session_call(args, "ListVMs", NULL, true, vms_on_reply, found);
		if (r != CMD_OK)
			return r;
	}
	list = vms_sorted(found);
	if (args->affinity && json_array_size(list) == 0)
		out_note("no VMs");
	r = latsource_get(args, &l, NULL);
	if (r != CMD_OK)
		return r;
	r = draw(args, &l, list);
	ctl_latency_fini(&l);
	return r;
}

// SPDX-License-Identifier: MIT
/*
 * qmpin topology: the daemon's host with all VMs, or that of a file alone. VMs are
 * drawn where their vCPUs really may run; in a dry run, where they would be.
 */
#include "config.h"

#include "cli/cmd_topology.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "cli/hostpicture.h"
#include "cli/out.h"
#include "cli/planconfig.h"
#include "cli/session.h"
#include "cli/vms.h"
#include "ctl/topology.h"
#include "host/load.h"

/* A VM; owns both. */
struct seated {
	char *id;
	unsigned int n_vcpus;
	struct cpuset *vcpus;
};

/* What is drawn. */
struct scene {
	struct topo *topo;
	struct cpuset reserved;
	bool dry_run;
	size_t n;
	size_t cap;
	struct seated *vms;
};

static void
scene_fini(struct scene *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->vms[i].id);
		free(s->vms[i].vcpus);
	}
	free(s->vms);
	topo_free(s->topo);
}

static void
draw(const struct scene *s)
{
	auto_free struct hostpicture_vm *vms = xcalloc(s->n, sizeof(*vms));
	const struct hostpicture p = {
		.topo = s->topo,
		.reserved = s->reserved,
		.offline = s->topo->offline,
		.n_vms = (unsigned int)s->n,
		.vms = vms,
		.columns = out_columns(),
		.cores = true,
		.colours = out_colors(),
	};
	auto_free char *text = NULL;

	for (size_t i = 0; i < s->n; i++)
		vms[i] = (struct hostpicture_vm){
			s->vms[i].id, s->vms[i].n_vcpus, s->vms[i].vcpus};
	text = hostpicture_text(&p);
	(void)fputs(text, stdout);
	if (s->dry_run)
		out_line(0, "dry run: VMs are where qmpind would place them");
}

/* ---- from the daemon ---- */

/* The CPUs of a vCPU; other threads, and what cannot be read, have none. */
static struct cpuset
mask_of(const struct scene *s, const json_t *thread)
{
	const char *class = json_string_value(json_object_get(thread, "class"));
	const char *have = json_string_value(json_object_get(thread, "have"));
	const char *want = json_string_value(json_object_get(thread, "want"));
	const char *list = s->dry_run && want != NULL ? want : have;
	struct cpuset cpus;

	if (!str_equal(class, "vcpu") || list == NULL || cpuset_parse(list, &cpus) < 0)
		return CPUSET_NONE;
	return cpuset_and(&cpus, &s->topo->online);
}

static void
add_vm(struct scene *s, const json_t *vm)
{
	const json_t *threads = json_object_get(vm, "threads");
	const char *id = json_string_value(json_object_get(vm, "id"));
	size_t n = json_array_size(threads);
	struct cpuset *masks = xcalloc(n, sizeof(*masks));
	unsigned int n_vcpus = 0;

	for (size_t i = 0; i < n; i++) {
		masks[n_vcpus] = mask_of(s, json_array_get(threads, i));
		n_vcpus += !cpuset_empty(&masks[n_vcpus]);
	}
	if (id == NULL || n_vcpus == 0) {
		free(masks);
		return;
	}
	s->vms = xgrow(s->vms, s->n, &s->cap, sizeof(*s->vms));
	s->vms[s->n++] = (struct seated){
		.id = str_escaped(id),
		.n_vcpus = n_vcpus,
		.vcpus = xrealloc(masks, n_vcpus, sizeof(*masks)),
	};
}

static bool
on_reply_vms(void *arg, const json_t *reply)
{
	const json_t *vms = json_object_get(reply, "vms");

	for (size_t i = 0; i < json_array_size(vms); i++)
		add_vm(arg, json_array_get(vms, i));
	return true;
}

static bool
on_reply_status(void *arg, const json_t *reply)
{
	struct scene *s = arg;

	s->dry_run = json_is_true(json_object_get(reply, "dry_run"));
	return true;
}

static int
compare_vms(const void *a, const void *b)
{
	const struct seated *x = a;
	const struct seated *y = b;

	return vms_compare_ids(x->id, y->id);
}

static enum cmd_exit
get_scene(const struct args *args, const json_t *topology, struct scene *s)
{
	struct err e = ERR_NONE;
	enum cmd_exit r;

	if (ctl_topology_parse(topology, &s->topo, &s->reserved, &e) < 0) {
		out_error(&e);
		return CMD_FAILED;
	}
	r = session_call(args, "GetStatus", NULL, false, on_reply_status, s);
	if (r == CMD_OK)
		r = session_call(args, "ListVMs", json_pack("{s:b}", "threads", 1),
			true, on_reply_vms, s);
	if (s->n > 0)
		qsort(s->vms, s->n, sizeof(*s->vms), compare_vms);
	return r;
}

static enum cmd_exit
show_daemons(const struct args *args)
{
	auto_json json_t *reply = NULL;
	struct scene s = {.topo = NULL};
	enum cmd_exit r = session_ask(args, "GetTopology", NULL, &reply);

	if (r != CMD_OK)
		return r;
	if (args->format != ARGS_TEXT) {
		out_json(reply, args->format);
		return out_finish();
	}
	r = get_scene(args, reply, &s);
	if (r == CMD_OK) {
		draw(&s);
		r = out_finish();
	}
	scene_fini(&s);
	return r;
}

/* ---- from a file ---- */

/* Its CPUs as qmpind would treat them there. */
static int
read_config(const struct args *args, struct scene *s, struct err *e)
{
	struct settings settings;
	struct plan_policy policy;
	int r;

	if (args->config == NULL)
		return 0;
	r = planconfig_load(args, &settings, e);
	if (r < 0)
		return r;
	policy = settings_policy(&settings);
	s->reserved = cpuset_and(&policy.reserved, &s->topo->online);
	settings_fini(&settings);
	return 0;
}

static enum cmd_exit
show_file(const struct args *args)
{
	struct scene s = {.topo = NULL};
	struct err e = ERR_NONE;
	enum cmd_exit r = CMD_FAILED;

	if (host_load(args->topology, &s.topo, &e) < 0 ||
		read_config(args, &s, &e) < 0) {
		out_error(&e);
	} else if (args->format == ARGS_TEXT) {
		draw(&s);
		r = out_finish();
	} else {
		auto_json json_t *reply = ctl_topology_json(s.topo, &s.reserved);

		out_json(reply, args->format);
		r = out_finish();
	}
	scene_fini(&s);
	return r;
}

enum cmd_exit
cmd_topology_run(const struct args *args)
{
	if (args->config != NULL && args->topology == NULL) {
		out_note("--config is for --topology only");
		return CMD_USAGE;
	}
	return args->topology != NULL ? show_file(args) : show_daemons(args);
}

// SPDX-License-Identifier: MIT
/* The methods of io.qmpin. */
#include "config.h"

#include "daemon/control.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/server.h"
#include "ctl/shapes.h"
#include "daemon/applying.h"
#include "daemon/configcalls.h"
#include "daemon/doctoring.h"
#include "daemon/engine.h"
#include "daemon/explaining.h"
#include "daemon/listing.h"
#include "daemon/memory.h"
#include "daemon/metering.h"
#include "daemon/probecalls.h"
#include "daemon/probing.h"
#include "daemon/release.h"
#include "daemon/sharing.h"
#include "daemon/survey.h"
#include "daemon/telling.h"
#include "daemon/topocalls.h"
#include "daemon/undo.h"
#include "daemon/vmmode.h"
#include "place/mode.h"
#include "place/why.h"
#include "qmp/share.h"

static unsigned int
count_managed(const struct engine *e)
{
	unsigned int n = 0;

	for (size_t i = 0; i < e->n_vms; i++)
		n += e->vms[i]->placed ? 1 : 0;
	return n;
}

static unsigned int
count_threads(const struct engine *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n_vms; i++)
		n += e->vms[i]->n_tasks;
	return (unsigned int)n;
}

/* New array of new texts. */
static char **
list_warnings(const struct engine *e, size_t *n)
{
	size_t n_config = e->config.n_warnings;
	char **list = xcalloc(n_config + 4 + SHARING_WARNINGS_MAX + MEMORY_WARNINGS_MAX,
		sizeof(*list));
	char *probing = probing_warning(e->probing);

	*n = 0;
	if (e->bad_reload[0] != '\0')
		list[(*n)++] = xstrdup(e->bad_reload);
	if (e->wishing.bad_conf[0] != '\0')
		list[(*n)++] = xstrdup(e->wishing.bad_conf);
	if (e->wishing.trouble[0] != '\0')
		list[(*n)++] = xstrdup(e->wishing.trouble);
	*n += sharing_warnings(e, &list[*n]);
	*n += memory_warnings(e, &list[*n]);
	if (probing != NULL)
		list[(*n)++] = probing;
	for (size_t i = 0; i < n_config; i++)
		list[(*n)++] = xstrdup(e->config.warnings[i]);
	return list;
}

unsigned int
control_count_warnings(const struct engine *e)
{
	size_t n;
	char **warnings = list_warnings(e, &n);

	xfree_texts(warnings, n);
	return (unsigned int)n;
}

static void
list_turns(const struct turns *t, struct ctl_turns out[TURNS_CLASSES])
{
	for (unsigned int i = 0; i < TURNS_CLASSES; i++) {
		uint64_t bound_us = turns_bound_us(i);

		out[i].up_to_ms = bound_us > 0 ? (double)bound_us / 1000.0 : -1.0;
		out[i].count = t->counts[i];
	}
}

static json_t *
status_json(const struct engine *e)
{
	size_t n_warnings;
	char **warnings = list_warnings(e, &n_warnings);
	struct ctl_turns turns[TURNS_CLASSES];
	struct ctl_status status = {
		.version = PACKAGE_VERSION,
		.pid = getpid(),
		.uptime_ms = (clock_now_us(e->clock) - e->start_us) / 1000,
		.vms = (unsigned int)e->n_vms,
		.managed = count_managed(e),
		.threads = count_threads(e),
		.dry_run = e->dry_run,
		.latency = probing_state(e->probing),
		.last_pass_ms = (double)e->stats.last_pass_us / 1000.0,
		.passes = e->stats.passes,
		.repairs = e->stats.repairs,
		.longest_turn_ms = (double)e->turns.longest_us / 1000.0,
		.turns = turns,
		.n_turns = TURNS_CLASSES,
		.background_cpus = background_cpus(e),
		.warnings = (const char *const *)warnings,
		.n_warnings = n_warnings,
	};

	json_t *json;

	list_turns(&e->turns, turns);
	json = ctl_status_json(&status);
	xfree_texts(warnings, n_warnings);
	return json;
}

static void
on_call_status(void *owner, struct ctl_call *call, const json_t *params)
{
	(void)params;
	ctl_reply(call, status_json(owner), false);
}

static char *
cpus_text(const struct cpuset *cpus)
{
	char buf[CPUSET_TEXT_MAX];

	return xstrdup(cpuset_format(cpus, buf, sizeof(buf)));
}

/* Nodes of CPUs as a list of kernel ids. */
static char *
nodes_text(const struct engine *e, const struct cpuset *cpus)
{
	const struct topo *topo = e->host.topo;
	struct cpuset indices = topo_nodes_of(topo, cpus);
	struct cpuset ids = CPUSET_NONE;

	cpuset_foreach (i, &indices)
		cpuset_add(&ids, topo->nodes[i].id);
	return cpus_text(&ids);
}

/* The texts that a ctl_vm borrows. */
struct texts {
	char *cpus;
	char *nodes;
	char domain[WHY_DOMAIN_MAX];
	char *limit;
	char *note;
	char **sets; /* want and have of each thread */
	struct ctl_thread *threads;
};

static void
texts_fini(struct texts *t, size_t n_tasks)
{
	for (size_t i = 0; t->sets != NULL && i < 2 * n_tasks; i++)
		free(t->sets[i]);
	free(t->sets);
	free(t->threads);
	free(t->cpus);
	free(t->nodes);
	free(t->limit);
	free(t->note);
}

static void
fill_threads(const struct vm *vm, struct texts *texts, struct ctl_vm *out)
{
	texts->sets = xcalloc(2 * vm->n_tasks, sizeof(char *));
	texts->threads = xcalloc(vm->n_tasks, sizeof(struct ctl_thread));
	for (size_t i = 0; i < vm->n_tasks; i++) {
		const struct vm_task *t = &vm->tasks[i];

		if (t->wanted)
			texts->sets[2 * i] = cpus_text(&t->want);
		texts->sets[2 * i + 1] = cpus_text(&t->have);
		texts->threads[i] = (struct ctl_thread){
			.tid = t->thread.tid,
			.class = thread_class_name(t->thread.class),
			.index = t->thread.index,
			.comm = t->thread.comm,
			.want = texts->sets[2 * i],
			.have = texts->sets[2 * i + 1],
			.last = t->last_cpu,
		};
	}
	out->threads = texts->threads;
	out->n_threads = vm->n_tasks;
}

static void
fill_places(const struct engine *e, const struct vm *vm, struct texts *texts,
	struct ctl_vm *out)
{
	struct cpuset cpus = vm_vcpu_cpus(vm);
	struct cpuset limit = e->host.topo->online;

	if (vm->surveyed) {
		struct cpuset own = vm_vcpu_limit(vm);
		struct cpuset may = survey_reach(e, &own);

		limit = cpuset_and(&limit, &may);
		texts->cpus = cpus_text(&cpus);
		texts->nodes = nodes_text(e, &cpus);
		(void)why_around(
			e->host.topo, &cpus, texts->domain, sizeof(texts->domain));
		out->domain = texts->domain;
	}
	texts->limit = cpus_text(&limit);
	out->cpus = texts->cpus;
	out->nodes = texts->nodes;
	out->limit = texts->limit;
}

/* Kinds that have occurred. Returns how many. */
static size_t
list_drifts(const struct vm *vm, struct ctl_drift out[DRIFT_N_KINDS])
{
	size_t n = 0;

	for (unsigned int k = DRIFT_NONE + 1; k < DRIFT_N_KINDS; k++) {
		if (vm->drift.repairs[k] > 0)
			out[n++] = (struct ctl_drift){
				drift_name((enum drift_kind)k), vm->drift.repairs[k]};
	}
	return n;
}

/* What is worth most, as a new string; NULL: nothing is. */
static char *
note_of(const struct engine *e, const struct vm *vm)
{
	char *note;

	if (vm->note[0] != '\0')
		return xstrdup(vm->note);
	if (vm->squeeze.note[0] != '\0')
		return xstrdup(vm->squeeze.note);
	note = wishes_note(e, vm);
	if (note == NULL)
		note = sharing_note(e, vm);
	return note != NULL ? note : memory_note(vm);
}

static json_t *
vm_json(const struct engine *e, const struct vm *vm, bool threads)
{
	enum settings_origin origin;
	struct texts texts = {0};
	struct ctl_drift drifts[DRIFT_N_KINDS];
	struct ctl_vm out = {
		.id = vm->id,
		.vmid = vm->vmid,
		.name = vm->facts.name[0] != '\0' ? vm->facts.name : NULL,
		.pid = vm->identity.pid,
		.state = vm_state_name(vm->state),
		.mode = place_mode_name(vmmode_of(e, vm, &origin)),
		.mode_origin = settings_origin_name(origin),
		.refused = wishes_refused(vm),
		.share = share_name(monitor_share(vm->monitor)),
		.vcpus = vm->facts.n_vcpus,
		.vcpus_max = vm->facts.vcpus_max,
		.memory_local_pct = memory_local_pct(e, vm),
		.wait_pct = squeeze_wait_pct(vm),
		.repairs = vm->repairs,
		.drifts = drifts,
		.n_drifts = list_drifts(vm, drifts),
		.last_move_us = vm->last_move_us,
		.last_cause = vm->last_cause >= 0
				      ? cause_name((enum cause)vm->last_cause)
				      : NULL,
	};
	json_t *json;

	out.note = texts.note = note_of(e, vm);
	fill_places(e, vm, &texts, &out);
	if (threads)
		fill_threads(vm, &texts, &out);
	json = ctl_vm_json(&out);
	texts_fini(&texts, vm->n_tasks);
	return json;
}

static void
reply_vm(struct engine *e, struct ctl_call *call, const struct vm *vm, bool threads,
	bool more)
{
	ctl_reply(call, json_pack("{s:[o]}", "vms", vm_json(e, vm, threads)), more);
}

static void
reply_listed(struct engine *e, struct ctl_call *call, const struct vm *vm, bool more)
{
	reply_vm(e, call, vm, false, more);
}

static void
reply_with_threads(
	struct engine *e, struct ctl_call *call, const struct vm *vm, bool more)
{
	reply_vm(e, call, vm, true, more);
}

static void
reply_none(struct ctl_call *call)
{
	ctl_reply(call, json_pack("{s:[]}", "vms"), false);
}

static void
list_all(struct engine *e, struct ctl_call *call, bool threads)
{
	if (e->n_vms == 0)
		reply_none(call);
	else if (!ctl_call_more(call))
		reply_vm(e, call, e->vms[0], threads, false);
	else
		listing_start(e, call, threads ? reply_with_threads : reply_listed,
			reply_none);
}

static void
on_call_list(void *owner, struct ctl_call *call, const json_t *params)
{
	struct engine *e = owner;
	bool threads = json_is_true(json_object_get(params, "threads"));
	const struct vm *vm;

	if (!json_is_string(json_object_get(params, "id"))) {
		list_all(e, call, threads);
		return;
	}
	vm = pending_vm(e, call, params);
	if (vm != NULL)
		reply_vm(e, call, vm, threads, false);
}

static void
on_call_vm(void *owner, struct ctl_call *call, const json_t *params)
{
	const struct engine *e = owner;
	const struct vm *vm = pending_vm(e, call, params);

	if (vm != NULL)
		ctl_reply(call, json_pack("{s:o}", "vm", vm_json(e, vm, true)), false);
}

static const struct ctl_method methods[] = {
	{"Apply", true, applying_on_apply},
	{"Doctor", false, doctoring_on_call},
	{"Explain", false, explaining_on_call},
	{"GetConfig", false, configcalls_on_get},
	{"GetLatency", false, probecalls_on_latency},
	{"GetMetrics", false, metering_on_call},
	{"GetStatus", false, on_call_status},
	{"GetTopology", false, topocalls_on_call},
	{"GetVM", false, on_call_vm},
	{"ListVMs", false, on_call_list},
	{"Monitor", false, telling_on_call},
	{"Plan", false, applying_on_plan},
	{"Probe", true, probecalls_on_probe},
	{"Release", true, release_on_call},
	{"Reload", true, configcalls_on_reload},
	{"Restore", true, undo_on_call},
	{"SetMode", true, vmmode_on_set},
};

int
control_new(
	struct engine *e, const char *run_dir, struct ctl_server **out, struct err *err)
{
	struct ctl_server_options options = {.run_dirfd = e->run_dirfd,
		.run_dir = run_dir,
		.group = e->config.control_group,
		.version = PACKAGE_VERSION,
		.methods = methods,
		.n_methods = ARRAY_LEN(methods)};

	return ctl_server_new(e->base, &options, e, out, err);
}

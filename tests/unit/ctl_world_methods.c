// SPDX-License-Identifier: MIT
/* What the control server of the tests answers: VMs made up from their number. */
#include "config.h"

#include "ctl_world.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/latency.h"
#include "ctl/shapes.h"
#include "ctl/topology.h"
#include "layouts.h"

static void
get_status(void *owner, struct ctl_call *call, const json_t *params)
{
	static const char *const warnings[] = {"first \x1b[31mwarning", "second"};
	struct ctl_world *w = owner;
	struct ctl_status s = {
		.version = "9.8.7",
		.pid = 4242,
		.uptime_ms = 7999000,
		.vms = w->n_vms + 1,
		.managed = w->n_vms,
		.threads = 77,
		.latency = "model",
		.last_pass_ms = 1.8,
		.passes = 5123,
		.repairs = 3,
		.background_cpus = w->hostile ? -1 : 1.25,
		.warnings = warnings,
		.n_warnings = w->hostile ? 2 : 0,
	};

	(void)params;
	w->n_calls++;
	w->peer = *ctl_call_peer(call);
	ctl_reply(call, ctl_status_json(&s), false);
}

static json_t *
make_vm(const struct ctl_world *w, unsigned int i, bool with_threads)
{
	static const struct ctl_drift drifts[] = {{"thread", 4}, {"all", 2}};
	struct ctl_thread *threads = xcalloc(w->n_threads, sizeof(*threads));
	char id[16];
	char name[32];
	json_t *vm;
	struct ctl_vm v = {
		.id = id,
		.vmid = (int)(100 + i),
		.name = w->hostile ? "evil\x1b]0;owned\x07\n\xc2\x9b" : name,
		.pid = (pid_t)(1000 + i),
		.state = w->state,
		.mode = "float",
		.mode_origin = "default",
		.share = "private",
		.vcpus = 3,
		.vcpus_max = 8,
		.cpus = "8-11,40-43",
		.nodes = "0",
		.domain = "L3 group 1 of node 0",
		.limit = "0-63",
		.memory_local_pct = 98.5,
		.wait_pct = i == 1 ? 12.4 : -1,
		.repairs = i % 3,
		.drifts = drifts,
		.n_drifts = i == 1 ? 2 : 0,
		.last_move_us = 1700000000000000,
		.last_cause = "resume",
		.note = i % 4 == 0 ? "affinity: allows two CPUs of eight" : NULL,
		.threads = with_threads ? threads : NULL,
		.n_threads = w->n_threads,
	};

	(void)snprintf(id, sizeof(id), "%u", 100 + i);
	(void)snprintf(name, sizeof(name), "web-%u", i);
	for (unsigned int t = 0; t < w->n_threads; t++)
		threads[t] = (struct ctl_thread){
			.tid = (pid_t)(5000 + t),
			.class = t == 0 ? "emulator" : "vcpu",
			.index = (int)t - 1,
			.comm = t == 0 ? "kvm" : "CPU 0/KVM",
			.want = "8-11,40-43",
			.have = t == 2 ? "0-63" : "8-11,40-43",
			.last = (int)t,
		};
	vm = ctl_vm_json(&v);
	free(threads);
	return vm;
}

static void
reply_vm(const struct ctl_world *w, struct ctl_call *call, unsigned int i, bool threads,
	bool continues)
{
	json_t *list = json_array();

	json_array_append_new(list, make_vm(w, i, threads));
	ctl_reply(call, json_pack("{s:o}", "vms", list), continues);
}

static void
list_vms(void *owner, struct ctl_call *call, const json_t *params)
{
	struct ctl_world *w = owner;
	bool threads = json_is_true(json_object_get(params, "threads"));
	const char *id = NULL;
	unsigned long n;

	w->n_calls++;
	if (json_get_string(params, "id", &id) == 0) {
		n = strtoul(id, NULL, 10);
		if (n < 100 || n >= 100 + w->n_vms)
			ctl_error(call, "VMNotFound", json_pack("{s:s}", "id", id));
		else
			reply_vm(w, call, (unsigned int)n - 100, threads, false);
		return;
	}
	if (w->n_vms == 0)
		ctl_reply(call, json_pack("{s:[]}", "vms"), false);
	else if (!ctl_call_more(call))
		reply_vm(w, call, 0, threads, false);
	else
		for (unsigned int i = w->n_vms; i > 0; i--)
			reply_vm(w, call, i - 1, threads, i > 1);
}

static void
keep_wish(struct ctl_world *w, const json_t *params)
{
	free(w->wish);
	w->wish = json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);
}

/* The third one is a gap. */
static void
reply_decision(const struct ctl_world *w, struct ctl_call *call, unsigned int i)
{
	const char *text = "vCPUs 0-1 0-63 -> 8-11 (resume; L3 group 2)";
	struct ctl_move move = {.id = "100",
		.class = "vcpu",
		.tid = 4711,
		.from = "0-63",
		.to = "8-11",
		.cause = "resume",
		.reason = "L3 group 2"};
	struct ctl_decision d = {.time_us = 1700000000000000 + i * UINT64_C(60000000),
		.id = i == 2 ? NULL : "100",
		.cause = i == 2 ? "gap" : "resume",
		.text = w->hostile ? "evil\x1b]0;owned\x07\nvm 1: fine" : text};
	json_t *moves = json_array();

	if (i != 2)
		json_array_append_new(moves, ctl_move_json(&move));
	ctl_reply(call, json_pack("{s:o}", "decision", ctl_decision_json(&d, moves)),
		true);
}

static void
monitor(void *owner, struct ctl_call *call, const json_t *params)
{
	struct ctl_world *w = owner;

	w->n_calls++;
	keep_wish(w, params);
	for (unsigned int i = 0; i < w->n_decisions; i++)
		reply_decision(w, call, i);
	if (w->n_decisions > 0 && !w->endless) {
		ctl_error(call, "Failed", json_pack("{s:s}", "why", "no more"));
		return;
	}
	assert_true(w->n_held < ARRAY_LEN(w->held));
	w->held[w->n_held++] = call;
}

static void
reload(void *owner, struct ctl_call *call, const json_t *params)
{
	struct ctl_world *w = owner;

	(void)params;
	w->n_calls++;
	if (w->hostile)
		ctl_error(call, "Failed",
			json_pack("{s:s}", "why", "f.conf:3: \x1b[31mevil"));
	else
		ctl_reply(call, json_object(), false);
}

/* VM 1 takes none. */
static void
set_mode(void *owner, struct ctl_call *call, const json_t *params)
{
	struct ctl_world *w = owner;

	free(w->wish);
	w->wish = json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);
	if (str_equal(json_string_value(json_object_get(params, "id")), "1"))
		ctl_error(call, "InvalidValue",
			json_pack("{s:s, s:s}", "field", "mode", "why", "no"));
	else
		ctl_reply(call, json_object(), false);
}

static void
get_config(void *owner, struct ctl_call *call, const json_t *params)
{
	const struct ctl_world *w = owner;
	const struct ctl_setting settings[] = {
		{"mode", "auto", "default", "Placement."},
		{"settle_ms", "5", "/etc/qmpin/qmpin.conf:3", "Wait after an event."},
		{"vm 103.mode", "pin", w->hostile ? "\x1b[31mevil:2" : "/f:2",
			"Placement."},
	};
	json_t *list = json_array();

	(void)params;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		if (w->n_vms > 0 || i == 0)
			json_array_append_new(list, ctl_setting_json(&settings[i]));
	}
	ctl_reply(call, json_pack("{s:o}", "settings", list), false);
}

/* Those that are named, or all. */
static void
release(void *owner, struct ctl_call *call, const json_t *params)
{
	struct ctl_world *w = owner;
	const json_t *ids = json_object_get(params, "ids");
	json_t *released = json_array();
	json_t *failed = json_array();
	size_t n = json_is_array(ids) ? json_array_size(ids) : w->n_vms;

	w->n_calls++;
	for (size_t i = 0; i < n; i++) {
		const char *id = json_string_value(json_array_get(ids, i));
		unsigned long vmid = id != NULL ? strtoul(id, NULL, 10) : 100 + i;

		if (vmid >= 100 + w->n_held_fast)
			json_array_append_new(released, json_sprintf("%lu", vmid));
		else
			json_array_append_new(
				failed, json_sprintf("%lu: \x1b[1mbusy", vmid));
	}
	ctl_reply(call, json_pack("{s:o, s:o}", "released", released, "failed", failed),
		false);
}

static void
get_latency(void *owner, struct ctl_call *call, const json_t *params)
{
	struct ctl_world *w = owner;
	const struct layout layout = {.packages = w->n_packages > 0 ? w->n_packages : 1,
		.nodes = 2,
		.cores = 4,
		.threads = 1};
	struct topo *t = hosts_build(&layout);
	struct ctl_latency l = {0};
	unsigned int n_tiers;

	(void)params;
	w->n_calls++;
	ctl_latency_set_model(&l, t);
	n_tiers = l.n_tiers;
	l.trusted = true;
	l.measured_us = 1700000000000000;
	str_copy(l.source, sizeof(l.source),
		w->hostile ? "\x1b[31mmeasured" : "measured");
	if (w->n_packages == 0)
		l.n_tiers = 0;
	auto_free char *reply = ctl_latency_text(&l);
	ctl_reply_text(call, reply, false);
	l.n_tiers = n_tiers;
	ctl_latency_fini(&l);
	topo_free(t);
}

/* As get_latency's; its first CPU is reserved, its last one isolated. */
static void
get_topology(void *owner, struct ctl_call *call, const json_t *params)
{
	struct ctl_world *w = owner;
	const struct layout layout = {
		.packages = w->n_packages, .nodes = 2, .cores = 4, .threads = 1};
	struct cpuset reserved = cpuset_of(0);
	struct topo *t;

	(void)params;
	w->n_calls++;
	if (w->n_packages == 0) {
		ctl_reply(call, json_pack("{s:s}", "online", "0"), false);
		return;
	}
	t = hosts_build(&layout);
	t->isolated = cpuset_of(t->n_pus - 1);
	t->offline = cpuset_of(t->n_pus);
	ctl_reply(call, ctl_topology_json(t, &reserved), false);
	topo_free(t);
}

static void
get_metrics(void *owner, struct ctl_call *call, const json_t *params)
{
	struct ctl_world *w = owner;
	const char *text =
		w->hostile ? "evil\x1b]0;owned\x07 \xc3\xbc \\n\n" : "a 1\nb 2\n";

	(void)params;
	w->n_calls++;
	ctl_reply(call, json_pack("{s:s}", "text", text), false);
}

static void
probe(void *owner, struct ctl_call *call, const json_t *params)
{
	struct ctl_world *w = owner;
	struct ctl_probe p = {.pairs_total = 10 * w->n_steps,
		.visits_total = w->n_steps,
		.text = w->hostile ? "\x1b[31mevil" : "first pass"};

	w->n_calls++;
	keep_wish(w, params);
	while (p.visits < w->n_steps) {
		p.visits++;
		p.pairs++;
		ctl_reply(call, ctl_probe_json(&p), true);
	}
	p.done = true;
	if (!w->endless)
		ctl_reply(call, ctl_probe_json(&p), false);
	else
		w->held[w->n_held++] = call;
}

static void
explain(void *owner, struct ctl_call *call, const json_t *params)
{
	struct ctl_world *w = owner;
	const char *text = w->hostile ? "\x1b[31mevil\x07" : "memory: 40 % remote";
	const struct ctl_term terms[] = {
		{"waiting", 0, "waiting: none"}, {"memory", 31.25, text}};
	const struct ctl_candidate places[] = {
		{"8-11,40-43", "0", 31.25, terms, 2, w->hostile ? text : "L3 group 2"},
		{"0-31", "0-1", 43.5, terms, 2, w->hostile ? text : "costs 12 ns more"},
	};
	const struct ctl_decision history[] = {
		{1700000000000000, "100", "appeared", "from CPUs 0-63 to 0-7: one"},
		{1700000060000000, "100", "rebalance", text},
	};
	struct ctl_explain x = {.chosen = &places[0],
		.runner_up = &places[1],
		.rules = &text,
		.n_rules = 1,
		.better_if = &text,
		.n_better_if = 1,
		.history = history,
		.n_history = 2};
	const char *id = json_string_value(json_object_get(params, "id"));

	w->n_calls++;
	if (w->n_vms == 0) {
		ctl_error(call, "VMNotFound", json_pack("{s:s}", "id", id));
		return;
	}
	if (str_equal(id, "101")) {
		ctl_error(call, "NotManaged",
			json_pack("{s:s, s:s}", "id", id, "why",
				w->hostile ? text : "mode off"));
		return;
	}
	if (str_equal(id, "102")) /* all that may be missing is */
		x = (struct ctl_explain){.chosen = &places[0]};
	ctl_reply(call, ctl_explain_json(&x), false);
}

const struct ctl_method ctl_world_methods[CTL_WORLD_METHODS] = {
	{"Explain", false, explain},
	{"GetConfig", false, get_config},
	{"GetLatency", false, get_latency},
	{"GetMetrics", false, get_metrics},
	{"GetStatus", false, get_status},
	{"GetTopology", false, get_topology},
	{"ListVMs", false, list_vms},
	{"Monitor", false, monitor},
	{"Probe", true, probe},
	{"Release", true, release},
	{"Reload", true, reload},
	{"SetMode", true, set_mode},
};

// SPDX-License-Identifier: MIT
/*
 * The types of io.qmpin.varlink as JSON. Members in the order of the interface; a
 * nullable one without a value is null, so that every object has the same keys. Pure.
 */
#include "config.h"

#include "ctl/shapes.h"

#include <stdlib.h>

#include "base/checks.h"
#include "base/str.h"
#include "ctl/text.h"

json_t *
ctl_text_json(const char *text)
{
	json_t *value = text != NULL ? json_string(text) : json_null();

	if (value == NULL && text != NULL) { /* no UTF-8 */
		auto_free char *safe = str_escaped(text);

		value = json_string(safe);
	}
	return value;
}

static void
set_text(json_t *obj, const char *key, const char *text)
{
	json_object_set_new(obj, key, ctl_text_json(text));
}

static void
set_uint(json_t *obj, const char *key, uint64_t n)
{
	json_object_set_new(obj, key, json_integer((json_int_t)n));
}

/* Without a plan null. */
static void
set_planned(json_t *obj, const char *key, uint64_t n, bool planned)
{
	json_object_set_new(
		obj, key, planned ? json_integer((json_int_t)n) : json_null());
}

/* Negative is null. */
static void
set_index(json_t *obj, const char *key, int n)
{
	json_object_set_new(obj, key, n >= 0 ? json_integer(n) : json_null());
}

/* Negative is null, and so is what JSON cannot say: NaN and infinity. */
static void
set_real(json_t *obj, const char *key, double x)
{
	json_t *value = x >= 0 ? json_real(x) : NULL;

	json_object_set_new(obj, key, value != NULL ? value : json_null());
}

static json_t *
thread_json(const struct ctl_thread *t)
{
	json_t *obj = json_object();

	set_uint(obj, "tid", (uint64_t)t->tid);
	set_text(obj, "class", t->class);
	set_index(obj, "index", t->index);
	set_text(obj, "comm", t->comm);
	set_text(obj, "want", t->want);
	set_text(obj, "have", t->have);
	set_index(obj, "last", t->last);
	return obj;
}

static json_t *
threads_json(const struct ctl_thread *threads, size_t n)
{
	json_t *array;

	if (threads == NULL)
		return json_null();
	array = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, thread_json(&threads[i]));
	return array;
}

static json_t *
drifts_json(const struct ctl_drift *drifts, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *obj = json_object();

		set_text(obj, "kind", drifts[i].kind);
		set_uint(obj, "repairs", drifts[i].repairs);
		json_array_append_new(array, obj);
	}
	return array;
}

json_t *
ctl_vm_json(const struct ctl_vm *vm)
{
	json_t *obj = json_object();

	set_text(obj, "id", vm->id);
	set_index(obj, "vmid", vm->vmid);
	set_text(obj, "name", vm->name);
	set_uint(obj, "pid", (uint64_t)vm->pid);
	set_text(obj, "state", vm->state);
	set_text(obj, "mode", vm->mode);
	set_text(obj, "mode_origin", vm->mode_origin);
	set_text(obj, "share", vm->share);
	set_uint(obj, "vcpus", vm->vcpus);
	set_uint(obj, "vcpus_max", vm->vcpus_max);
	set_text(obj, "cpus", vm->cpus);
	set_text(obj, "nodes", vm->nodes);
	set_text(obj, "limit", vm->limit);
	set_real(obj, "memory_local_pct", vm->memory_local_pct);
	set_real(obj, "wait_pct", vm->wait_pct);
	set_uint(obj, "repairs", vm->repairs);
	json_object_set_new(obj, "drifts", drifts_json(vm->drifts, vm->n_drifts));
	json_object_set_new(obj, "last_move",
		vm->last_move_us > 0 ? json_integer((json_int_t)vm->last_move_us)
				     : json_null());
	set_text(obj, "last_cause", vm->last_cause);
	set_text(obj, "note", vm->note);
	json_object_set_new(obj, "threads", threads_json(vm->threads, vm->n_threads));
	set_text(obj, "domain", vm->domain);
	set_text(obj, "refused", vm->refused);
	return obj;
}

static json_t *
texts_json(const char *const *texts, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, ctl_text_json(texts[i]));
	return array;
}

static json_t *
turns_json(const struct ctl_turns *turns, size_t n)
{
	json_t *array;

	if (turns == NULL)
		return json_null();
	array = json_array();
	for (size_t i = 0; i < n; i++) {
		json_t *obj = json_object();

		set_real(obj, "up_to_ms", turns[i].up_to_ms);
		set_uint(obj, "count", turns[i].count);
		json_array_append_new(array, obj);
	}
	return array;
}

json_t *
ctl_status_json(const struct ctl_status *status)
{
	json_t *obj = json_object();

	set_text(obj, "version", status->version);
	set_uint(obj, "pid", (uint64_t)status->pid);
	set_uint(obj, "uptime_ms", status->uptime_ms);
	set_uint(obj, "vms", status->vms);
	set_uint(obj, "managed", status->managed);
	set_uint(obj, "threads", status->threads);
	json_object_set_new(obj, "dry_run", json_boolean(status->dry_run));
	set_text(obj, "latency", status->latency);
	json_object_set_new(obj, "last_pass_ms",
		json_real(status->last_pass_ms >= 0 ? status->last_pass_ms : 0.0));
	set_uint(obj, "passes", status->passes);
	set_uint(obj, "repairs", status->repairs);
	set_real(obj, "longest_turn_ms", status->longest_turn_ms);
	json_object_set_new(obj, "turns", turns_json(status->turns, status->n_turns));
	set_real(obj, "background_cpus", status->background_cpus);
	json_object_set_new(
		obj, "warnings", texts_json(status->warnings, status->n_warnings));
	return obj;
}

json_t *
ctl_probe_json(const struct ctl_probe *probe)
{
	json_t *obj = json_object();

	json_object_set_new(obj, "done", json_boolean(probe->done));
	set_uint(obj, "pairs", probe->pairs);
	set_uint(obj, "pairs_total", probe->pairs_total);
	set_planned(obj, "visits", probe->visits, probe->visits_total > 0);
	set_planned(obj, "visits_total", probe->visits_total, probe->visits_total > 0);
	set_text(obj, "text", probe->text != NULL ? probe->text : "");
	return obj;
}

json_t *
ctl_setting_json(const struct ctl_setting *setting)
{
	json_t *obj = json_object();

	set_text(obj, "key", setting->key);
	set_text(obj, "value", setting->value);
	set_text(obj, "origin", setting->origin);
	set_text(obj, "text", setting->text);
	return obj;
}

/* What JSON cannot say (NaN, infinity) is 0. */
static json_t *
ns_json(double ns)
{
	json_t *value = json_real(ns);

	return value != NULL ? value : json_real(0);
}

static json_t *
candidate_json(const struct ctl_candidate *c)
{
	json_t *obj = json_object();
	json_t *terms = json_array();

	for (size_t i = 0; i < c->n_terms; i++) {
		json_t *term = json_object();

		set_text(term, "name", c->terms[i].name);
		json_object_set_new(term, "ns", ns_json(c->terms[i].ns));
		set_text(term, "text", c->terms[i].text);
		json_array_append_new(terms, term);
	}
	set_text(obj, "cpus", c->cpus);
	set_text(obj, "nodes", c->nodes);
	json_object_set_new(obj, "total_ns", ns_json(c->total_ns));
	json_object_set_new(obj, "terms", terms);
	set_text(obj, "verdict", c->verdict);
	return obj;
}

/* The reply of Doctor. */
json_t *
ctl_checks_json(const struct checks *checks)
{
	json_t *list = json_array();

	for (size_t i = 0; i < checks->n; i++) {
		const struct check *c = &checks->list[i];
		json_t *obj = json_object();

		set_text(obj, "name", c->name);
		set_text(obj, "level", checks_level_name(c->level));
		set_text(obj, "text", c->text);
		set_text(obj, "advice", c->advice);
		json_array_append_new(list, obj);
	}
	return json_pack("{s:o}", "checks", list);
}

json_t *
ctl_move_json(const struct ctl_move *m)
{
	json_t *obj = json_object();

	set_text(obj, "id", m->id);
	set_text(obj, "thread_class", m->class);
	set_index(obj, "index", m->index);
	set_uint(obj, "tid", (uint64_t)m->tid);
	set_text(obj, "from", m->from);
	set_text(obj, "to", m->to);
	set_text(obj, "cause", m->cause);
	set_text(obj, "reason", m->reason);
	return obj;
}

/* Steals @moves. */
json_t *
ctl_decision_json(const struct ctl_decision *d, json_t *moves)
{
	json_t *obj = json_object();

	set_uint(obj, "time", d->time_us);
	set_text(obj, "id", d->id);
	set_text(obj, "cause", d->cause);
	set_text(obj, "text", d->text);
	json_object_set_new(obj, "moves", moves);
	return obj;
}

json_t *
ctl_explain_json(const struct ctl_explain *x)
{
	json_t *obj = json_object();
	json_t *history = json_array();

	for (size_t i = 0; i < x->n_history; i++)
		json_array_append_new(
			history, ctl_decision_json(&x->history[i], json_array()));
	json_object_set_new(obj, "chosen", candidate_json(x->chosen));
	json_object_set_new(obj, "runner_up",
		x->runner_up != NULL ? candidate_json(x->runner_up) : json_null());
	json_object_set_new(obj, "rules", texts_json(x->rules, x->n_rules));
	json_object_set_new(obj, "better_if", texts_json(x->better_if, x->n_better_if));
	json_object_set_new(obj, "history", history);
	return obj;
}

const char *
ctl_interface_text(void)
{
	return text_io_qmpin;
}

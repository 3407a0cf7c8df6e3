// SPDX-License-Identifier: MIT
/*
 * Each metric in one piece: HELP, TYPE, then its samples. Names have base units;
 * counters, and nothing else, end in _total. What is unknown has no sample: 0 would be
 * a value.
 */
#include "config.h"

#include "ctl/metrics.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "ctl/utf8.h"

/* Of a label's value in bytes, before it is escaped. */
#define LABEL_MAX 200u

/* Most names are made of these alone. */
#define USUAL                                                  \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789-_."

static void
begin(struct strbuf *b, const char *name, const char *type, const char *help)
{
	strbuf_addf(
		b, "# HELP qmpin_%s %s\n# TYPE qmpin_%s %s\n", name, help, name, type);
}

/* Enough digits for microseconds of a time since 1970; most values are whole, and there
 * are thousands of them. */
static void
add_value(struct strbuf *b, double value)
{
	char text[32];

	if (value >= 0 && value < 1e9 && value == (double)(unsigned int)value)
		(void)snprintf(text, sizeof(text), " %u\n", (unsigned int)value);
	else
		(void)snprintf(text, sizeof(text), " %.16g\n", value);
	strbuf_adds(b, text);
}

static void
add_one(struct strbuf *b, const char *name, const char *type, const char *help,
	double value)
{
	begin(b, name, type, help);
	strbuf_addf(b, "qmpin_%s", name);
	add_value(b, value);
}

static void
gauge(struct strbuf *b, const char *name, const char *help, double value)
{
	add_one(b, name, "gauge", help, value);
}

static void
counter(struct strbuf *b, const char *name, const char *help, uint64_t n)
{
	add_one(b, name, "counter", help, (double)n);
}

/* In quotes. What is not plain text is told as \xNN, byte by byte: the text must stay
 * UTF-8, and may be read on a terminal. */
static void
add_quoted(struct strbuf *b, const char *text)
{
	const char *end = text + LABEL_MAX;

	strbuf_adds(b, "\"");
	while (*text != '\0' && text < end) {
		size_t len = strspn(text, USUAL);
		uint32_t c;

		if (len > 0) {
			len = len < (size_t)(end - text) ? len : (size_t)(end - text);
			strbuf_add(b, text, len);
			text += len;
			continue;
		}
		len = utf8_decode(text, &c);

		if (len == 0 || !utf8_is_plain(c)) {
			strbuf_addf(b, "\\\\x%02x", (unsigned int)(unsigned char)*text);
			text++;
			continue;
		}
		if (c == '"' || c == '\\')
			strbuf_adds(b, "\\");
		strbuf_add(b, text, len);
		text += len;
	}
	strbuf_adds(b, "\"");
}

static void
add_counts(struct strbuf *b, const char *name, const char *label,
	const struct metrics_counts *counts)
{
	for (size_t i = 0; i < counts->n; i++) {
		strbuf_addf(b, "qmpin_%s{%s=", name, label);
		add_quoted(b, counts->items[i].label);
		strbuf_adds(b, "}");
		add_value(b, (double)counts->items[i].n);
	}
}

static void
add_daemon(struct strbuf *b, const struct metrics *m)
{
	begin(b, "build_info", "gauge", "The version of qmpind.");
	strbuf_adds(b, "qmpin_build_info{version=");
	add_quoted(b, m->version);
	strbuf_adds(b, "} 1\n");
	gauge(b, "start_time_seconds", "When qmpind started, in seconds since 1970.",
		m->started_s);
	gauge(b, "dry_run", "1: qmpind changes nothing.", m->dry_run);
	gauge(b, "config_ok", "0: the last reload was refused, older settings hold.",
		m->config_ok);
	gauge(b, "guard_up", "0: no guard runs, monitors are only visited briefly.",
		m->guard);
	gauge(b, "warnings", "Warnings that qmpin status shows.", m->warnings);
}

static void
add_vms(struct strbuf *b, const struct metrics *m)
{
	gauge(b, "vms", "VMs that qmpind sees.", (double)m->n_vms);
	gauge(b, "vms_managed", "VMs that qmpind has placed.", m->managed);
	begin(b, "vms_by_state", "gauge", "VMs by the state of their monitor.");
	add_counts(b, "vms_by_state", "state", &m->states);
	begin(b, "vms_by_mode", "gauge", "VMs by mode.");
	add_counts(b, "vms_by_mode", "mode", &m->modes);
	begin(b, "vms_by_share", "gauge", "VMs by the way their monitor is shared.");
	add_counts(b, "vms_by_share", "share", &m->shares);
	gauge(b, "vms_troubled", "VMs of which something failed that is not over.",
		m->troubled);
	gauge(b, "vms_left_alone",
		"VMs left alone since somebody else keeps changing their masks.",
		m->left_alone);
	gauge(b, "vms_widened", "VMs that got more CPUs since their vCPUs waited.",
		m->widened);
	gauge(b, "threads", "Threads of VMs.", m->threads);
}

static void
add_work(struct strbuf *b, const struct metrics *m)
{
	begin(b, "pass_duration_seconds", "summary",
		"How long passes took, from first look to last mask.");
	strbuf_adds(b, "qmpin_pass_duration_seconds_sum");
	add_value(b, m->passes_s);
	strbuf_adds(b, "qmpin_pass_duration_seconds_count");
	add_value(b, (double)m->passes);
	gauge(b, "last_pass_duration_seconds", "How long the last pass took.",
		m->last_pass_s);
	counter(b, "masks_set_total", "CPU masks set.", m->masks_set);
	counter(b, "masks_failed_total", "CPU masks that could not be set.",
		m->masks_failed);
	counter(b, "masks_reverted_total",
		"Masks put back since the thread id was another thread's.",
		m->masks_reverted);
	counter(b, "repairs_total", "Masks put right that somebody else had changed.",
		m->repairs);
	begin(b, "drifts_total", "counter",
		"Times that masks of a VM were put right, by what the change looked like.");
	add_counts(b, "drifts_total", "kind", &m->drifts);
	counter(b, "rebalanced_total", "VMs moved for a gain.", m->rebalanced);
}

static void
add_turns(struct strbuf *b, const struct metrics *m)
{
	uint64_t n = 0;

	begin(b, "turn_seconds", "histogram",
		"CPU time for which qmpind was busy without a pause.");
	for (size_t i = 0; i < m->n_turns; i++) {
		double up_to_s = m->turns[i].up_to_s;

		n += m->turns[i].n;
		if (up_to_s >= 0)
			strbuf_addf(b, "qmpin_turn_seconds_bucket{le=\"%g\"}", up_to_s);
		else
			strbuf_adds(b, "qmpin_turn_seconds_bucket{le=\"+Inf\"}");
		add_value(b, (double)n);
	}
	strbuf_adds(b, "qmpin_turn_seconds_sum");
	add_value(b, m->turns_s);
	strbuf_adds(b, "qmpin_turn_seconds_count");
	add_value(b, (double)n);
}

static void
add_monitors(struct strbuf *b, const struct metrics *m)
{
	begin(b, "monitor_yield_seconds", "summary",
		"How long others waited for a monitor until qmpind had left it to them.");
	strbuf_adds(b, "qmpin_monitor_yield_seconds_sum");
	add_value(b, m->yields_s);
	strbuf_adds(b, "qmpin_monitor_yield_seconds_count");
	add_value(b, (double)m->yields);
	add_turns(b, m);
}

static void
add_host(struct strbuf *b, const struct metrics *m)
{
	if (m->background_cpus >= 0)
		gauge(b, "background_cpus", "CPUs in use by others than placed VMs.",
			m->background_cpus);
	begin(b, "latency_state", "gauge",
		"1 for where the latencies between CPUs come from.");
	for (size_t i = 0; i < m->n_latencies; i++) {
		strbuf_adds(b, "qmpin_latency_state{state=");
		add_quoted(b, m->latencies[i]);
		strbuf_addf(b, "} %d\n", str_equal(m->latencies[i], m->latency));
	}
	gauge(b, "latency_trust_ratio",
		"How far placement goes by what was measured; 0: not at all.",
		m->latency_trust);
	gauge(b, "latency_pairs", "Pairs of CPUs.", m->pairs_total);
	gauge(b, "latency_pairs_measured", "Pairs of CPUs that were measured.",
		m->pairs);
	if (m->measured_s > 0)
		gauge(b, "latency_measured_timestamp_seconds",
			"When a latency was measured last, in seconds since 1970.",
			m->measured_s);
}

/* One value of each VM; negative: unknown. */
static double
vm_managed(const struct metrics_vm *vm)
{
	return vm->managed;
}

static double
vm_vcpus(const struct metrics_vm *vm)
{
	return vm->vcpus;
}

static double
vm_wait(const struct metrics_vm *vm)
{
	return vm->wait_ratio;
}

static double
vm_local(const struct metrics_vm *vm)
{
	return vm->memory_local_ratio;
}

static double
vm_repairs(const struct metrics_vm *vm)
{
	return vm->repairs;
}

static void
add_info(struct strbuf *b, const struct metrics_vm *vm)
{
	strbuf_adds(b, "qmpin_vm_info{vm=");
	add_quoted(b, vm->id);
	strbuf_adds(b, ",name=");
	add_quoted(b, vm->name != NULL ? vm->name : "");
	strbuf_adds(b, ",mode=");
	add_quoted(b, vm->mode);
	strbuf_adds(b, "} 1\n");
}

static void
add_each(struct strbuf *b, const struct metrics *m)
{
	static const struct {
		const char *name;
		const char *type;
		const char *help;
		double (*value)(const struct metrics_vm *vm);
	} each[] = {
		{"vm_managed", "gauge", "1: qmpind has placed the VM.", vm_managed},
		{"vm_vcpus", "gauge", "vCPUs that are plugged.", vm_vcpus},
		{"vm_wait_ratio", "gauge",
			"Share of its runnable time for which the VM waited for a CPU.",
			vm_wait},
		{"vm_memory_local_ratio", "gauge",
			"Share of the VM's memory on the nodes of its CPUs.", vm_local},
		{"vm_repairs_total", "counter",
			"Masks of the VM put right that somebody else had changed.",
			vm_repairs},
	};

	begin(b, "vm_info", "gauge", "A VM, its name and its mode.");
	for (size_t i = 0; i < m->n_vms; i++)
		add_info(b, &m->vms[i]);
	for (size_t k = 0; k < ARRAY_LEN(each); k++) {
		begin(b, each[k].name, each[k].type, each[k].help);
		for (size_t i = 0; i < m->n_vms; i++) {
			double value = each[k].value(&m->vms[i]);

			if (!(value >= 0))
				continue;
			strbuf_adds(b, "qmpin_");
			strbuf_adds(b, each[k].name);
			strbuf_adds(b, "{vm=");
			add_quoted(b, m->vms[i].id);
			strbuf_adds(b, "}");
			add_value(b, value);
		}
	}
}

char *
metrics_text(const struct metrics *m)
{
	struct strbuf b = {0};

	add_daemon(&b, m);
	add_vms(&b, m);
	add_work(&b, m);
	add_monitors(&b, m);
	add_host(&b, m);
	add_each(&b, m);
	return strbuf_take(&b);
}

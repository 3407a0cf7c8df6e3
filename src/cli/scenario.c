// SPDX-License-Identifier: MIT
/*
 * One table of keys drives the reading of all events: which event has it, whether it is
 * needed, what it is. What a VM's numbers mean for the host is replay's and the
 * planner's business; here a value has the right type and fits its member, or the whole
 * line is refused.
 */
#include "config.h"

#include "cli/scenario.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"

/* A line with all vCPUs of the largest VM in its guest nodes fits. */
static const struct json_caps caps = {
	.bytes = SCENARIO_LINE_MAX, .depth = 4, .values = 20000};

static const char *const kind_names[] = {
	[REPLAY_HOST] = "host",
	[REPLAY_START] = "start",
	[REPLAY_HOTPLUG] = "hotplug",
	[REPLAY_STOP] = "stop",
	[REPLAY_CPU_OFFLINE] = "cpu_offline",
	[REPLAY_CPU_ONLINE] = "cpu_online",
};

_Static_assert(ARRAY_LEN(kind_names) == REPLAY_N_KINDS, "each kind has a name");

/* A line being read. */
struct line {
	const struct scenario *s;
	struct replay_event *ev;
	const char *key; /* NULL: none yet */
	struct err *e;
};

/* ---- errors ---- */

static int fail(const struct line *l, int r, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* "FILE:17: vm 100: "vcpus" ...". */
static int
fail(const struct line *l, int r, const char *fmt, ...)
{
	char text[sizeof(l->e->text)];
	bool vm = l->ev != NULL && l->ev->id[0] != '\0';
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(l->e, r, l->s->name, l->s->line, "%s%s%s%s%s%s%s",
		vm ? "vm " : "", vm ? l->ev->id : "", vm ? ": " : "",
		l->key != NULL ? "\"" : "", l->key != NULL ? l->key : "",
		l->key != NULL ? "\" " : "", text);
}

/* The value as it stands there, cut; and what would be right. */
static int
refuse(const struct line *l, int r, const json_t *v, const char *wanted)
{
	auto_free char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	size_t len = text != NULL ? strlen(text) : 0;

	return fail(l, r, "%.40s%s is not %s", text != NULL ? text : "",
		len > 40 ? "..." : "", wanted);
}

/* ---- values ---- */

static int
read_uint(const struct line *l, const json_t *v, unsigned int min, unsigned int max,
	unsigned int *out)
{
	json_int_t n = json_integer_value(v);
	char wanted[48];

	(void)snprintf(wanted, sizeof(wanted), "a number from %u to %u%s", min, max,
		json_is_real(v) ? ", in digits only" : "");
	if (!json_is_integer(v))
		return refuse(l, -EINVAL, v, wanted);
	if (n < (json_int_t)min || n > (json_int_t)max)
		return refuse(l, -ERANGE, v, wanted);
	*out = (unsigned int)n;
	return 0;
}

static int
read_real(const struct line *l, const json_t *v, double max, double *out)
{
	double n = json_number_value(v);
	char wanted[48];

	(void)snprintf(wanted, sizeof(wanted), "a number from 0 to %.0f", max);
	if (!json_is_number(v))
		return refuse(l, -EINVAL, v, wanted);
	if (!(n >= 0 && n <= max))
		return refuse(l, -ERANGE, v, wanted);
	*out = n;
	return 0;
}

static int
read_flag(const struct line *l, const json_t *v, bool *out)
{
	if (!json_is_boolean(v) && (!json_is_integer(v) || json_integer_value(v) < 0 ||
					   json_integer_value(v) > 1))
		return refuse(l, -EINVAL, v, "0 or 1");
	*out = json_is_true(v) || json_integer_value(v) == 1;
	return 0;
}

/* The value of a word, or -EINVAL. */
static int
read_word(const struct line *l, const json_t *v, int (*parse)(const char *),
	const char *words)
{
	int value = json_is_string(v) ? parse(json_string_value(v)) : -1;

	return value >= 0 ? value : refuse(l, -EINVAL, v, words);
}

/* Numbers below @cap. */
static int
read_set(const struct line *l, const json_t *v, unsigned int cap, struct cpuset *out)
{
	struct cpuset set = CPUSET_NONE;

	if (!json_is_array(v))
		return refuse(l, -EINVAL, v, "a list of numbers");
	for (size_t i = 0; i < json_array_size(v); i++) {
		unsigned int n = 0;
		int r = read_uint(l, json_array_get(v, i), 0, cap - 1, &n);

		if (r == 0 && cpuset_has(&set, n))
			r = fail(l, -ERANGE, "has %u twice", n);
		if (r < 0)
			return r;
		cpuset_add(&set, n);
	}
	*out = set;
	return 0;
}

/* A list of lists, one for each guest node; null is an empty one. */
static int
read_sets(const struct line *l, const json_t *v, unsigned int cap, struct cpuset **out,
	unsigned int *n)
{
	size_t size = json_array_size(v);
	auto_free struct cpuset *sets = NULL;

	if (!json_is_array(v))
		return refuse(l, -EINVAL, v, "a list with a list for each guest node");
	if (size > SCENARIO_GUEST_NODES_MAX)
		return fail(l, -ERANGE, "has %zu guest nodes, at most %u can be", size,
			SCENARIO_GUEST_NODES_MAX);
	sets = xcalloc(size, sizeof(*sets));
	for (size_t i = 0; i < size; i++) {
		const json_t *one = json_array_get(v, i);
		int r = json_is_null(one) ? 0 : read_set(l, one, cap, &sets[i]);

		if (r < 0)
			return r;
	}
	*n = (unsigned int)size;
	*out = size > 0 ? take_ptr(&sets) : NULL;
	return 0;
}

/* {"0": 12.5}: numbers below @cap with values up to @max. */
static int
read_amounts(const struct line *l, json_t *v, unsigned int cap, double max,
	struct replay_amount **out, unsigned int *n)
{
	auto_free struct replay_amount *amounts = NULL;
	unsigned int at = 0;

	if (!json_is_object(v))
		return refuse(l, -EINVAL, v, "an object such as {\"0\":0.5}");
	amounts = xcalloc(json_object_size(v), sizeof(*amounts));
	for (void *i = json_object_iter(v); i != NULL;
		i = json_object_iter_next(v, i)) {
		const char *name = json_object_iter_key(i);
		uint64_t id;
		int r = str_parse_uint(name, cap - 1, &id);

		if (r < 0)
			return fail(l, r,
				"has \"%.20s\", which is not a number from 0"
				" to %u",
				name, cap - 1);
		r = read_real(l, json_object_iter_value(i), max, &amounts[at].value);
		if (r < 0)
			return r;
		for (unsigned int k = 0; k < at; k++) {
			if (amounts[k].id == id)
				return fail(l, -ERANGE, "has %u twice", amounts[k].id);
		}
		amounts[at++].id = (unsigned int)id;
	}
	*n = at;
	*out = take_ptr(&amounts);
	return 0;
}

/* ---- keys ---- */

/* A number, as on Proxmox, or a name. */
static int
on_key_vm(const struct line *l, json_t *v)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const char *name = json_string_value(v);

	if (json_is_integer(v) && json_integer_value(v) >= 0) {
		(void)snprintf(l->ev->id, sizeof(l->ev->id), "%" JSON_INTEGER_FORMAT,
			json_integer_value(v));
		return 0;
	}
	if (name == NULL || *name == '\0' || strlen(name) >= sizeof(l->ev->id) ||
		strspn(name, allowed) != strlen(name))
		return refuse(l, -EINVAL, v,
			"the id of a VM (a number, or letters, digits, . _ -)");
	str_copy(l->ev->id, sizeof(l->ev->id), name);
	return 0;
}

static int
on_key_t(const struct line *l, json_t *v)
{
	if (!json_is_number(v))
		return refuse(l, -EINVAL, v, "a number of seconds");
	if (fabs(json_number_value(v)) > 1e12)
		return refuse(l, -ERANGE, v, "a number of seconds of this age");
	l->ev->t_s = json_number_value(v);
	return 0;
}

static int
on_key_cpu(const struct line *l, json_t *v)
{
	return read_uint(l, v, 0, CPUSET_CAP - 1, &l->ev->cpu);
}

static int
on_key_free(const struct line *l, json_t *v)
{
	return read_amounts(
		l, v, TOPO_NODE_ID_CAP, SCENARIO_GIB_MAX, &l->ev->free, &l->ev->n_free);
}

static int
on_key_background(const struct line *l, json_t *v)
{
	return read_amounts(
		l, v, CPUSET_CAP, 1, &l->ev->background, &l->ev->n_background);
}

static int
on_key_vcpus(const struct line *l, json_t *v)
{
	return read_uint(l, v, 1, PLAN_VCPUS_MAX,
		l->ev->kind == REPLAY_START ? &l->ev->start.n_vcpus : &l->ev->n_vcpus);
}

static int
on_key_maxvcpus(const struct line *l, json_t *v)
{
	return read_uint(l, v, 1, PLAN_VCPUS_MAX, &l->ev->start.max_vcpus);
}

static int
on_key_tpc(const struct line *l, json_t *v)
{
	return read_uint(l, v, 1, PLAN_VCPUS_MAX, &l->ev->start.threads_per_core);
}

static int
on_key_numa(const struct line *l, json_t *v)
{
	return read_flag(l, v, &l->ev->start.numa);
}

static int
on_key_vnuma(const struct line *l, json_t *v)
{
	for (size_t i = 0; i < json_array_size(v); i++) {
		const json_t *one = json_array_get(v, i);

		if (json_is_null(one)) /* right for hostnodes only */
			return refuse(l, -EINVAL, one, "a list of numbers");
	}
	return read_sets(l, v, CPUSET_CAP, &l->ev->start.guest_vcpus,
		&l->ev->start.n_guest_nodes);
}

/* After vnuma. Without that there is one guest node. */
static int
on_key_hostnodes(const struct line *l, json_t *v)
{
	struct replay_start *start = &l->ev->start;
	unsigned int n = 0;
	int r = read_sets(l, v, TOPO_NODE_ID_CAP, &start->host_nodes, &n);

	if (r < 0)
		return r;
	if (n > 0 && start->n_guest_nodes == 0) {
		start->n_guest_nodes = 1;
		start->guest_vcpus = xcalloc(1, sizeof(*start->guest_vcpus));
	}
	if (n > 0 && n != start->n_guest_nodes)
		return fail(l, -ERANGE, "has %u guest node%s, \"vnuma\" has %u", n,
			n == 1 ? "" : "s", start->n_guest_nodes);
	return 0;
}

static int
on_key_memory(const struct line *l, json_t *v)
{
	return read_real(l, v, SCENARIO_GIB_MAX, &l->ev->start.memory_gib);
}

static int
on_key_affinity(const struct line *l, json_t *v)
{
	struct replay_start *start = &l->ev->start;
	const char *text = json_string_value(v);
	int r = -EINVAL;

	/* a newline at its end is for files of the kernel */
	if (text != NULL && strchr(text, '\n') == NULL)
		r = cpuset_parse(text, &start->affinity);

	if (r < 0)
		return refuse(l, r, v,
			r == -ERANGE ? "within the CPU numbers there are (0 to 2047)"
				     : "a list of CPUs such as \"0-3,8\"");
	start->has_affinity = true;
	return 0;
}

static int
on_key_mode(const struct line *l, json_t *v)
{
	int word = read_word(l, v, place_mode_parse,
		"off, observe, auto, float, core, pin or dedicated");

	if (word < 0)
		return word;
	l->ev->start.mode = (enum place_mode)word;
	l->ev->start.has_mode = true;
	return 0;
}

static int
on_key_smt(const struct line *l, json_t *v)
{
	int word = read_word(l, v, place_smt_parse, "share, avoid or isolate");

	if (word < 0)
		return word;
	l->ev->start.smt = (enum place_smt)word;
	l->ev->start.has_smt = true;
	return 0;
}

static int
on_key_emulator(const struct line *l, json_t *v)
{
	int word = read_word(l, v, place_emulator_parse, "float, follow or isolate");

	if (word < 0)
		return word;
	l->ev->start.emulator = (enum place_emulator)word;
	l->ev->start.has_emulator = true;
	return 0;
}

static int
on_key_memnodes(const struct line *l, json_t *v)
{
	return read_amounts(l, v, TOPO_NODE_ID_CAP, SCENARIO_GIB_MAX,
		&l->ev->start.resident, &l->ev->start.n_resident);
}

static int
on_key_pci(const struct line *l, json_t *v)
{
	return read_set(l, v, TOPO_NODE_ID_CAP, &l->ev->start.pci_nodes);
}

static int
on_key_weight(const struct line *l, json_t *v)
{
	return read_real(l, v, PLAN_VCPUS_MAX, &l->ev->start.weight);
}

static int
on_key_cpulimit(const struct line *l, json_t *v)
{
	return read_real(l, v, PLAN_VCPUS_MAX, &l->ev->start.cpulimit);
}

#define BIT(kind) (1u << (kind))
#define OF_VM (BIT(REPLAY_START) | BIT(REPLAY_HOTPLUG) | BIT(REPLAY_STOP))
#define OF_CPU (BIT(REPLAY_CPU_OFFLINE) | BIT(REPLAY_CPU_ONLINE))
#define OF_ALL (BIT(REPLAY_N_KINDS) - 1)

/* Read in this order: the VM first, for the messages. */
static const struct key {
	const char *name;
	unsigned int kinds;  /* that may have it */
	unsigned int needed; /* kinds that must */
	int (*read)(const struct line *l, json_t *v);
} keys[] = {
	{"vm", OF_VM, OF_VM, on_key_vm},
	{"t", OF_ALL, 0, on_key_t},
	{"cpu", OF_CPU, OF_CPU, on_key_cpu},
	{"node_free_gib", BIT(REPLAY_HOST), 0, on_key_free},
	{"background", BIT(REPLAY_HOST), 0, on_key_background},
	{"vcpus", BIT(REPLAY_START) | BIT(REPLAY_HOTPLUG),
		BIT(REPLAY_START) | BIT(REPLAY_HOTPLUG), on_key_vcpus},
	{"maxvcpus", BIT(REPLAY_START), 0, on_key_maxvcpus},
	{"tpc", BIT(REPLAY_START), 0, on_key_tpc},
	{"numa", BIT(REPLAY_START), 0, on_key_numa},
	{"vnuma", BIT(REPLAY_START), 0, on_key_vnuma},
	{"hostnodes", BIT(REPLAY_START), 0, on_key_hostnodes},
	{"mem_gib", BIT(REPLAY_START), 0, on_key_memory},
	{"affinity", BIT(REPLAY_START), 0, on_key_affinity},
	{"mode", BIT(REPLAY_START), 0, on_key_mode},
	{"smt", BIT(REPLAY_START), 0, on_key_smt},
	{"emulator", BIT(REPLAY_START), 0, on_key_emulator},
	{"memnodes", BIT(REPLAY_START), 0, on_key_memnodes},
	{"pci_nodes", BIT(REPLAY_START), 0, on_key_pci},
	{"weight", BIT(REPLAY_START), 0, on_key_weight},
	{"cpulimit", BIT(REPLAY_START), 0, on_key_cpulimit},
};

/* ---- a line ---- */

static int
read_kind(struct line *l, const json_t *obj, enum replay_kind *out)
{
	const json_t *v = json_object_get(obj, "ev");

	l->key = "ev";
	if (v == NULL)
		return fail(l, -EINVAL, "is missing");
	for (unsigned int k = 0; k < REPLAY_N_KINDS; k++) {
		if (str_equal(kind_names[k], json_string_value(v))) {
			*out = (enum replay_kind)k;
			return 0;
		}
	}
	return refuse(
		l, -EINVAL, v, "host, start, hotplug, stop, cpu_offline or cpu_online");
}

static bool
is_known(const char *name, enum replay_kind kind)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].name, name) == 0)
			return (keys[i].kinds & BIT(kind)) != 0;
	}
	return strcmp(name, "ev") == 0;
}

static void
note_unknown(struct scenario *s, const char *name)
{
	struct scenario_unknown u = {.line = s->line};

	str_copy(u.key, sizeof(u.key), name);
	for (unsigned int i = 0; i < s->n_unknown; i++) {
		if (strcmp(s->unknown[i].key, u.key) == 0)
			return;
	}
	if (s->n_unknown < SCENARIO_UNKNOWN_MAX)
		s->unknown[s->n_unknown++] = u;
}

static int
read_keys(struct line *l, const json_t *obj)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		json_t *v = json_object_get(obj, keys[i].name);
		bool given = v != NULL && !json_is_null(v);
		int r = 0;

		l->key = keys[i].name;
		if (given && (keys[i].kinds & BIT(l->ev->kind)) != 0)
			r = keys[i].read(l, v);
		else if (!given && (keys[i].needed & BIT(l->ev->kind)) != 0)
			r = fail(l, -EINVAL, "is missing");
		if (r < 0)
			return r;
	}
	return 0;
}

/* What follows from others where it was not given. */
static int
complete(struct line *l)
{
	struct replay_start *start = &l->ev->start;

	if (l->ev->kind != REPLAY_START)
		return 0;
	if (start->max_vcpus == 0)
		start->max_vcpus = start->n_vcpus;
	if (start->threads_per_core == 0)
		start->threads_per_core = 1;
	l->key = "maxvcpus";
	if (start->max_vcpus < start->n_vcpus)
		return fail(l, -ERANGE, "%u is less than \"vcpus\" %u",
			start->max_vcpus, start->n_vcpus);
	l->key = "weight";
	if (start->weight > start->max_vcpus)
		return fail(l, -ERANGE, "%.6g is more than the %u vCPUs it can have",
			start->weight, start->max_vcpus);
	return 0;
}

static int
read_event(struct scenario *s, json_t *obj, struct replay_event *ev, struct err *e)
{
	struct line l = {.s = s, .ev = ev, .e = e};
	int r = read_kind(&l, obj, &ev->kind);

	if (r < 0)
		return r;
	for (void *i = json_object_iter(obj); i != NULL;
		i = json_object_iter_next(obj, i)) {
		if (!is_known(json_object_iter_key(i), ev->kind))
			note_unknown(s, json_object_iter_key(i));
	}
	r = read_keys(&l, obj);
	return r < 0 ? r : complete(&l);
}

struct scenario
scenario_new(const char *name)
{
	return (struct scenario){.name = name};
}

static bool
is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (strchr(" \t\r", text[i]) == NULL || text[i] == '\0')
			return false;
	}
	return true;
}

int
scenario_read(struct scenario *s, const char *text, size_t len,
	struct replay_event *out, struct err *e)
{
	struct replay_event ev = {.t_s = NAN};
	struct err why = ERR_NONE;
	auto_json json_t *obj = NULL;
	int r;

	s->line++;
	if (is_blank(text, len))
		return 0;
	r = json_parse_object(text, len, &caps, &obj, &why);
	if (r < 0)
		return err_set(e, r, s->name, s->line, "%s", why.text);
	r = read_event(s, obj, &ev, e);
	if (r < 0) {
		replay_event_fini(&ev);
		return r;
	}
	*out = ev;
	return 1;
}

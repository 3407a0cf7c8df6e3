// SPDX-License-Identifier: MIT
/* Scenarios as JSON Lines, in the form that "qmpin plan" reads. */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/str.h"
#include "scenario.h"

static json_t *
list(const struct cpuset *set)
{
	json_t *array = json_array();

	cpuset_foreach (id, set)
		(void)json_array_append_new(array, json_integer(id));
	return array;
}

static json_t *
lists(const struct cpuset *sets, unsigned int n)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < n; i++)
		(void)json_array_append_new(array, list(&sets[i]));
	return array;
}

/* Whole numbers are written as such. */
static json_t *
number(double x)
{
	if (x == (double)(json_int_t)x)
		return json_integer((json_int_t)x);
	return json_real(x);
}

static void
add_start(json_t *line, const struct replay_start *s)
{
	char text[CPUSET_TEXT_MAX];

	(void)json_object_set_new(line, "vcpus", json_integer(s->n_vcpus));
	(void)json_object_set_new(line, "maxvcpus", json_integer(s->max_vcpus));
	(void)json_object_set_new(line, "tpc", json_integer(s->threads_per_core));
	(void)json_object_set_new(line, "vnuma",
		s->n_guest_nodes > 0 ? lists(s->guest_vcpus, s->n_guest_nodes)
				     : json_null());
	(void)json_object_set_new(line, "numa", json_integer(s->numa ? 1 : 0));
	(void)json_object_set_new(line, "mem_gib", number(s->memory_gib));
	(void)json_object_set_new(line, "affinity",
		s->has_affinity
			? json_string(cpuset_format(&s->affinity, text, sizeof(text)))
			: json_null());
	if (s->host_nodes != NULL)
		(void)json_object_set_new(
			line, "hostnodes", lists(s->host_nodes, s->n_guest_nodes));
	if (s->n_resident > 0) {
		json_t *nodes = json_object();

		for (unsigned int i = 0; i < s->n_resident; i++) {
			(void)snprintf(text, sizeof(text), "%u", s->resident[i].id);
			(void)json_object_set_new(
				nodes, text, number(s->resident[i].value));
		}
		(void)json_object_set_new(line, "memnodes", nodes);
	}
}

static json_t *
line_of(const struct replay_event *e)
{
	static const char *const names[REPLAY_N_KINDS] = {
		"host", "start", "hotplug", "stop", "cpu_offline", "cpu_online"};
	json_t *line = json_object();
	uint64_t vmid = 0;

	(void)json_object_set_new(line, "ev", json_string(names[e->kind]));
	if (e->kind == REPLAY_CPU_OFFLINE || e->kind == REPLAY_CPU_ONLINE) {
		(void)json_object_set_new(line, "cpu", json_integer(e->cpu));
		return line;
	}
	/* ids are numbers here */
	if (str_parse_uint(e->id, UINT32_MAX, &vmid) < 0)
		abort();
	(void)json_object_set_new(line, "vm", json_integer((json_int_t)vmid));
	if (e->kind == REPLAY_START)
		add_start(line, &e->start);
	else if (e->kind == REPLAY_HOTPLUG)
		(void)json_object_set_new(line, "vcpus", json_integer(e->n_vcpus));
	return line;
}

void
scenario_print(const struct scenario *s, FILE *out)
{
	for (unsigned int i = 0; i < s->n; i++) {
		auto_json json_t *line = line_of(&s->events[i]);

		(void)json_object_set_new(line, "t", number(s->events[i].t_s));
		(void)json_dumpf(line, out, JSON_COMPACT);
		(void)fputc('\n', out);
	}
}

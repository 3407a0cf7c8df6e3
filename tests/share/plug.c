// SPDX-License-Identifier: MIT
/*
 * Plugs the first free slot. Errors of the human monitor come back as text of a
 * successful reply.
 */
#include "config.h"

#include "plug.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"

/* Between two looks: the resolution of what is measured. */
#define LOOK_US 200u
#define SHOWN_WITHIN_US 5000000u

struct slot {
	char type[64];
	json_int_t socket;
	json_int_t core;
	json_int_t thread;
};

static int
visit(struct client *c, const char *path, const char *command, json_t *arguments,
	json_t **ret)
{
	int r = client_open(c, path);

	if (r == 0)
		r = client_run(c, command, arguments, -1, ret);
	else
		json_decref(arguments);
	client_close(c);
	return r;
}

static int
say(struct client *c, const char *what)
{
	(void)snprintf(c->why, sizeof(c->why), "%s", what);
	return -1;
}

/* The free slot with the lowest numbers. */
static int
find_slot(struct client *c, const char *path, struct slot *slot)
{
	auto_json json_t *slots = NULL;
	bool found = false;
	size_t i;
	json_t *s;

	if (visit(c, path, "query-hotpluggable-cpus", NULL, &slots) < 0)
		return -1;
	json_array_foreach (slots, i, s) {
		struct slot here = {0};
		const char *type;

		if (json_object_get(s, "qom-path") != NULL ||
			json_unpack(s, "{ss s{sI sI sI}}", "type", &type, "props",
				"socket-id", &here.socket, "core-id", &here.core,
				"thread-id", &here.thread) < 0)
			continue;
		str_copy(here.type, sizeof(here.type), type);
		if (!found || here.socket < slot->socket ||
			(here.socket == slot->socket && here.core < slot->core))
			*slot = here;
		found = true;
	}
	return found ? 0 : say(c, "no slot is free");
}

static int
device_add(struct client *c, const char *path, const struct slot *slot)
{
	auto_json json_t *ret = NULL;
	char line[256];

	(void)snprintf(line, sizeof(line),
		"device_add driver=%s,id=cpu%lld,socket-id=%lld,core-id=%lld,thread-id=%lld",
		slot->type, (long long)(slot->socket + slot->core + 1),
		(long long)slot->socket, (long long)slot->core,
		(long long)slot->thread);
	if (visit(c, path, "human-monitor-command",
		    json_pack("{ss}", "command-line", line), &ret) < 0)
		return -1;
	if (!json_is_string(ret) || json_string_length(ret) > 0)
		return say(c, "the human monitor refused");
	return 0;
}

/* The vCPU in the slot, if it shows. */
static bool
find_vcpu(const json_t *cpus, const struct slot *slot, struct tally_plug *plug)
{
	size_t i;
	json_t *cpu;

	json_array_foreach (cpus, i, cpu) {
		json_int_t index;
		json_int_t tid;
		json_int_t socket;
		json_int_t core;

		if (json_unpack(cpu, "{sI sI s{sI sI}}", "cpu-index", &index,
			    "thread-id", &tid, "props", "socket-id", &socket, "core-id",
			    &core) < 0 ||
			socket != slot->socket || core != slot->core)
			continue;
		plug->index = (unsigned int)index;
		plug->tid = (int)tid;
		return true;
	}
	return false;
}

static void
watch_mask(struct tally_plug *plug, unsigned int pin_ms)
{
	uint64_t end_us = plug->replied_us + (uint64_t)pin_ms * 1000;
	struct timespec pause = {0, LOOK_US * 1000};
	cpu_set_t set;

	while (client_now_us() < end_us) {
		if (sched_getaffinity(plug->tid, sizeof(set), &set) < 0)
			return;
		if (plug->n_cpus == 0)
			plug->n_cpus = (unsigned int)CPU_COUNT(&set);
		if (CPU_COUNT(&set) == 1) {
			plug->pinned_us = client_now_us();
			return;
		}
		(void)nanosleep(&pause, NULL);
	}
}

int
plug_one(struct client *c, const char *path, unsigned int pin_ms,
	struct tally_plug *plug)
{
	struct slot slot;
	bool shown = false;

	if (find_slot(c, path, &slot) < 0 || device_add(c, path, &slot) < 0)
		return -1;
	plug->replied_us = client_now_us();
	while (!shown) {
		auto_json json_t *cpus = NULL;

		if (visit(c, path, "query-cpus-fast", NULL, &cpus) < 0)
			return -1;
		shown = find_vcpu(cpus, &slot, plug);
		plug->seen_us = client_now_us();
		if (!shown && plug->seen_us - plug->replied_us > SHOWN_WITHIN_US)
			return say(c, "the vCPU does not show");
	}
	watch_mask(plug, pin_ms);
	return 0;
}

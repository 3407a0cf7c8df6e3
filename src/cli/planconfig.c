// SPDX-License-Identifier: MIT
/*
 * The keys, their values and the files are conf's business. What an event says about
 * its VM is stronger than any file: it is the question that is asked.
 */
#include "config.h"

#include "cli/planconfig.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "cli/out.h"

static int
set_one(struct settings *s, const char *text, struct err *e)
{
	const char *equals = strchr(text, '='); /* args.c has seen to it */
	auto_free char *key = xmemdupz(text, (size_t)(equals - text));

	/* messages name the key without its section */
	return settings_set(s, key, equals + 1,
		str_has_prefix(key, "weights.") ? "--set weights" : "--set", e);
}

int
planconfig_load(const struct args *args, struct settings *out, struct err *e)
{
	bool other = args->topology != NULL || args->latency != NULL;
	struct settings s;
	int r = 0;

	if (args->config == NULL && other)
		settings_init(&s);
	else
		r = settings_load(NULL, args->config, &s, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s.n_warnings; i++)
		out_note("%s", s.warnings[i]);
	for (unsigned int i = 0; r == 0 && i < args->n_sets; i++)
		r = set_one(&s, args->sets[i], e);
	if (r < 0)
		settings_fini(&s);
	else
		*out = s;
	return r;
}

struct replay_settings
planconfig_replay(const struct settings *s, enum plan_explain_of explain)
{
	struct replay_settings r = replay_settings_default();

	r.policy = settings_policy(s);
	r.rebalance_vms_per_min = s->rebalance_moves_per_min;
	r.rebalance_vcpus_per_min = s->rebalance_vcpus_per_min;
	r.mode = s->mode;
	r.smt = s->smt;
	r.emulator = s->emulator;
	r.explain = explain;
	return r;
}

void
planconfig_complete(const struct settings *s, struct replay_event *ev)
{
	const struct settings_vm *vm =
		ev->kind == REPLAY_START ? settings_vm_find(s, ev->id) : NULL;
	struct replay_start *start = &ev->start;

	if (vm == NULL)
		return;
	if (vm->has_mode && !start->has_mode) {
		start->has_mode = true;
		start->mode = vm->mode;
	}
	if (vm->has_smt && !start->has_smt) {
		start->has_smt = true;
		start->smt = vm->smt;
	}
	if (vm->has_emulator && !start->has_emulator) {
		start->has_emulator = true;
		start->emulator = vm->emulator;
	}
}

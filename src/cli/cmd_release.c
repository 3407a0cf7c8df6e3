// SPDX-License-Identifier: MIT
/*
 * qmpin release: monitors of VMs as if qmpind had never been there. What could not be
 * released is told on stderr, one line a VM.
 */
#include "config.h"

#include "cli/cmd_release.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "cli/out.h"
#include "cli/session.h"

static bool
on_reply_release(void *arg, const json_t *reply)
{
	json_t **out = arg;

	json_decref(*out);
	*out = json_deep_copy(reply);
	return true;
}

/* Ids as parameters, none for --all. Returns false when one is not even text. */
static bool
make_params(const struct args *args, json_t **out)
{
	json_t *ids = json_array();

	for (int i = 0; i < args->n_operands; i++) {
		if (json_array_append_new(ids, json_string(args->operands[i])) < 0) {
			out_note("a VM's id is not UTF-8 text");
			json_decref(ids);
			return false;
		}
	}
	*out = args->all ? json_object() : json_pack("{s:O}", "ids", ids);
	json_decref(ids);
	return true;
}

static bool
is_clear(const struct args *args)
{
	if (args->all && args->n_operands > 0)
		out_note("either VMs or --all");
	else if (!args->all && args->n_operands == 0)
		out_note("release which VMs? qmpin release ID..., or qmpin release "
			 "--all");
	else
		return true;
	return false;
}

static void
print_failed(const json_t *failed)
{
	for (size_t i = 0; i < json_array_size(failed); i++) {
		const char *text = json_string_value(json_array_get(failed, i));
		auto_free char *safe = out_safe(text != NULL ? text : "-");

		out_note("not released: VM %s", safe);
	}
}

static void
print_released(const json_t *released, size_t n_failed)
{
	if (json_array_size(released) == 0 && n_failed == 0)
		out_note("no VMs");
	for (size_t i = 0; i < json_array_size(released); i++) {
		const char *id = json_string_value(json_array_get(released, i));
		auto_free char *safe = out_safe(id != NULL ? id : "-");

		printf("released %s\n", safe);
	}
}

enum cmd_exit
cmd_release_run(const struct args *args)
{
	auto_json json_t *reply = NULL;
	const json_t *released;
	const json_t *failed;
	json_t *params;
	enum cmd_exit r;

	if (!is_clear(args) || !make_params(args, &params))
		return CMD_USAGE;
	r = session_call(args, "Release", params, false, on_reply_release, &reply);
	if (r != CMD_OK)
		return r;
	released = json_object_get(reply, "released");
	failed = json_object_get(reply, "failed");
	if (args->format == ARGS_TEXT)
		print_released(released, json_array_size(failed));
	else
		out_json(reply, args->format);
	r = out_finish();
	print_failed(failed);
	if (r != CMD_OK || json_array_size(failed) == 0)
		return r;
	return json_array_size(released) > 0 ? CMD_PARTLY : CMD_FAILED;
}

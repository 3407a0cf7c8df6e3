// SPDX-License-Identifier: MIT
/* qmpin reload: what is wrong with the new configuration is told at once, and so is
 * what is only worth a warning. */
#include "config.h"

#include "cli/cmd_reload.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "cli/out.h"
#include "cli/session.h"

static void
print_warnings(const json_t *status)
{
	const json_t *warnings = json_object_get(status, "warnings");

	for (size_t i = 0; i < json_array_size(warnings); i++) {
		const char *text = json_string_value(json_array_get(warnings, i));
		auto_free char *safe = out_safe(text != NULL ? text : "-");

		out_note("warning: %s", safe);
	}
}

enum cmd_exit
cmd_reload_run(const struct args *args)
{
	auto_json json_t *reply = NULL;
	auto_json json_t *status = NULL;
	enum cmd_exit r = session_ask(args, "Reload", NULL, &reply);

	if (r != CMD_OK)
		return r;
	if (args->format != ARGS_TEXT) {
		out_json(reply, args->format);
		return out_finish();
	}
	r = session_ask(args, "GetStatus", NULL, &status);
	if (r == CMD_OK)
		print_warnings(status);
	return r;
}

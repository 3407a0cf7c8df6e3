// SPDX-License-Identifier: MIT
/* qmpin status: the daemon in a few lines. */
#include "config.h"

#include "cli/cmd_status.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "cli/out.h"
#include "cli/session.h"

/* Columns of what a line is about. */
#define LABEL 11u

/* The two largest units, as people say it. */
static char *
duration(json_int_t ms)
{
	json_int_t s = ms / 1000;

	if (s < 60)
		return xasprintf("%d s", (int)s);
	if (s < 3600)
		return xasprintf("%d min %d s", (int)(s / 60), (int)(s % 60));
	if (s < 86400)
		return xasprintf("%d h %d min", (int)(s / 3600), (int)(s / 60 % 60));
	return xasprintf("%lld d %d h", (long long)(s / 86400), (int)(s / 3600 % 24));
}

static const char *
explain_latency(const json_t *status)
{
	const char *source = json_string_value(json_object_get(status, "latency"));

	if (source == NULL)
		return "unknown";
	if (strcmp(source, "model") == 0)
		return "model (not measured)";
	if (strcmp(source, "measuring") == 0)
		return "model (measuring now)";
	if (strcmp(source, "untrusted") == 0)
		return "model (the measured ones are not trusted)";
	return strcmp(source, "measured") == 0 ? "measured" : "unknown";
}

static void
print_counts(const json_t *status)
{
	auto_free char *managed = out_member(status, "managed");
	auto_free char *vms = out_member(status, "vms");
	auto_free char *threads = out_member(status, "threads");
	auto_free char *pass_ms = out_member(status, "last_pass_ms");
	auto_free char *passes = out_member(status, "passes");
	auto_free char *repairs = out_member(status, "repairs");
	const json_t *others = json_object_get(status, "background_cpus");

	printf("VMs        %s managed, %s seen\n", managed, vms);
	printf("threads    %s\n", threads);
	printf("latencies  %s\n", explain_latency(status));
	printf("last pass  %s ms, %s pass%s\n", pass_ms, passes,
		strcmp(passes, "1") == 0 ? "" : "es");
	printf("repairs    %s\n", repairs);
	if (json_is_real(others))
		printf("others     %.1f CPUs in use\n", json_real_value(others));
}

static void
print_text(const json_t *status)
{
	auto_free char *version = out_member(status, "version");
	auto_free char *pid = out_member(status, "pid");
	auto_free char *up =
		duration(json_integer_value(json_object_get(status, "uptime_ms")));
	bool dry = json_is_true(json_object_get(status, "dry_run"));
	const json_t *warnings = json_object_get(status, "warnings");

	out_line(LABEL, "qmpind     %s, pid %s, up %s", version, pid, up);
	print_counts(status);
	printf("dry run    %s\n", dry ? "yes, nothing is changed" : "no");
	for (size_t i = 0; i < json_array_size(warnings); i++) {
		const char *text = json_string_value(json_array_get(warnings, i));
		auto_free char *safe = out_safe(text != NULL ? text : "-");

		out_line(LABEL, "warning    %s", safe);
	}
}

enum cmd_exit
cmd_status_run(const struct args *args)
{
	auto_json json_t *status = NULL;
	enum cmd_exit r = session_ask(args, "GetStatus", NULL, &status);

	if (r != CMD_OK)
		return r;
	if (args->format == ARGS_TEXT)
		print_text(status);
	else
		out_json(status, args->format);
	return out_finish();
}

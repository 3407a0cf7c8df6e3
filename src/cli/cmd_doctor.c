// SPDX-License-Identifier: MIT
/*
 * qmpin doctor: what the daemon finds and, after it, what it cannot see from within its
 * confinement or must not wait for: processes, VM configurations. That is looked at
 * here, also where no daemon runs.
 */
#include "config.h"

#include "cli/cmd_doctor.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checks.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/out.h"
#include "cli/pvescan.h"
#include "cli/session.h"
#include "ctl/shapes.h"
#include "host/hostcheck.h"

#define TEXT_INDENT 9u
#define ADVICE_INDENT 12u

/* ---- what is looked at here ---- */

static void
check_version(const struct args *args, struct checks *out)
{
	auto_json json_t *status = NULL;
	const char *version;

	if (session_ask(args, "GetStatus", NULL, &status) != CMD_OK)
		return; /* it has been said why */
	version = json_string_value(json_object_get(status, "version"));
	if (version == NULL || strcmp(version, PACKAGE_VERSION) == 0)
		return;
	checks_add(out, "version", CHECKS_WARNING,
		"qmpind is %s, this is qmpin " PACKAGE_VERSION, version);
	checks_advise(out, "systemctl restart qmpind: no mask changes");
}

static void
check_here(struct checks *out)
{
	const char *env = getenv(CMD_ROOT_ENV);
	const char *root = env != NULL ? env : "";
	struct hostfacts host = {0};

	hostfacts_read(root, &host);
	hostfacts_read_topology(root, &host);
	hostfacts_read_programs(root, &host);
	hostcheck_run(&host, out);
	pvescan_run(root, pvescan_read, PVESCAN_DEADLINE_MS, out);
}

static void
check_daemon(enum cmd_exit r, struct checks *out)
{
	if (r == CMD_NO_DAEMON) {
		checks_add(out, "daemon", CHECKS_PROBLEM,
			"qmpind does not run or does not answer");
		checks_advise(out, "systemctl enable --now qmpind; why not: journalctl "
				   "-u qmpind");
	} else if (r == CMD_NO_PERMISSION) {
		checks_add(out, "daemon", CHECKS_NOTE,
			"not asked: that takes root or the group of the socket");
	} else {
		checks_add(out, "daemon", CHECKS_PROBLEM, "it did not answer");
	}
}

/* ---- lines ---- */

static const char *
color_of(const char *level)
{
	if (!out_colors())
		return NULL;
	if (str_equal(level, "problem"))
		return "\033[1;31m";
	return str_equal(level, "warning") ? "\033[1;33m" : NULL;
}

static void
print_check(const json_t *check)
{
	auto_free char *level = out_member(check, "level");
	auto_free char *name = out_member(check, "name");
	auto_free char *text = out_member(check, "text");
	auto_free char *advice = out_member(check, "advice");
	const char *color = color_of(level);

	out_line(TEXT_INDENT, "%s%-7s%s  %s: %s", color != NULL ? color : "", level,
		color != NULL ? "\033[0m" : "", name, text);
	if (json_is_string(json_object_get(check, "advice")))
		out_line(ADVICE_INDENT, "%*s-> %s", (int)TEXT_INDENT, "", advice);
}

static void
print_count(const unsigned int counts[])
{
	static const char *const names[] = {"problem", "warning", "note"};
	static const enum checks_level levels[] = {
		CHECKS_PROBLEM, CHECKS_WARNING, CHECKS_NOTE};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		unsigned int n = counts[levels[i]];

		printf("%s%u %s%s", i > 0 ? ", " : "\n", n, names[i],
			n == 1 ? "" : "s");
	}
	(void)putchar('\n');
}

/* ---- all of it ---- */

static bool
has_name(const json_t *list, const json_t *check)
{
	const char *name = json_string_value(json_object_get(check, "name"));

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *other = json_object_get(json_array_get(list, i), "name");

		if (str_equal(json_string_value(other), name))
			return true;
	}
	return false;
}

static void
add(json_t *all, const json_t *check, const char *source)
{
	json_t *told = json_deep_copy(check);

	json_object_set_new(told, "source", json_string(source));
	json_array_append_new(all, told);
}

/* The daemon's lines, and ours about what it has none for. New reference. */
static json_t *
join(const json_t *reply, const struct checks *here)
{
	const json_t *theirs = json_object_get(reply, "checks");
	auto_json json_t *ours = ctl_checks_json(here);
	const json_t *added = json_object_get(ours, "checks");
	json_t *all = json_array();

	for (size_t i = 0; i < json_array_size(theirs); i++)
		add(all, json_array_get(theirs, i), "qmpind");
	for (size_t i = 0; i < json_array_size(added); i++) {
		const json_t *check = json_array_get(added, i);

		if (!has_name(theirs, check))
			add(all, check, "qmpin");
	}
	return all;
}

/* How many there are of each level. */
static void
count(const json_t *list, unsigned int counts[CHECKS_PROBLEM + 1])
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(
			json_object_get(json_array_get(list, i), "level"));
		int level = name != NULL ? checks_level_parse(name) : -1;

		if (level >= 0)
			counts[level]++;
	}
}

static json_t *
look_here(const struct args *args, enum cmd_exit r, const json_t *reply)
{
	struct checks here = {0};
	json_t *list;

	if (r == CMD_OK)
		check_version(args, &here);
	else
		check_daemon(r, &here);
	check_here(&here);
	list = join(reply, &here);
	checks_fini(&here);
	return list;
}

static void
print(const json_t *list, const unsigned int counts[], enum args_format format)
{
	auto_json json_t *all = NULL;

	if (format != ARGS_TEXT) {
		all = json_pack("{s:O}", "checks", list);
		out_json(all, format);
		return;
	}
	for (size_t i = 0; i < json_array_size(list); i++)
		print_check(json_array_get(list, i));
	print_count(counts);
}

enum cmd_exit
cmd_doctor_run(const struct args *args)
{
	unsigned int counts[CHECKS_PROBLEM + 1] = {0};
	auto_json json_t *reply = NULL;
	auto_json json_t *list = NULL;
	enum cmd_exit r = session_ask(args, "Doctor", NULL, &reply);
	enum cmd_exit written;

	list = look_here(args, r, reply);
	count(list, counts);
	print(list, counts, args->format);
	written = out_finish();
	if (r == CMD_OK && counts[CHECKS_PROBLEM] > 0)
		r = CMD_FAILED;
	return r != CMD_OK ? r : written;
}

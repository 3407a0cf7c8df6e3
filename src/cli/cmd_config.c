// SPDX-License-Identifier: MIT
/*
 * qmpin config: show asks the daemon what is in force, check reads files as the daemon
 * would, without it and as any user who may read them. /etc/pve may hang, so a child
 * reads the cluster's file, unless it is named.
 */
#include "config.h"

#include "cli/cmd_config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "cli/apart.h"
#include "cli/out.h"
#include "cli/session.h"
#include "cli/table.h"
#include "conf/inifile.h"
#include "conf/settings.h"
#include "conf/sources.h"

#define CLUSTER "/etc/pve/qmpin.conf"
#define CLUSTER_DEADLINE_MS 5000

static const struct table_column columns[] = {
	{.name = "KEY"},
	{.name = "VALUE", .min = 8},
	{.name = "ORIGIN", .min = 8},
	{.name = "TEXT", .min = 10, .below = 40},
};
static const char *const members[ARRAY_LEN(columns)] = {
	"key", "value", "origin", "text"};

static bool
is_default(const json_t *setting)
{
	const char *origin = json_string_value(json_object_get(setting, "origin"));

	return origin != NULL && str_equal(origin, "default");
}

static void
print_settings(const struct args *args, const json_t *settings)
{
	struct table *t = table_new(columns, ARRAY_LEN(columns));
	size_t rows = 0;

	for (size_t i = 0; i < json_array_size(settings); i++) {
		const json_t *setting = json_array_get(settings, i);

		if (!args->all && is_default(setting))
			continue;
		rows++;
		table_row(t);
		for (size_t c = 0; c < ARRAY_LEN(columns); c++)
			table_set(t, c, out_member(setting, members[c]));
	}
	if (rows > 0)
		table_print(t, args->heading);
	else
		out_note("every setting has its default (--all shows them)");
	table_free(t);
}

static enum cmd_exit
show(const struct args *args)
{
	auto_json json_t *reply = NULL;
	enum cmd_exit r;

	if (args->n_operands > 1 || args->config != NULL) {
		out_note("qmpin config show asks qmpind: it takes no file");
		return CMD_USAGE;
	}
	r = session_ask(args, "GetConfig", NULL, &reply);
	if (r != CMD_OK)
		return r;
	if (args->format == ARGS_TEXT)
		print_settings(args, json_object_get(reply, "settings"));
	else
		out_json(reply, args->format);
	return out_finish();
}

static json_t *
list_warnings(const struct settings *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_warnings; i++)
		json_array_append_new(list, json_string(s->warnings[i]));
	return list;
}

static enum cmd_exit
accept(const struct args *args, const struct settings *s)
{
	auto_json json_t *verdict = NULL;

	if (args->format != ARGS_TEXT) {
		verdict = json_pack(
			"{s:b, s:o}", "valid", 1, "warnings", list_warnings(s));
		out_json(verdict, args->format);
		return out_finish();
	}
	for (size_t i = 0; i < s->n_warnings; i++)
		out_note("warning: %s", s->warnings[i]);
	printf("the configuration is valid\n");
	return out_finish();
}

static enum cmd_exit
refuse(const struct args *args, int r, const struct err *why)
{
	auto_json json_t *verdict = NULL;
	char text[512];

	out_error(why);
	if (args->format != ARGS_TEXT) {
		verdict = json_pack("{s:b, s:s, s:[]}", "valid", 0, "error",
			err_format(why, text, sizeof(text)), "warnings");
		out_json(verdict, args->format);
	}
	return r == -EACCES || r == -EPERM ? CMD_NO_PERMISSION : CMD_FAILED;
}

/* In the child: an errno, and if it is 0 the text. */
static void
send_cluster(const char *root, int fd)
{
	auto_free char *path = xasprintf("%s" CLUSTER, root);
	struct sources s = {0};
	int r = sources_read(NULL, path, &s, NULL);

	if (io_write_all(fd, (const char *)&r, sizeof(r)) < 0 ||
		(s.n == 1 && io_write_all(fd, s.list[0].text, s.list[0].len) < 0))
		_exit(1); /* nobody listens any more */
}

/* Its text, in @text of INIFILE_BYTES_MAX + 1 bytes. Returns how long, or an errno. */
static ssize_t
take_cluster(struct apart *child, char *text)
{
	int r = 0;
	ssize_t n = apart_read(child, &r, sizeof(r)); /* written in one piece */
	size_t len = 0;

	if (n != (ssize_t)sizeof(r) || r < 0)
		return n < 0 ? n : r < 0 ? r : -EIO;
	do {
		n = apart_read(child, text + len, INIFILE_BYTES_MAX + 1 - len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 && len <= INIFILE_BYTES_MAX);
	return n < 0 ? n : (ssize_t)len;
}

/* Returns false where there is none, or it cannot be read, which is said. */
static bool
read_cluster(const char *root, struct source *out)
{
	auto_free char *text = xcalloc(1, INIFILE_BYTES_MAX + 1);
	struct apart child;
	ssize_t n = apart_start(&child, root, send_cluster, CLUSTER_DEADLINE_MS);

	if (n == 0) {
		n = take_cluster(&child, text);
		apart_end(&child);
	}
	if (n < 0 && n != -ENOENT && n != -ENOTDIR)
		out_note(CLUSTER " is not checked: %s",
			n == -ETIMEDOUT ? "/etc/pve does not answer"
					: strerror((int)-n));
	if (n < 0)
		return false;
	*out = (struct source){xstrdup(CLUSTER), take_ptr(&text), (size_t)n};
	return true;
}

/* What a daemon would read that starts now. */
static int
load_all(struct settings *out, struct err *why)
{
	const char *env = getenv(CMD_ROOT_ENV);
	const char *root = env != NULL ? env : "";
	struct source cluster = {.name = NULL};
	struct sources host;
	bool has;
	int r = sources_read(root, NULL, &host, why);

	if (r < 0)
		return r;
	has = read_cluster(root, &cluster);
	r = sources_parse(&host, has ? &cluster : NULL, out, why);
	sources_fini(&host);
	free(cluster.name);
	free(cluster.text);
	return r;
}

static enum cmd_exit
check(const struct args *args)
{
	const char *file = args->n_operands > 1 ? args->operands[1] : args->config;
	struct settings s;
	struct err why = ERR_NONE;
	enum cmd_exit exit;
	int r;

	if (args->all || (args->n_operands > 1 && args->config != NULL)) {
		out_note("qmpin config check takes one file or directory");
		return CMD_USAGE;
	}
	r = file != NULL ? settings_load(NULL, file, &s, &why) : load_all(&s, &why);
	if (r < 0)
		return refuse(args, r, &why);
	exit = accept(args, &s);
	settings_fini(&s);
	return exit;
}

enum cmd_exit
cmd_config_run(const struct args *args)
{
	const char *verb = args->n_operands > 0 ? args->operands[0] : "";

	if (str_equal(verb, "show"))
		return show(args);
	if (str_equal(verb, "check"))
		return check(args);
	out_note("qmpin config show, or qmpin config check [FILE]");
	return CMD_USAGE;
}

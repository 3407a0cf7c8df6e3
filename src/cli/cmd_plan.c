// SPDX-License-Identifier: MIT
/*
 * qmpin plan: what would be done with the VMs of a scenario, on this host or another
 * one, event by event. An event that cannot be is told and left out, a line that is no
 * event ends it all.
 */
#include "config.h"

#include "cli/cmd_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/lines.h"
#include "cli/out.h"
#include "cli/outfile.h"
#include "cli/placement.h"
#include "cli/planconfig.h"
#include "cli/planhost.h"
#include "cli/planprint.h"
#include "cli/scenario.h"
#include "cli/stop.h"

/* Of all VMs together: enough for 4000 large ones, and what comes out of it fits into
 * memory. */
#define VCPUS_MAX 65536u

/* One run. */
struct plan_run {
	const struct args *args;
	struct planhost host;
	struct settings settings;
	struct scenario scenario;
	struct replay *replay;
	struct outfile *file; /* NULL: stdout */
	bool people;	      /* only what there is in the end, for people */
	struct strbuf line;
	unsigned int n_told;	/* unknown keys */
	unsigned int n_refused; /* events */
};

static bool
is_stdio(const char *path)
{
	return str_equal(path, "-");
}

/* ---- events ---- */

static void
tell_unknown(struct plan_run *p)
{
	const struct scenario *s = &p->scenario;

	for (; p->n_told < s->n_unknown; p->n_told++) {
		struct err note = ERR_NONE;

		(void)err_set(&note, 0, s->name, s->unknown[p->n_told].line,
			"unknown key \"%s\" is ignored", s->unknown[p->n_told].key);
		out_error(&note);
	}
}

/* What of @named is not in @there: told, and otherwise ignored. */
static void
tell_missing(const char *file, unsigned int line, const char *key,
	const struct cpuset *named, const struct cpuset *there)
{
	struct cpuset missing = cpuset_minus(named, there);
	struct err note = ERR_NONE;
	char text[64];

	if (cpuset_empty(&missing))
		return;
	(void)err_set(&note, 0, file, line, "%s CPU%s %s, which this host has not", key,
		cpuset_count(&missing) == 1 ? "" : "s",
		cpuset_format(&missing, text, sizeof(text)));
	out_error(&note);
}

static void
tell_affinity(const struct plan_run *p, const struct replay_event *ev)
{
	char key[REPLAY_ID_MAX + sizeof("vm : \"affinity\" has")];

	if (ev->kind != REPLAY_START || !ev->start.has_affinity)
		return;
	(void)snprintf(key, sizeof(key), "vm %s: \"affinity\" has", ev->id);
	tell_missing(p->scenario.name, p->scenario.line, key, &ev->start.affinity,
		&p->host.topo->online);
}

static void
tell_settings(const struct plan_run *p)
{
	const struct topo *t = p->host.topo;

	tell_missing(
		NULL, 0, "reserved_cpus has", &p->settings.reserved_cpus, &t->online);
	tell_missing(
		NULL, 0, "isolated_cpus has", &p->settings.isolated_cpus, &t->online);
}

static int
put_line(struct plan_run *p, struct err *e)
{
	strbuf_drop(&p->line, p->line.len);
	placement_write(p->replay, &p->line);
	if (p->file != NULL)
		return outfile_add(p->file, p->line.s, p->line.len, e);
	if (p->args->format == ARGS_JSON_PRETTY) {
		auto_json json_t *value = json_loadb(p->line.s, p->line.len, 0, NULL);

		out_json(value, ARGS_JSON_PRETTY);
	} else {
		(void)fwrite(p->line.s, 1, p->line.len, stdout);
	}
	/* whoever writes the events may wait for what comes of them */
	if (fflush(stdout) != 0)
		return err_set(e, -errno, NULL, 0, "cannot write: %s", strerror(errno));
	return 0;
}

/* Told and left out. */
static void
refuse(struct plan_run *p, int r, const struct err *why)
{
	struct err e = ERR_NONE;

	p->n_refused++;
	(void)err_set(&e, r, p->scenario.name, p->scenario.line, "%s", why->text);
	out_error(&e);
}

static unsigned int
count_vcpus(const struct plan_input *in)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < in->n_vms; i++)
		n += in->vms[i].n_vcpus;
	return n;
}

static int
take_event(struct plan_run *p, struct replay_event *ev, struct err *why)
{
	unsigned int more = ev->kind == REPLAY_START ? ev->start.n_vcpus : ev->n_vcpus;

	if (more > 0 && count_vcpus(replay_input(p->replay)) + more > VCPUS_MAX)
		return err_set(why, -ERANGE, NULL, 0,
			"vm %s: its %u vCPUs would make more than %u in all", ev->id,
			more, VCPUS_MAX);
	planconfig_complete(&p->settings, ev);
	tell_affinity(p, ev);
	return replay_step(p->replay, ev, why);
}

static int
take_line(struct plan_run *p, const char *text, size_t len, struct err *e)
{
	struct replay_event ev;
	struct err why = ERR_NONE;
	int r = scenario_read(&p->scenario, text, len, &ev, &why);

	tell_unknown(p);
	if (r == 0)
		return 0;
	if (r < 0 && r != -ERANGE) {
		*e = why;
		return r;
	}
	if (r > 0) {
		r = take_event(p, &ev, &why);
		replay_event_fini(&ev);
	}
	if (r < 0)
		refuse(p, r, &why);
	return p->people ? 0 : put_line(p, e);
}

static int
take_lines(struct plan_run *p, int fd, int stop_fd, struct err *e)
{
	struct lines l = lines_new(fd, stop_fd, SCENARIO_LINE_MAX);
	const char *text;
	size_t len;
	int r;

	while ((r = lines_next(&l, &text, &len)) > 0) {
		r = take_line(p, text, len, e);
		if (r < 0)
			break;
	}
	lines_fini(&l);
	if (r < 0)
		(void)err_set(e, r, p->scenario.name,
			r == -E2BIG ? p->scenario.line + 1 : 0, "%s",
			r == -E2BIG   ? "line is longer than 1 MiB"
			: r == -EINTR ? "interrupted"
				      : strerror(-r));
	return r;
}

/* ---- what comes out ---- */

static enum cmd_exit
finish(struct plan_run *p)
{
	enum cmd_exit r;

	if (p->people && replay_plan(p->replay) != NULL) {
		planprint_result(p->replay, p->host.topo, p->args->heading);
		if (p->args->explain)
			planprint_reasons(p->replay);
	}
	r = out_finish();
	return r == CMD_OK && p->n_refused > 0 ? CMD_PARTLY : r;
}

static enum cmd_exit
fail(const struct err *e)
{
	out_error(e);
	return CMD_FAILED;
}

/* With -o, whatever ends it must leave nothing behind. */
static enum cmd_exit
run_to_file(struct plan_run *p, int fd)
{
	struct outfile file;
	struct err e = ERR_NONE;
	struct stop stop;
	int r = outfile_open(&file, p->args->output, &e);

	if (r < 0)
		return fail(&e);
	stop_begin(&stop);
	p->file = &file;
	r = take_lines(p, fd, stop.fd, &e);
	if (r == 0)
		r = outfile_commit(&file, &e);
	else
		outfile_drop(&file);
	p->file = NULL;
	stop_end(&stop);
	return r < 0 ? fail(&e) : finish(p);
}

static enum cmd_exit
run_to_stdout(struct plan_run *p, int fd)
{
	struct err e = ERR_NONE;

	return take_lines(p, fd, -1, &e) < 0 ? fail(&e) : finish(p);
}

/* ---- what goes in ---- */

/* Text is for terminals and for those who ask for it. */
static bool
is_for_people(const struct args *args)
{
	if (args->output != NULL)
		return false;
	if (args->format_given)
		return args->format == ARGS_TEXT;
	return args->explain || isatty(STDOUT_FILENO) != 0;
}

static enum cmd_exit
run_scenario(struct plan_run *p, const char *path)
{
	bool in = is_stdio(path);
	auto_close int opened = in ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	const struct args *args = p->args;
	struct replay_settings s;
	struct err e = ERR_NONE;

	p->scenario = scenario_new(in ? "standard input" : path);
	if (!in && opened < 0) {
		(void)err_set(&e, -errno, path, 0, "%s", strerror(errno));
		return fail(&e);
	}
	s = planconfig_replay(
		&p->settings, args->explain ? PLAN_EXPLAIN_ALL : PLAN_EXPLAIN_NONE);
	if (replay_new(&s, planhost_without, &p->host, &p->replay, &e) < 0)
		return fail(&e);
	p->people = is_for_people(args);
	if (args->output != NULL && !is_stdio(args->output))
		return run_to_file(p, in ? STDIN_FILENO : opened);
	return run_to_stdout(p, in ? STDIN_FILENO : opened);
}

static enum cmd_exit
show_host(struct plan_run *p)
{
	struct plan_policy policy = settings_policy(&p->settings);
	struct cpuset offline = CPUSET_NONE;
	struct ranking *ranking;
	struct err e = ERR_NONE;
	struct topo *t;
	float *ns;

	if (planhost_without(&p->host, &offline, &t, &ranking, &ns, &e) < 0)
		return fail(&e);
	if (p->args->format == ARGS_TEXT) {
		planprint_host(t, ranking, &policy);
	} else {
		auto_json json_t *value = planprint_host_json(t, ranking, &policy);

		out_json(value, p->args->format);
	}
	topo_free(t);
	ranking_free(ranking);
	free(ns);
	return out_finish();
}

/* NULL: the arguments go together. */
static const char *
contradiction(const struct args *args)
{
	bool scenario = args->n_operands > 0;

	if (!scenario && args->topology == NULL && args->latency == NULL)
		return "qmpin plan needs a SCENARIO (- is standard input), or --topology"
		       " to show a host; what qmpind would do with its VMs: qmpin"
		       " apply --all --dry-run";
	if (!scenario && (args->given & (ARGS_OUTPUT | ARGS_EXPLAIN)) != 0)
		return "-o and --explain are about a SCENARIO";
	if (args->explain && (args->output != NULL || args->format != ARGS_TEXT))
		return "--explain is text: it goes with neither -o nor JSON";
	return NULL;
}

enum cmd_exit
cmd_plan_run(const struct args *args)
{
	const char *wrong = contradiction(args);
	struct plan_run p = {.args = args};
	struct err e = ERR_NONE;
	enum cmd_exit r;

	if (wrong != NULL) {
		out_note("%s (see qmpin plan --help)", wrong);
		return CMD_USAGE;
	}
	if (planconfig_load(args, &p.settings, &e) < 0)
		return fail(&e);
	r = planhost_open(args, &p.host);
	if (r == CMD_OK) {
		tell_settings(&p);
		r = args->n_operands > 0 ? run_scenario(&p, args->operands[0])
					 : show_host(&p);
		replay_free(p.replay);
		planhost_close(&p.host);
	}
	strbuf_fini(&p.line);
	settings_fini(&p.settings);
	return r;
}

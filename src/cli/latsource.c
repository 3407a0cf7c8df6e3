// SPDX-License-Identifier: MIT
/*
 * Latencies from files or from the daemon. Files of others say nothing about this
 * machine: without --topology their CPUs are taken as cores of their own, and the
 * measured values alone make the tiers.
 */
#include "config.h"

#include "cli/latsource.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "cli/lathost.h"
#include "cli/out.h"
#include "cli/session.h"
#include "host/hostid.h"
#include "host/hwexport.h"
#include "host/hwimport.h"
#include "host/load.h"
#include "host/textfile.h"
#include "probe/latfile.h"
#include "topo/lat.h"

void
latsource_close(struct latsource *s)
{
	ctl_latency_fini(&s->latency);
	topo_free(s->topo);
	ranking_free(s->ranking);
	*s = (struct latsource){.topo = NULL};
}

static enum cmd_exit
fail(const struct err *e)
{
	out_error(e);
	return CMD_FAILED;
}

static void
set_source(struct ctl_latency *l, const char *source, const char *why)
{
	auto_free char *text =
		why == NULL ? xstrdup(source)
			    : xasprintf("%.*s, not trusted: %s",
				      (int)sizeof(l->source) / 2, source, why);

	str_copy(l->source, sizeof(l->source), text);
}

static struct ranking *
rank(const struct topo *t, const struct matrix *m)
{
	auto_free float *ns = lat_measured_matrix(t, lat_classes_default(), m);
	const struct lat_view view = {ns, t->n_pus};

	return ranking_from_matrix(t, m, &view);
}

static void
fill(struct ctl_latency *l, const struct ranking *r, const struct matrix *m,
	const char *source)
{
	ctl_latency_set(l, r, m);
	set_source(l, source, r->trusted ? NULL : r->why);
}

void
latsource_rank(struct topo *t, const struct matrix *m, const char *source,
	struct latsource *out)
{
	struct latsource s = {.topo = t, .ranking = rank(t, m)};

	fill(&s.latency, s.ranking, m, source);
	*out = s;
}

void
latsource_distrust(struct latsource *s, const char *why)
{
	auto_free float *ns =
		lat_measured_matrix(s->topo, lat_classes_default(), s->latency.matrix);
	struct ranking *tree =
		ranking_from_topo(s->topo, &(struct lat_view){ns, s->topo->n_pus});

	ctl_latency_set(&s->latency, tree, s->latency.matrix);
	set_source(&s->latency, "measured", why);
	ranking_free(tree);
}

/* ---- files ---- */

/* XML is the longest of the kinds of files. */
static int
read_text(const char *path, char **out, struct err *e)
{
	int r = textfile_read(path, HWEXPORT_BYTES_MAX, out, e);

	if (r < 0)
		return err_set(e, r, path, 0, "cannot be read: %s", strerror(-r));
	return 0;
}

static bool
is_xml(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '<';
}

/* Rows for CPUs that the host has not: the file of another one. */
static int
check_match(
	const struct matrix *m, const struct topo *t, const char *path, struct err *e)
{
	struct cpuset cpus = matrix_cpus(m);
	struct cpuset common = cpuset_and(&cpus, &t->online);

	if (cpuset_count(&common) < 2)
		return err_set(e, -EINVAL, path, 0,
			"has latencies of other CPUs than this topology");
	return 0;
}

static int
parse(const char *text, const char *path, const struct topo *t, struct matrix **out,
	struct err *e)
{
	struct matrix *m = NULL;
	int r;

	if (is_xml(text))
		r = hwimport_xml(text, path, &m, e);
	else
		r = latfile_parse(
			text, strlen(text), t != NULL ? &t->online : NULL, path, &m, e);
	if (r == 0 && t != NULL)
		r = check_match(m, t, path, e);
	if (r < 0)
		matrix_free(m);
	else
		*out = m;
	return r;
}

/* Less than all are fine: they are not measured yet. More may be a mistake. */
static void
tell_left_out(const struct matrix *m, const struct topo *t, const char *path)
{
	struct cpuset cpus = matrix_cpus(m);
	struct cpuset others = cpuset_minus(&cpus, &t->online);
	struct err note = ERR_NONE;

	if (cpuset_empty(&others))
		return;
	(void)err_set(&note, 0, path, 0,
		"%u of its %u CPUs are left out: this topology has them not",
		cpuset_count(&others), cpuset_count(&cpus));
	out_error(&note);
}

/* Where the host is not known, its CPUs have to do, and tell nothing afterwards. */
static int
set_measured(struct latsource *s, const char *text, const char *path, struct err *e)
{
	struct matrix *m = NULL;
	int r = parse(text, path, s->topo, &m, e);

	if (r < 0)
		return r;
	if (s->topo != NULL) {
		tell_left_out(m, s->topo, path);
		s->ranking = rank(s->topo, m);
		fill(&s->latency, s->ranking, m, path);
	} else {
		struct cpuset cpus = matrix_cpus(m);
		struct topo *bare = lathost_bare(&cpus);
		struct ranking *ranking = rank(bare, m);

		fill(&s->latency, ranking, m, path);
		ranking_free(ranking);
		topo_free(bare);
	}
	matrix_free(m);
	return 0;
}

static int
set_model(struct latsource *s)
{
	auto_free float *ns = NULL;

	assert(s->topo != NULL);
	ns = lat_class_matrix(s->topo, lat_classes_default());
	s->ranking = ranking_from_topo(s->topo, &(struct lat_view){ns, s->topo->n_pus});
	ctl_latency_set_model(&s->latency, s->topo);
	return 0;
}

static enum cmd_exit
open_files(const struct args *args, struct latsource *out)
{
	struct latsource s = {.topo_path = args->topology};
	auto_free char *text = NULL;
	struct err e = ERR_NONE;
	int r = 0;

	if (args->latency != NULL)
		r = read_text(args->latency, &text, &e);
	if (r == 0 && s.topo_path == NULL && text != NULL && is_xml(text))
		s.topo_path = args->latency; /* it tells of the host, too */
	if (r == 0 && s.topo_path != NULL)
		r = host_load(s.topo_path, &s.topo, &e);
	if (r == 0)
		r = text != NULL ? set_measured(&s, text, args->latency, &e)
				 : set_model(&s);
	if (r < 0) {
		latsource_close(&s);
		return fail(&e);
	}
	*out = s;
	return CMD_OK;
}

/* ---- the daemon ---- */

/* What has come of the call. */
struct answer {
	struct ctl_latency latency;
	int r;
	struct err e;
};

static bool
on_reply_latency(void *arg, const json_t *reply)
{
	struct answer *a = arg;

	ctl_latency_fini(&a->latency);
	a->r = ctl_latency_parse(reply, &a->latency, &a->e);
	return true;
}

/* The host behind the answer, where that is this one: qmpind may have been told another
 * topology. */
static struct topo *
find_host(const struct ctl_latency *l)
{
	struct cpuset cpus = matrix_cpus(l->matrix);
	struct topo *t = NULL;
	struct hostid id;

	if (hostid_read(NULL, &id, NULL) < 0 ||
		strcmp(id.fingerprint, l->fingerprint) != 0 ||
		host_load(NULL, &t, NULL) < 0)
		return NULL;
	if (!cpuset_equal(&cpus, &t->online)) {
		topo_free(t);
		return NULL;
	}
	return t;
}

static enum cmd_exit
open_daemon(const struct args *args, struct latsource *out)
{
	struct answer a = {.e = ERR_NONE};
	struct latsource s = {.topo = NULL};
	enum cmd_exit r =
		session_call(args, "GetLatency", NULL, false, on_reply_latency, &a);

	if (r != CMD_OK) {
		ctl_latency_fini(&a.latency);
		return r;
	}
	if (a.r < 0)
		return fail(&a.e);
	s.latency = a.latency;
	s.topo = find_host(&s.latency);
	if (s.topo != NULL)
		s.ranking = rank(s.topo, s.latency.matrix);
	*out = s;
	return CMD_OK;
}

enum cmd_exit
latsource_open(const struct args *args, struct latsource *out)
{
	if (args->topology != NULL || args->latency != NULL)
		return open_files(args, out);
	return open_daemon(args, out);
}

enum cmd_exit
latsource_get(const struct args *args, struct ctl_latency *out, struct topo **topo)
{
	struct latsource s;
	enum cmd_exit r = latsource_open(args, &s);

	if (r != CMD_OK)
		return r;
	*out = s.latency;
	ranking_free(s.ranking);
	if (topo != NULL)
		*topo = s.topo;
	else
		topo_free(s.topo);
	return CMD_OK;
}

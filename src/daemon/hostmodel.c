// SPDX-License-Identifier: MIT
/*
 * The host as decisions need it. A measurement without trust changes nothing but what
 * is shown of it.
 */
#include "config.h"

#include "daemon/hostmodel.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "host/load.h"

#define WHY_VIRTUAL "the host is itself a virtual machine"

/* An XML file tells CPUs and caches, but not which machine has them. */
static void
identify(const char *path, struct hostid *out)
{
	struct err ignored = ERR_NONE;
	struct stat st;

	if (path != NULL && (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)))
		return;
	if (hostid_read(path, out, &ignored) < 0)
		*out = (struct hostid){.fingerprint = ""};
}

static void
by_class(struct hostmodel *h)
{
	struct lat_view view;

	h->latency_ns = lat_class_matrix(h->topo, lat_classes_default());
	view = hostmodel_latency(h);
	h->ranking = ranking_from_topo(h->topo, &view);
}

int
hostmodel_load(const char *path, struct hostmodel *out, struct err *e)
{
	struct hostmodel h = {0};
	int r;

	r = host_load(path, &h.topo, e);
	if (r < 0)
		return r;
	identify(path, &h.id);
	h.own = path == NULL || *path == '\0';
	by_class(&h);
	*out = h;
	return 0;
}

void
hostmodel_identify(struct hostmodel *h, const char *fingerprint)
{
	if (h->own && !str_equal(h->id.fingerprint, fingerprint))
		identify(NULL, &h->id);
}

void
hostmodel_fini(struct hostmodel *h)
{
	matrix_free(h->matrix);
	ranking_free(h->ranking);
	free(h->latency_ns);
	topo_free(h->topo);
	*h = (struct hostmodel){0};
}

struct lat_view
hostmodel_latency(const struct hostmodel *h)
{
	return (struct lat_view){h->latency_ns, h->topo->n_pus};
}

/* ---- what is measured ---- */

void
hostmodel_verdict_fini(struct hostmodel_verdict *v)
{
	matrix_free(v->matrix);
	free(v->latency_ns);
	ranking_free(v->ranking);
	*v = (struct hostmodel_verdict){0};
}

static double
trust_of(const struct ranking *r)
{
	double least = 1;

	if (!r->trusted)
		return 0;
	for (unsigned int t = 0; t < r->n_tiers; t++) {
		if ((double)r->tiers[t].confidence < least)
			least = (double)r->tiers[t].confidence;
	}
	return least > 0 ? least : 1e-6; /* trusted all the same */
}

double
hostmodel_trust(const struct hostmodel *h)
{
	return trust_of(h->ranking);
}

void
hostmodel_judge(const struct hostmodel *h, const struct matrix *m,
	struct hostmodel_verdict *out)
{
	const struct lat_classes *classes = lat_classes_default();
	struct hostmodel_verdict v = {.matrix = matrix_select(m, &h->topo->online)};
	struct lat_view view;

	v.latency_ns = lat_measured_matrix(h->topo, classes, v.matrix);
	view = (struct lat_view){v.latency_ns, h->topo->n_pus};
	v.ranking = ranking_from_matrix(h->topo, v.matrix, &view);
	if (h->id.virtual)
		v.why = WHY_VIRTUAL;
	else if (!v.ranking->trusted)
		v.why = v.ranking->why != NULL ? v.ranking->why : "too little is clear";
	if (v.why == NULL)
		v.trust = trust_of(v.ranking);
	*out = v;
}

static bool
same_tier(const struct ranking *a, const struct ranking *b, unsigned int t)
{
	const struct tier *x = &a->tiers[t];
	const struct tier *y = &b->tiers[t];

	if (x->n_domains != y->n_domains)
		return false;
	for (unsigned int d = 0; d < x->n_domains; d++) {
		if (!cpuset_equal(&a->domains[x->first_domain + d].cpus,
			    &b->domains[y->first_domain + d].cpus))
			return false;
	}
	return true;
}

static bool
same_domains(const struct ranking *a, const struct ranking *b)
{
	if (a->n_tiers != b->n_tiers)
		return false;
	for (unsigned int t = 0; t < a->n_tiers; t++) {
		if (!same_tier(a, b, t))
			return false;
	}
	return true;
}

bool
hostmodel_accept(struct hostmodel *h, struct hostmodel_verdict *v)
{
	struct hostmodel old = *h;
	bool other;

	h->matrix = v->matrix;
	h->why = v->why;
	if (v->why == NULL) {
		h->latency_ns = v->latency_ns;
		h->ranking = v->ranking;
	} else { /* also where an earlier one was trusted */
		free(v->latency_ns);
		ranking_free(v->ranking);
		by_class(h);
	}
	*v = (struct hostmodel_verdict){0};
	other = !same_domains(old.ranking, h->ranking);
	matrix_free(old.matrix);
	free(old.latency_ns);
	ranking_free(old.ranking);
	return other;
}

unsigned int
hostmodel_pairs(const struct hostmodel *h)
{
	unsigned int n = 0;

	for (size_t i = 0; h->matrix != NULL && i < matrix_pairs(h->matrix->n); i++)
		n += h->matrix->cells[i].visits > 0;
	return n;
}

/* ---- for people ---- */

static void append(char *buf, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* A text behind another, with a comma between; cut where the room ends. */
static void
append(char *buf, size_t size, const char *fmt, ...)
{
	size_t used = strnlen(buf, size);
	va_list args;

	if (used > 0 && used + 2 < size) {
		str_copy(buf + used, size - used, ", ");
		used += 2;
	}
	va_start(args, fmt);
	(void)vsnprintf(buf + used, size - used, fmt, args);
	va_end(args);
}

char *
hostmodel_tiers_text(const struct hostmodel *h, char *buf, size_t size)
{
	buf[0] = '\0';
	for (unsigned int t = 0; t < h->ranking->n_tiers; t++) {
		const struct tier *tier = &h->ranking->tiers[t];

		append(buf, size, "%s %.0f ns", tier->name, (double)tier->latency_ns);
	}
	return buf;
}

char *
hostmodel_dispute_text(const struct hostmodel *h, char *buf, size_t size)
{
	buf[0] = '\0';
	for (unsigned int i = 0; i < h->ranking->n_levels; i++) {
		const struct ranking_level *l = &h->ranking->levels[i];

		if (l->verdict == RANKING_SPLIT || l->verdict == RANKING_DENIED)
			append(buf, size, "%s is %s (%.0f ns inside, %.0f ns beyond)",
				l->name, ranking_verdict_name(l->verdict),
				(double)l->within_ns, (double)l->beyond_ns);
	}
	return buf;
}

// SPDX-License-Identifier: MIT
/*
 * GetLatency's reply as a struct, both ways. What comes in is checked until every
 * promise of ctl/latency.h holds, so that pictures and tables need not. Pure.
 */
#include "config.h"

#include "ctl/latency.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/shapes.h"
#include "topo/lat.h"

/* Values below so many tenths of a nanosecond are one JSON object each, however often
 * they come: a million pairs need no million objects. */
#define SHARED_TENTHS 65536u

static void
drop_tiers(struct ctl_latency *l)
{
	for (unsigned int i = 0; i < l->n_tiers; i++)
		free(l->tiers[i].domains);
	l->n_tiers = 0;
}

void
ctl_latency_fini(struct ctl_latency *l)
{
	drop_tiers(l);
	matrix_free(l->matrix);
	*l = (struct ctl_latency){0};
}

/* ---- from a ranking ---- */

static void
add_tier(struct ctl_latency *l, const struct ranking *r, const struct tier *from)
{
	struct ctl_tier *to = &l->tiers[l->n_tiers++];

	to->latency_ns = (double)from->latency_ns;
	to->confidence = (double)from->confidence;
	to->n_domains = from->n_domains;
	to->domains = xcalloc(from->n_domains, sizeof(*to->domains));
	for (unsigned int i = 0; i < from->n_domains; i++)
		to->domains[i] = r->domains[from->first_domain + i].cpus;
}

void
ctl_latency_set(struct ctl_latency *l, const struct ranking *r, const struct matrix *m)
{
	const struct tier *last = &r->tiers[r->n_tiers - 1];
	const struct cpuset *all = &r->domains[last->first_domain].cpus;
	struct matrix *copy = m != NULL ? matrix_select(m, all) : matrix_new(all);

	drop_tiers(l);
	matrix_free(l->matrix);
	l->matrix = copy;
	l->trusted = r->trusted;
	for (unsigned int i = 0; i + 1 < r->n_tiers && i + 1 < CTL_LATENCY_TIERS_MAX;
		i++)
		add_tier(l, r, &r->tiers[i]);
	add_tier(l, r, last);
}

void
ctl_latency_set_model(struct ctl_latency *l, const struct topo *t)
{
	auto_free float *ns = lat_class_matrix(t, lat_classes_default());
	const struct lat_view view = {ns, t->n_pus};
	struct ranking *r = ranking_from_topo(t, &view);
	struct matrix *m = matrix_new(&t->online);

	for (unsigned int a = 0; a < m->n; a++) {
		for (unsigned int b = 0; b < a; b++)
			matrix_at(m, a, b)->ns = lat_ns(&view, a, b);
	}
	ctl_latency_set(l, r, m);
	str_copy(l->source, sizeof(l->source), "class model");
	matrix_free(m);
	ranking_free(r);
}

/* ---- to JSON ---- */

/* In tenths of a nanosecond. What JSON cannot say counts as no result; what no reader
 * would take is cut. */
static uint64_t
tenths_of(double ns)
{
	if (!(ns > 0 && isfinite(ns)))
		return 0;
	return (uint64_t)((ns < CTL_LATENCY_NS_MAX ? ns : CTL_LATENCY_NS_MAX) * 10 +
			  0.5);
}

static json_t *
domains_json(const struct ctl_tier *tier)
{
	auto_free char *text = xcalloc(CPUSET_TEXT_MAX, 1);
	json_t *domains = json_array();

	for (unsigned int i = 0; i < tier->n_domains; i++) {
		json_t *domain = json_object();

		cpuset_format(&tier->domains[i], text, CPUSET_TEXT_MAX);
		json_object_set_new(domain, "cpus", json_string(text));
		json_array_append_new(domains, domain);
	}
	return domains;
}

static json_t *
tiers_json(const struct ctl_latency *l)
{
	json_t *tiers = json_array();

	for (unsigned int i = 0; i < l->n_tiers; i++) {
		const struct ctl_tier *t = &l->tiers[i];
		json_t *tier = json_object();

		json_object_set_new(tier, "latency_ns",
			json_real((double)tenths_of(t->latency_ns) / 10));
		json_object_set_new(tier, "confidence",
			json_real(round(t->confidence * 100) / 100));
		json_object_set_new(tier, "domains", domains_json(t));
		json_array_append_new(tiers, tier);
	}
	return tiers;
}

/* Append a value, as the object it had last time where it is a usual one. */
static void
append_ns(json_t *row, double ns, json_t **shared)
{
	uint64_t tenths = tenths_of(ns);

	if (tenths >= SHARED_TENTHS) {
		json_array_append_new(row, json_real((double)tenths / 10));
		return;
	}
	if (shared[tenths] == NULL)
		shared[tenths] = json_real((double)tenths / 10);
	json_array_append(row, shared[tenths]);
}

static json_t *
rows_json(const struct matrix *m)
{
	json_t **shared = xcalloc(SHARED_TENTHS, sizeof(json_t *));
	json_t *rows = json_array();

	for (unsigned int i = 0; i < m->n; i++) {
		json_t *row = json_object();
		json_t *ns = json_array();

		for (unsigned int j = 0; j < m->n; j++)
			append_ns(ns, i != j ? (double)matrix_at(m, i, j)->ns : 0.0,
				shared);
		json_object_set_new(row, "cpu", json_integer(m->cpus[i]));
		json_object_set_new(row, "ns", ns);
		json_array_append_new(rows, row);
	}
	for (size_t i = 0; i < SHARED_TENTHS; i++)
		json_decref(shared[i]);
	free(shared);
	return rows;
}

/* All but the rows. */
static json_t *
head_json(const struct ctl_latency *l)
{
	json_t *reply = json_object();

	json_object_set_new(reply, "trusted", json_boolean(l->trusted));
	json_object_set_new(reply, "source", ctl_text_json(l->source));
	json_object_set_new(reply, "fingerprint", ctl_text_json(l->fingerprint));
	json_object_set_new(reply, "measured",
		l->measured_us > 0 ? json_integer((json_int_t)l->measured_us)
				   : json_null());
	json_object_set_new(reply, "tiers", tiers_json(l));
	return reply;
}

json_t *
ctl_latency_json(const struct ctl_latency *l)
{
	json_t *reply = head_json(l);

	json_object_set_new(reply, "rows", rows_json(l->matrix));
	return reply;
}

/* ---- to text ---- */

/* Longest value: CTL_LATENCY_NS_MAX with its tenth. */
#define NS_TEXT_MAX 16

static void
add_ns(struct strbuf *b, float ns)
{
	uint64_t rest = tenths_of((double)ns);
	char text[NS_TEXT_MAX];
	char *p = text + sizeof(text);

	*--p = (char)('0' + rest % 10);
	*--p = '.';
	do {
		rest /= 10;
		*--p = (char)('0' + rest % 10);
	} while (rest >= 10);
	strbuf_add(b, p, (size_t)(text + sizeof(text) - p));
}

static void
add_rows(struct strbuf *b, const struct matrix *m)
{
	for (unsigned int i = 0; i < m->n; i++) {
		strbuf_addf(b, "%s{\"cpu\":%u,\"ns\":[", i > 0 ? "," : "", m->cpus[i]);
		for (unsigned int j = 0; j < m->n; j++) {
			if (j > 0)
				strbuf_add(b, ",", 1);
			add_ns(b, i != j ? matrix_at(m, i, j)->ns : 0.0f);
		}
		strbuf_adds(b, "]}");
	}
}

char *
ctl_latency_text(const struct ctl_latency *l)
{
	auto_json json_t *head = head_json(l);
	struct strbuf b = {0};
	char *text = json_dumps(head, JSON_COMPACT | JSON_REAL_PRECISION(DBL_DIG));

	if (text == NULL)
		abort(); /* no memory, as in xcalloc */
	/* in place of its closing brace */
	strbuf_add(&b, text, strlen(text) - 1);
	free(text);
	strbuf_adds(&b, ",\"rows\":[");
	add_rows(&b, l->matrix);
	strbuf_adds(&b, "]}");
	return strbuf_take(&b);
}

/* ---- from JSON ---- */

static int
refuse(struct err *e, const char *why)
{
	return err_set(e, -EPROTO, NULL, 0, "no latencies from qmpind: %s", why);
}

/* A number of 0 to @max. */
static bool
get_number(const json_t *value, double max, double *out)
{
	double x = json_number_value(value);

	if (!json_is_number(value) || !(x >= 0 && x <= max))
		return false;
	*out = x;
	return true;
}

static bool
is_fingerprint(const char *text)
{
	size_t len = strlen(text);

	return len < sizeof(((struct ctl_latency *)NULL)->fingerprint) &&
	       strspn(text, "0123456789abcdef") == len;
}

static int
parse_head(const json_t *reply, struct ctl_latency *l, struct err *e)
{
	const char *source;
	const char *fingerprint;
	int trusted;
	int r;

	if (json_get_bool(reply, "trusted", &trusted) < 0)
		return refuse(e, "whether they are trusted is missing");
	if (json_get_string(reply, "source", &source) < 0 ||
		strlen(source) >= sizeof(l->source))
		return refuse(e, "no source, or too long a one");
	if (json_get_string(reply, "fingerprint", &fingerprint) < 0 ||
		!is_fingerprint(fingerprint))
		return refuse(e, "no fingerprint of a host");
	r = json_get_uint(reply, "measured", INT64_MAX, &l->measured_us);
	if (r < 0 && r != -ENOENT)
		return refuse(e, "no time of measurement");
	l->trusted = trusted != 0;
	str_copy(l->source, sizeof(l->source), source);
	str_copy(l->fingerprint, sizeof(l->fingerprint), fingerprint);
	return 0;
}

/* The CPUs of the rows, ascending, each row as long as there are rows. */
static int
parse_row_heads(const json_t *rows, struct cpuset *out, struct err *e)
{
	struct cpuset cpus = CPUSET_NONE;
	size_t n = json_array_size(rows);
	uint64_t cpu = 0;

	if (n == 0 || n > CPUSET_CAP)
		return refuse(e, "no rows, or too many");
	for (size_t i = 0; i < n; i++) {
		const json_t *row = json_array_get(rows, i);
		uint64_t before = cpu;
		json_t *ns;

		if (json_get_uint(row, "cpu", CPUSET_CAP - 1, &cpu) < 0 ||
			(i > 0 && cpu <= before))
			return refuse(e, "rows that are not in the order of CPUs");
		if (json_get_array(row, "ns", &ns) < 0 || json_array_size(ns) != n)
			return refuse(e, "rows that are not as long as there are CPUs");
		cpuset_add(&cpus, (unsigned int)cpu);
	}
	*out = cpus;
	return 0;
}

static int
parse_row(json_t *const *rows, unsigned int i, struct matrix *m, struct err *e)
{
	double ns;

	if (!get_number(json_array_get(rows[i], i), 0, &ns))
		return refuse(e, "a latency from a CPU to itself");
	for (unsigned int j = 0; j < i; j++) {
		double back;

		if (!get_number(json_array_get(rows[i], j), CTL_LATENCY_NS_MAX, &ns) ||
			!get_number(
				json_array_get(rows[j], i), CTL_LATENCY_NS_MAX, &back))
			return refuse(e, "a value that is no latency");
		if (ns < back || ns > back)
			return refuse(e, "two latencies for one pair of CPUs");
		if (ns > 0)
			*matrix_at(m, i, j) = (struct matrix_cell){
				.ns = (float)ns, .visits = 1, .confidence_pct = 100};
	}
	return 0;
}

static int
parse_rows(const json_t *rows, struct ctl_latency *l, struct err *e)
{
	auto_free json_t **ns = NULL;
	struct cpuset cpus;
	int r = parse_row_heads(rows, &cpus, e);

	if (r < 0)
		return r;
	l->matrix = matrix_new(&cpus);
	ns = xcalloc(l->matrix->n, sizeof(json_t *));
	for (unsigned int i = 0; i < l->matrix->n; i++)
		ns[i] = json_object_get(json_array_get(rows, i), "ns");
	for (unsigned int i = 0; r == 0 && i < l->matrix->n; i++)
		r = parse_row(ns, i, l->matrix, e);
	return r;
}

/* Into @tier, whose domains are in order and do not overlap. */
static int
parse_domains(const json_t *domains, struct ctl_tier *tier, struct err *e)
{
	struct cpuset seen = CPUSET_NONE;
	size_t n = json_array_size(domains);

	if (n == 0 || n > CPUSET_CAP)
		return refuse(e, "a tier without domains, or with too many");
	tier->domains = xcalloc(n, sizeof(*tier->domains));
	tier->n_domains = (unsigned int)n;
	for (size_t i = 0; i < n; i++) {
		struct cpuset *d = &tier->domains[i];
		const char *text;

		if (json_get_string(json_array_get(domains, i), "cpus", &text) < 0 ||
			cpuset_parse(text, d) < 0 || cpuset_empty(d))
			return refuse(e, "a domain without CPUs");
		if (cpuset_overlap(&seen, d))
			return refuse(e, "domains that overlap");
		if (i > 0 && cpuset_next(d, 0) < cpuset_next(d - 1, 0))
			return refuse(e, "domains that are not in order");
		seen = cpuset_or(&seen, d);
	}
	return 0;
}

static int
parse_tier(const json_t *value, struct ctl_tier *tier, struct err *e)
{
	json_t *domains;

	if (!get_number(json_object_get(value, "latency_ns"), CTL_LATENCY_NS_MAX,
		    &tier->latency_ns) ||
		!get_number(json_object_get(value, "confidence"), 1, &tier->confidence))
		return refuse(e, "a tier without latency or confidence");
	if (json_get_array(value, "domains", &domains) < 0)
		return refuse(e, "a tier without domains");
	return parse_domains(domains, tier, e);
}

static int
parse_tiers(const json_t *tiers, struct ctl_latency *l, struct err *e)
{
	size_t n = json_array_size(tiers);
	int r = 0;

	if (n == 0 || n > CTL_LATENCY_TIERS_MAX)
		return refuse(e, "no tiers, or too many");
	while (r == 0 && l->n_tiers < n) {
		struct ctl_tier *tier = &l->tiers[l->n_tiers];

		r = parse_tier(json_array_get(tiers, l->n_tiers++), tier, e);
	}
	return r;
}

/* Has each domain of @inner its place within one of @outer? They partition the same
 * CPUs then, if their numbers are the same. */
static bool
is_nested(const struct ctl_tier *inner, const struct ctl_tier *outer)
{
	auto_free unsigned int *owner = xcalloc(CPUSET_CAP, sizeof(*owner));
	size_t n_inner = 0;
	size_t n_outer = 0;

	for (unsigned int i = 0; i < outer->n_domains; i++) {
		cpuset_foreach (cpu, &outer->domains[i])
			owner[cpu] = i;
		n_outer += cpuset_count(&outer->domains[i]);
	}
	for (unsigned int i = 0; i < inner->n_domains; i++) {
		const struct cpuset *d = &inner->domains[i];

		if (!cpuset_within(d, &outer->domains[owner[cpuset_next(d, 0)]]))
			return false;
		n_inner += cpuset_count(d);
	}
	return n_inner == n_outer;
}

static int
check_tiers(struct ctl_latency *l, struct err *e)
{
	const struct ctl_tier *last = &l->tiers[l->n_tiers - 1];
	struct cpuset cpus;

	if (last->n_domains != 1)
		return refuse(e, "a last tier that is not the whole host");
	if (l->matrix == NULL)
		l->matrix = matrix_new(&last->domains[0]);
	cpus = matrix_cpus(l->matrix);
	if (!cpuset_equal(&cpus, &last->domains[0]))
		return refuse(e, "tiers of other CPUs than the rows");
	for (unsigned int i = 0; i + 1 < l->n_tiers; i++) {
		if (!is_nested(&l->tiers[i], &l->tiers[i + 1]))
			return refuse(e, "tiers that do not nest");
	}
	return 0;
}

/* Leaves in @l what was read before an error. */
static int
parse(const json_t *reply, struct ctl_latency *l, struct err *e)
{
	json_t *tiers;
	json_t *rows;
	int r;

	r = parse_head(reply, l, e);
	if (r < 0)
		return r;
	r = json_get_array(reply, "rows", &rows);
	if (r == 0)
		r = parse_rows(rows, l, e);
	else if (r != -ENOENT)
		r = refuse(e, "rows that are no list");
	else
		r = 0;
	if (r < 0)
		return r;
	if (json_get_array(reply, "tiers", &tiers) < 0)
		return refuse(e, "no tiers");
	r = parse_tiers(tiers, l, e);
	return r < 0 ? r : check_tiers(l, e);
}

int
ctl_latency_parse(const json_t *reply, struct ctl_latency *out, struct err *e)
{
	struct ctl_latency l = {0};
	int r = parse(reply, &l, e);

	if (r < 0)
		ctl_latency_fini(&l);
	else
		*out = l;
	return r;
}

// SPDX-License-Identifier: MIT
/*
 * A measurement, written as text and compared with the host as it is now. Lines come in
 * one order, so that the reader (cache_parse.c) can refuse what the writer would not
 * have written.
 */
#include "config.h"

#include "probe/cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "probe/cache_text.h"
#include "probe/number.h"

void
cache_fini(struct cache *c)
{
	matrix_free(c->matrix);
	free(c->places);
	*c = (struct cache){0};
}

char *
cache_file_name(const char *fingerprint, char *buf, size_t size)
{
	(void)snprintf(buf, size, "latency-%s", fingerprint);
	return buf;
}

static const struct cache_place nowhere = {
	TOPO_NONE, TOPO_NONE, TOPO_NONE, TOPO_NONE, TOPO_NONE};

static int
group_id(const struct topo_group *groups, int index)
{
	return index == TOPO_NONE ? TOPO_NONE : (int)groups[index].id;
}

static struct cache_place
place_of(const struct topo *t, unsigned int cpu)
{
	const struct topo_pu *pu = topo_pu_of(t, cpu);

	if (pu == NULL)
		return nowhere;
	return (struct cache_place){
		.core = group_id(t->cores, pu->core),
		.l2 = group_id(t->l2, pu->l2),
		.l3 = group_id(t->l3, pu->l3),
		.node = pu->node == TOPO_NONE ? TOPO_NONE : (int)t->nodes[pu->node].id,
		.package = group_id(t->packages, pu->package),
	};
}

void
cache_set_places(struct cache *c, const struct topo *t)
{
	const struct matrix *m = c->matrix;

	free(c->places);
	c->places = xcalloc(m->n, sizeof(*c->places));
	for (unsigned int i = 0; i < m->n; i++)
		c->places[i] = place_of(t, m->cpus[i]);
}

static void
add_host(struct strbuf *b, const char *host)
{
	strbuf_adds(b, CACHE_HOST_LINE);
	for (const char *p = *host != '\0' ? host : "-"; *p != '\0'; p++)
		strbuf_add(b, *p >= ' ' && *p <= '~' ? p : "?", 1);
	strbuf_adds(b, "\n");
}

static void
add_places(struct strbuf *b, const struct cache *c)
{
	for (unsigned int i = 0; i < c->matrix->n; i++) {
		struct cache_place p = c->places != NULL ? c->places[i] : nowhere;

		strbuf_addf(b, CACHE_PLACE_LINE "%u %d %d %d %d %d\n",
			c->matrix->cpus[i], p.core, p.l2, p.l3, p.node, p.package);
	}
}

static char
digit_of(const struct matrix_cell *cell, enum cache_digits kind)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz";
	unsigned int value = kind == CACHE_VISITS
				     ? cell->visits
				     : cell->confidence_pct / CACHE_CONFIDENCE_STEP_PCT;

	return digits[value < CACHE_DIGIT_MAX ? value : CACHE_DIGIT_MAX];
}

/* The first row has no pairs and no line. */
static void
add_digits(struct strbuf *b, const struct matrix *m, enum cache_digits kind)
{
	auto_free char *row = xcalloc(m->n + 1, 1);

	for (unsigned int i = 1; i < m->n; i++) {
		strbuf_addf(b, "%s%u ", cache_digits_line(kind), m->cpus[i]);
		for (unsigned int j = 0; j < i; j++)
			row[j] = digit_of(matrix_at(m, i, j), kind);
		row[i] = '\n';
		strbuf_add(b, row, i + 1);
	}
}

/* Every row has as many cells as the header, which is what readers of CSV like best. */
static void
add_table(struct strbuf *b, const struct matrix *m)
{
	auto_free char *row = xcalloc((size_t)m->n + 2, NUMBER_NS_TEXT_MAX + 1);

	strbuf_adds(b, "cpu");
	for (unsigned int i = 0; i < m->n; i++)
		strbuf_addf(b, ",%u", m->cpus[i]);
	strbuf_adds(b, "\n");
	for (unsigned int i = 0; i < m->n; i++) {
		size_t len = number_write_uint(m->cpus[i], row);

		for (unsigned int j = 0; j < m->n; j++) {
			row[len++] = ',';
			if (j < i && matrix_at(m, i, j)->ns > 0)
				len += number_write_ns(
					matrix_at(m, i, j)->ns, row + len);
		}
		row[len++] = '\n';
		strbuf_add(b, row, len);
	}
}

char *
cache_format(const struct cache *c, size_t *len)
{
	char sum[HASH_TEXT_MAX];
	struct strbuf b = {0};
	size_t body;

	strbuf_addf(&b,
		CACHE_FIRST_LINE "%u\n" CACHE_CHECKSUM_LINE "0123456789abcdef\n",
		CACHE_VERSION);
	body = b.len;
	strbuf_addf(&b, CACHE_FINGERPRINT_LINE "%s\n",
		*c->fingerprint != '\0' ? c->fingerprint : "-");
	add_host(&b, c->host);
	strbuf_addf(&b, CACHE_MEASURED_LINE "%" PRIu64 "\n", c->measured_s);
	add_places(&b, c);
	add_digits(&b, c->matrix, CACHE_VISITS);
	add_digits(&b, c->matrix, CACHE_CONFIDENCE);
	add_table(&b, c->matrix);
	hash_text(b.s + body, b.len - body, sum);
	memcpy(b.s + body - 1 - CACHE_CHECKSUM_DIGITS, sum, CACHE_CHECKSUM_DIGITS);
	*len = b.len;
	return strbuf_take(&b);
}

/* Two that are in no group are in different ones. */
static bool
together(int a, int b)
{
	return a >= 0 && a == b;
}

/* Do the same CPUs share a group on both sides? Numbers of groups mean nothing: they
 * change when the lowest CPU of one goes offline. */
static bool
same_groups(struct cache_place *then, struct cache_place *now, unsigned int n,
	enum cache_field field)
{
	auto_free int *a = xcalloc(n, sizeof(*a));
	auto_free int *b = xcalloc(n, sizeof(*b));

	for (unsigned int i = 0; i < n; i++) {
		a[i] = *cache_field(&then[i], field);
		b[i] = *cache_field(&now[i], field);
		for (unsigned int j = 0; j < i; j++) {
			if (together(a[i], a[j]) != together(b[i], b[j]))
				return false;
		}
	}
	return true;
}

int
cache_check(const struct cache *c, const char *fingerprint, const struct topo *t,
	const char *name, struct err *e)
{
	static const char *const levels[CACHE_FIELDS] = {
		"core", "L2", "L3", "node", "package"};
	const struct matrix *m = c->matrix;
	auto_free struct cache_place *then = xcalloc(m->n, sizeof(*then));
	auto_free struct cache_place *now = xcalloc(m->n, sizeof(*now));
	unsigned int n = 0;

	if (*c->fingerprint == '\0' || !str_equal(c->fingerprint, fingerprint))
		return err_set(e, -ESTALE, name, 0,
			"measured on another host: fingerprint %s, here %s",
			c->fingerprint, fingerprint);
	for (unsigned int i = 0; i < m->n; i++) {
		if (c->places == NULL || topo_pu_of(t, m->cpus[i]) == NULL)
			continue;
		then[n] = c->places[i];
		now[n++] = place_of(t, m->cpus[i]);
	}
	for (enum cache_field i = 0; i < CACHE_FIELDS; i++) {
		if (!same_groups(then, now, n, i))
			return err_set(e, -ESTALE, name, 0,
				"measured when other CPUs shared a %s", levels[i]);
	}
	return 0;
}

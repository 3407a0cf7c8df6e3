// SPDX-License-Identifier: MIT
/*
 * What is known of this host's latencies. Numbers of groups (places) change when CPUs
 * go offline, so those of CPUs that a result does not have are translated to its own:
 * else a CPU that comes back would seem to have moved.
 */
#include "config.h"

#include "daemon/knowledge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "probe/cachefile.h"

void
knowledge_init(struct knowledge *k, const struct clock *clock, const char *dir)
{
	*k = (struct knowledge){.clock = clock, .dir = xstrdup(dir)};
}

static void
forget(struct knowledge *k)
{
	cache_fini(&k->cache);
	k->dirty = false;
}

void
knowledge_fini(struct knowledge *k)
{
	forget(k);
	free(k->dir);
	k->dir = NULL;
}

/* ---- the file ---- */

static int
open_dir(const struct knowledge *k, struct err *e)
{
	int fd;

	if (mkdir(k->dir, 0755) < 0 && errno != EEXIST)
		return err_set(
			e, -errno, k->dir, 0, "cannot make: %s", strerror(errno));
	fd = open(k->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(
			e, -errno, k->dir, 0, "cannot open: %s", strerror(errno));
	return fd;
}

int
knowledge_load(struct knowledge *k, const struct hostmodel *h, struct err *e)
{
	auto_close int fd = open(k->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cache cache = {0};
	char name[32];
	int r;

	forget(k);
	if (h->id.fingerprint[0] == '\0' || (fd < 0 && errno == ENOENT))
		return -ENOENT;
	if (fd < 0)
		return err_set(
			e, -errno, k->dir, 0, "cannot open: %s", strerror(errno));
	cache_file_name(h->id.fingerprint, name, sizeof(name));
	r = cachefile_load(fd, name, &cache, e);
	if (r < 0)
		return r;
	r = cache_check(&cache, h->id.fingerprint, h->topo, name, e);
	if (r < 0)
		cache_fini(&cache);
	else
		k->cache = cache;
	return r;
}

static void
say_trouble(struct knowledge *k, const struct err *why)
{
	char text[sizeof(k->trouble)];

	err_format(why, text, sizeof(text));
	if (strcmp(text, k->trouble) == 0)
		return;
	str_copy(k->trouble, sizeof(k->trouble), text);
	log_warning("latency: %s: what was measured is kept in memory only", text);
}

void
knowledge_save(struct knowledge *k, bool now)
{
	uint64_t now_us = clock_now_us(k->clock);
	struct err why = ERR_NONE;
	auto_close int fd = -1;

	if (!k->dirty || (!now && k->saved_us != 0 &&
				 now_us - k->saved_us < KNOWLEDGE_SAVE_MS * 1000ull))
		return;
	k->saved_us = now_us;
	fd = open_dir(k, &why);
	if (fd < 0 || cachefile_save(fd, &k->cache, &why) < 0) {
		say_trouble(k, &why);
		return;
	}
	k->dirty = false;
	k->trouble[0] = '\0';
}

/* ---- what it says ---- */

/* Places are not compared again: CPUs do not wander while the kernel runs, but what it
 * says of one that is on its way to be online is incomplete. */
bool
knowledge_fits(const struct knowledge *k, const struct hostmodel *h)
{
	return k->cache.matrix != NULL &&
	       str_equal(k->cache.fingerprint, h->id.fingerprint);
}

bool
knowledge_covers(const struct knowledge *k, const struct hostmodel *h)
{
	struct matrix *m;
	bool all = true;

	if (k->cache.matrix == NULL)
		return false;
	m = matrix_select(k->cache.matrix, &h->topo->online);
	for (size_t i = 0; all && i < matrix_pairs(m->n); i++)
		all = m->cells[i].ns > 0;
	matrix_free(m);
	return all;
}

char *
knowledge_text(const struct knowledge *k, const struct hostmodel *h, size_t *len)
{
	struct cache part = k->cache;
	char *text;

	if (k->cache.matrix == NULL)
		return NULL;
	part.matrix = matrix_select(k->cache.matrix, &h->topo->online);
	part.places = NULL;
	cache_set_places(&part, h->topo);
	text = cache_format(&part, len);
	cache_fini(&part);
	return text;
}

/* ---- what is new ---- */

static bool
wins(const struct matrix_cell *new, const struct matrix_cell *old, bool whole)
{
	return new->ns > 0 && (whole || new->visits > 0 || old->visits == 0);
}

struct matrix *
knowledge_with(const struct knowledge *k, const struct cache *result, bool whole)
{
	const struct matrix *from = result->matrix;
	struct cpuset cpus = matrix_cpus(from);
	struct cpuset known;
	auto_free int *rows = NULL;
	struct matrix *m;

	if (k->cache.matrix == NULL)
		return matrix_select(from, &cpus);
	known = matrix_cpus(k->cache.matrix);
	cpus = cpuset_or(&cpus, &known);
	m = matrix_select(k->cache.matrix, &cpus);
	rows = matrix_rows(m, from->cpus, from->n); /* it has them all */
	for (unsigned int i = 0; i < from->n; i++) {
		for (unsigned int j = 0; j < i; j++) {
			const struct matrix_cell *new = matrix_at(from, i, j);
			struct matrix_cell *old = matrix_at(
				m, (unsigned int)rows[i], (unsigned int)rows[j]);

			if (wins(new, old, whole))
				*old = *new;
		}
	}
	return m;
}

/* What the result calls the group that is called @id here: the name that a CPU of it
 * has there. None of it is there: as it is called here. */
static int
translate(const struct cache *old, const struct cache *result, size_t field, int id)
{
	for (unsigned int i = 0; id >= 0 && i < old->matrix->n; i++) {
		int at = matrix_index(result->matrix, old->matrix->cpus[i]);
		int was;

		memcpy(&was, (const char *)&old->places[i] + field, sizeof(was));
		if (at < 0 || was != id)
			continue;
		memcpy(&id, (const char *)&result->places[at] + field, sizeof(id));
		break;
	}
	return id;
}

static struct cache_place
place_in(const struct cache *old, const struct cache *result, unsigned int cpu)
{
	int at = matrix_index(result->matrix, cpu);
	struct cache_place p;

	if (at >= 0)
		return result->places[at];
	at = matrix_index(old->matrix, cpu); /* it has to be in one of them */
	p = old->places[at];
	p.core = translate(old, result, offsetof(struct cache_place, core), p.core);
	p.l2 = translate(old, result, offsetof(struct cache_place, l2), p.l2);
	p.l3 = translate(old, result, offsetof(struct cache_place, l3), p.l3);
	return p;
}

/* Cell by cell: a struct has gaps, whose bytes mean nothing. */
static bool
says_the_same(const struct matrix *a, const struct matrix *b)
{
	if (a == NULL || a->n != b->n ||
		memcmp(a->cpus, b->cpus, a->n * sizeof(*a->cpus)) != 0)
		return false;
	for (size_t i = 0; i < matrix_pairs(a->n); i++) {
		const struct matrix_cell *x = &a->cells[i];
		const struct matrix_cell *y = &b->cells[i];

		if (x->ns < y->ns || x->ns > y->ns || x->visits != y->visits ||
			x->confidence_pct != y->confidence_pct)
			return false;
	}
	return true;
}

void
knowledge_take(
	struct knowledge *k, struct matrix *m, const struct cache *result, bool afresh)
{
	struct cache now = *result;

	if (!afresh && says_the_same(k->cache.matrix, m)) {
		matrix_free(m);
		return;
	}
	now.matrix = m;
	now.measured_s = clock_real_us(k->clock) / 1000000;
	now.places = xcalloc(m->n, sizeof(*now.places));
	for (unsigned int i = 0; i < m->n; i++)
		now.places[i] = place_in(&k->cache, result, m->cpus[i]);
	cache_fini(&k->cache);
	k->cache = now;
	k->dirty = true;
}

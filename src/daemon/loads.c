// SPDX-License-Identifier: MIT
/* CPU use of groups of processes over time. Pure. */
#include "config.h"

#include "daemon/loads.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* Plans shall not follow every breath of a service: so much of a CPU, or so much of all
 * and at least so many CPUs of it, must have changed. */
#define NEWS_CPU 0.10
#define NEWS_SHARE 0.10
#define NEWS_CPUS 0.5

/* Index of the first group whose path is not below @path. */
static size_t
lower_bound(const struct loads *l, const char *path)
{
	size_t lo = 0;
	size_t hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(l->groups[mid].path, path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct loads_group *
find(const struct loads *l, const char *path)
{
	size_t i = lower_bound(l, path);

	return i < l->n && strcmp(l->groups[i].path, path) == 0 ? &l->groups[i] : NULL;
}

static struct loads_group *
insert(struct loads *l, const char *path)
{
	size_t i = lower_bound(l, path);

	l->groups = xgrow(l->groups, l->n, &l->cap, sizeof(*l->groups));
	memmove(&l->groups[i + 1], &l->groups[i], (l->n - i) * sizeof(*l->groups));
	l->n++;
	l->groups[i] = (struct loads_group){.path = xstrdup(path)};
	return &l->groups[i];
}

void
loads_begin(struct loads *l)
{
	for (size_t i = 0; i < l->n; i++)
		l->groups[i].seen = false;
}

/* A counter that goes back is of another group of this name. */
void
loads_add(struct loads *l, uint64_t now_us, const struct loads_sample *s)
{
	struct loads_group *g = find(l, s->path);

	if (g == NULL)
		g = insert(l, s->path);
	else if (now_us > g->read_us && s->used_us >= g->used_us)
		g->span_us = now_us - g->read_us;
	else
		g->span_us = 0;
	if (g->span_us > 0)
		g->now_cpus = (double)(s->used_us - g->used_us) / (double)g->span_us;
	g->cpus = *s->cpus;
	g->flags = s->flags;
	g->used_us = s->used_us;
	g->read_us = now_us;
	g->seen = true;
}

/* What was there when we came is believed at once; what starts later has to last. */
static void
smooth(struct loads_group *g, bool at_once)
{
	double weight =
		(double)g->span_us / ((double)g->span_us + (double)LOADS_HALF_US);

	if (g->span_us == 0)
		return;
	if (!g->known && at_once)
		g->busy_cpus = g->now_cpus;
	else
		g->busy_cpus += weight * (g->now_cpus - g->busy_cpus);
	g->known = true;
}

static void
forget_unseen(struct loads *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (l->groups[i].seen)
			l->groups[kept++] = l->groups[i];
		else
			free(l->groups[i].path);
	}
	l->n = kept;
}

static double
parts_cpus(const struct loads *l)
{
	double sum = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct loads_group *g = &l->groups[i];

		if ((g->flags & LOADS_PART) != 0 && g->span_us > 0)
			sum += g->now_cpus;
	}
	return sum;
}

void
loads_end(struct loads *l)
{
	double parts;

	forget_unseen(l);
	parts = parts_cpus(l);
	for (size_t i = 0; i < l->n; i++) {
		struct loads_group *g = &l->groups[i];

		if ((g->flags & LOADS_MACHINE) != 0)
			g->now_cpus = g->now_cpus > parts ? g->now_cpus - parts : 0;
		smooth(g, l->rounds < 2);
	}
	l->rounds++;
}

void
loads_fini(struct loads *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->groups[i].path);
	free(l->groups);
	*l = (struct loads){.n = 0};
}

double
loads_of(const struct loads *l, const char *path)
{
	const struct loads_group *g = find(l, path);

	return g != NULL && g->known ? g->busy_cpus : -1;
}

static void
lay(const struct loads *l, const struct cpuset *may, bool bound_only, double *cpus)
{
	memset(cpus, 0, CPUSET_CAP * sizeof(*cpus));
	for (size_t i = 0; i < l->n; i++) {
		const struct loads_group *g = &l->groups[i];
		struct cpuset on = cpuset_and(&g->cpus, may);

		if ((g->flags & LOADS_COUNTS) == 0 || !g->known)
			continue;
		if (bound_only && cpuset_within(may, &g->cpus))
			continue;
		if (cpuset_empty(&on))
			on = g->cpus;
		cpuset_foreach (cpu, &on)
			cpus[cpu] += g->busy_cpus / cpuset_count(&on);
	}
	for (unsigned int cpu = 0; cpu < CPUSET_CAP; cpu++) {
		if (cpus[cpu] > 1)
			cpus[cpu] = 1;
	}
}

void
loads_lay(const struct loads *l, const struct cpuset *may, double *cpus)
{
	lay(l, may, false, cpus);
}

void
loads_lay_bound(const struct loads *l, const struct cpuset *may, double *cpus)
{
	lay(l, may, true, cpus);
}

double
loads_sum(const double *cpus)
{
	double sum = 0;

	for (unsigned int cpu = 0; cpu < CPUSET_CAP; cpu++)
		sum += cpus[cpu];
	return sum;
}

static double
distance(double a, double b)
{
	return a > b ? a - b : b - a;
}

bool
loads_is_news(const double *shown, const double *now)
{
	double before = loads_sum(shown);
	double change = distance(before, loads_sum(now));

	for (unsigned int cpu = 0; cpu < CPUSET_CAP; cpu++) {
		if (distance(shown[cpu], now[cpu]) > NEWS_CPU)
			return true;
	}
	return change > NEWS_CPUS && change > NEWS_SHARE * before;
}

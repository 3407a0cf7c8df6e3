// SPDX-License-Identifier: MIT
/* Least, middle and largest latency of each tier's own pairs; names of tiers. Pure. */
#include "config.h"

#include "cli/latstats.h"

#include <stdlib.h>

#include "base/xalloc.h"

/* For each row of the matrix the domain it is in. */
static unsigned int *
domains_of_rows(const struct ctl_tier *tier, const struct matrix *m)
{
	unsigned int *of = xcalloc(m->n, sizeof(*of));

	for (unsigned int i = 0; i < tier->n_domains; i++) {
		cpuset_foreach (cpu, &tier->domains[i]) {
			int row = matrix_index(m, cpu);

			if (row >= 0)
				of[row] = i;
		}
	}
	return of;
}

static int
by_value(const void *a, const void *b)
{
	float x = *(const float *)a;
	float y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static void
finish(struct latstats *s, float *values)
{
	if (s->known == 0)
		return;
	qsort(values, s->known, sizeof(*values), by_value);
	s->min_ns = values[0];
	s->median_ns = values[(s->known - 1) / 2];
	s->max_ns = values[s->known - 1];
}

static void
count_cpus(const struct ctl_tier *tier, struct latstats *s)
{
	for (unsigned int i = 0; i < tier->n_domains; i++) {
		unsigned int n = cpuset_count(&tier->domains[i]);

		if (i == 0 || n < s->min_cpus)
			s->min_cpus = n;
		if (n > s->max_cpus)
			s->max_cpus = n;
	}
}

/* The pairs within @now but not within @before (NULL: there is no tier before). */
static void
count_pairs(const struct matrix *m, const unsigned int *before, const unsigned int *now,
	struct latstats *s, float *values)
{
	for (unsigned int i = 0; i < m->n; i++) {
		for (unsigned int j = 0; j < i; j++) {
			float ns = matrix_at(m, i, j)->ns;

			if (now[i] != now[j] ||
				(before != NULL && before[i] == before[j]))
				continue;
			s->pairs++;
			if (ns > 0)
				values[s->known++] = ns;
		}
	}
}

void
latstats_compute(const struct ctl_latency *l, struct latstats *out)
{
	auto_free float *values = xcalloc(matrix_pairs(l->matrix->n), sizeof(*values));
	unsigned int *before = NULL;

	for (unsigned int i = 0; i < l->n_tiers; i++) {
		unsigned int *now = domains_of_rows(&l->tiers[i], l->matrix);

		out[i] = (struct latstats){.pairs = 0};
		count_cpus(&l->tiers[i], &out[i]);
		count_pairs(l->matrix, before, now, &out[i], values);
		finish(&out[i], values);
		free(before);
		before = now;
	}
	free(before);
}

/* The CPUs of the group, or none, of a PU at a level. */
static const struct cpuset *
group_at(const struct topo *t, const struct topo_pu *pu, unsigned int level)
{
	switch (level) {
	case 0:
		return &t->cores[pu->core].cpus;
	case 1:
		return pu->l2 != TOPO_NONE ? &t->l2[pu->l2].cpus : NULL;
	case 2:
		return pu->l3 != TOPO_NONE ? &t->l3[pu->l3].cpus : NULL;
	case 3:
		return pu->node != TOPO_NONE ? &t->nodes[pu->node].cpus : NULL;
	default:
		return pu->package != TOPO_NONE ? &t->packages[pu->package].cpus : NULL;
	}
}

/* Are the domains of several CPUs groups of that level, each of them? */
static bool
is_level(const struct ctl_tier *tier, const struct topo *t, unsigned int level)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < tier->n_domains; i++) {
		const struct cpuset *d = &tier->domains[i];
		const struct topo_pu *pu = topo_pu_of(t, cpuset_next(d, 0));
		const struct cpuset *g = pu != NULL ? group_at(t, pu, level) : NULL;

		if (cpuset_count(d) < 2)
			continue;
		if (g == NULL || !cpuset_equal(g, d))
			return false;
		n++;
	}
	return n > 0;
}

const char *
latstats_tier_name(const struct ctl_latency *l, unsigned int tier, const struct topo *t)
{
	static const char *const levels[] = {"core", "l2", "l3", "node", "package"};

	if (tier + 1 == l->n_tiers)
		return "host";
	if (t == NULL)
		return "-";
	for (unsigned int level = 0; level < ARRAY_LEN(levels); level++) {
		if (is_level(&l->tiers[tier], t, level))
			return levels[level];
	}
	return "cluster";
}

// SPDX-License-Identifier: MIT
/*
 * Sorts CPUs by their domains, the widest first. Tiers that do not nest (the daemon's
 * word is not relied on) still give an order, only that a domain is in several places.
 */
#include "config.h"

#include "ctl/axis.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct place {
	unsigned int key[CTL_LATENCY_TIERS_MAX]; /* domains, far to near */
	unsigned int row;			 /* rows ascend with CPU numbers */
};

static int
compare_places(const void *va, const void *vb)
{
	const struct place *a = va;
	const struct place *b = vb;

	for (unsigned int i = 0; i < CTL_LATENCY_TIERS_MAX; i++) {
		if (a->key[i] != b->key[i])
			return a->key[i] < b->key[i] ? -1 : 1;
	}
	return a->row < b->row ? -1 : a->row > b->row;
}

/* Of @cpu; a number of its own when no domain has it. */
static unsigned int
domain_of(const struct ctl_tier *tier, unsigned int cpu)
{
	unsigned int d = 0;

	while (d < tier->n_domains && !cpuset_has(&tier->domains[d], cpu))
		d++;
	return d < tier->n_domains ? d : tier->n_domains + cpu;
}

void
axis_init(struct axis *a, const struct ctl_latency *l)
{
	unsigned int n = l->matrix != NULL ? l->matrix->n : 0;
	auto_free struct place *places = xcalloc(n, sizeof(*places));

	a->n = n;
	a->n_tiers = l->n_tiers;
	a->row = xcalloc(n, sizeof(*a->row));
	a->cpu = xcalloc(n, sizeof(*a->cpu));
	a->domain = xcalloc((size_t)n * l->n_tiers, sizeof(*a->domain));
	for (unsigned int i = 0; i < n; i++) {
		places[i].row = i;
		for (unsigned int t = 0; t < l->n_tiers; t++)
			places[i].key[l->n_tiers - 1 - t] =
				domain_of(&l->tiers[t], l->matrix->cpus[i]);
	}
	qsort(places, n, sizeof(*places), compare_places);
	for (unsigned int i = 0; i < n; i++) {
		a->row[i] = places[i].row;
		a->cpu[i] = l->matrix->cpus[places[i].row];
		for (unsigned int t = 0; t < l->n_tiers; t++)
			a->domain[(size_t)t * n + i] =
				places[i].key[l->n_tiers - 1 - t];
	}
}

void
axis_fini(struct axis *a)
{
	free(a->row);
	free(a->cpu);
	free(a->domain);
	*a = (struct axis){0};
}

bool
axis_begins(const struct axis *a, unsigned int tier, unsigned int at)
{
	const unsigned int *domain = &a->domain[(size_t)tier * a->n];

	return at == 0 || domain[at] != domain[at - 1];
}

unsigned int
axis_end(const struct axis *a, unsigned int tier, unsigned int at)
{
	do
		at++;
	while (at < a->n && !axis_begins(a, tier, at));
	return at;
}

unsigned int
axis_runs(const struct axis *a, unsigned int tier)
{
	unsigned int n = 0;

	for (unsigned int at = 0; at < a->n; at = axis_end(a, tier, at))
		n++;
	return n;
}

struct cpuset
axis_cpus(const struct axis *a, unsigned int from, unsigned int to)
{
	struct cpuset cpus = CPUSET_NONE;

	for (unsigned int at = from; at < to; at++)
		cpuset_add(&cpus, a->cpu[at]);
	return cpus;
}

/* Label @at unless a label is too near. */
static void
try_label(const struct axis *a, unsigned int gap, unsigned int at, bool *out)
{
	unsigned int from = at >= gap ? at - gap + 1 : 0;

	for (unsigned int i = from; i < a->n && i < at + gap; i++) {
		if (out[i])
			return;
	}
	out[at] = true;
}

/* In steps of a power of two from each label: CPUs come in such groups. */
static void
fill_labels(const struct axis *a, unsigned int gap, bool *out)
{
	unsigned int step = 1;
	unsigned int last = 0;

	while (step < gap)
		step *= 2;
	for (unsigned int at = 0; at < a->n; at++) {
		if ((at - last) % step == 0)
			try_label(a, gap, at, out);
		if (out[at])
			last = at;
	}
}

void
axis_labels(const struct axis *a, unsigned int gap, bool *out)
{
	memset(out, 0, a->n * sizeof(*out));
	for (unsigned int t = a->n_tiers; t-- > 0;) {
		/* Where its domains are nearer than labels may be, some of them would
		 * be picked at random. */
		if ((unsigned long)axis_runs(a, t) * gap > a->n)
			break;
		for (unsigned int at = 0; at < a->n; at = axis_end(a, t, at))
			try_label(a, gap, at, out);
	}
	fill_labels(a, gap, out);
}

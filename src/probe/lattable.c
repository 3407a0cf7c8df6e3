// SPDX-License-Identifier: MIT
/* CPUs of a file, rows of a matrix, and how the one finds the other. */
#include "config.h"

#include "probe/lattable.h"

#include <errno.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "probe/number.h"

static int
take_cpus(const unsigned int *cpus, unsigned int n, struct cpuset *set, struct err *e)
{
	for (unsigned int i = 0; i < n; i++) {
		if (cpus[i] >= CPUSET_CAP)
			return err_set(e, -EINVAL, NULL, 0,
				"CPU %u: at most %u are known", cpus[i],
				CPUSET_CAP - 1);
		if (cpuset_has(set, cpus[i]))
			return err_set(
				e, -EINVAL, NULL, 0, "CPU %u is there twice", cpus[i]);
		cpuset_add(set, cpus[i]);
	}
	return 0;
}

int
lattable_init(struct lattable *t, const unsigned int *cpus, unsigned int n,
	const struct cpuset *online, struct err *e)
{
	struct cpuset set = CPUSET_NONE;
	int r = 0;

	if (n > CPUSET_CAP)
		return err_set(e, -EINVAL, NULL, 0, "%u CPUs, at most %u are known", n,
			CPUSET_CAP);
	if (cpus != NULL)
		r = take_cpus(cpus, n, &set, e);
	else
		set = online != NULL ? *online : cpuset_below(n);
	if (r < 0)
		return r;
	if (cpuset_count(&set) != n)
		return err_set(e, -EINVAL, NULL, 0,
			"%u rows that do not say their CPU, but %u CPUs are online", n,
			cpuset_count(&set));
	t->n = n;
	t->matrix = matrix_new(&set);
	t->row_of = xcalloc(n, sizeof(*t->row_of));
	for (unsigned int i = 0; i < n; i++)
		t->row_of[i] = cpus != NULL
				       ? (unsigned int)matrix_index(t->matrix, cpus[i])
				       : i;
	return 0;
}

void
lattable_fini(struct lattable *t)
{
	free(t->row_of);
	matrix_free(t->matrix);
	*t = (struct lattable){0};
}

int
lattable_find(const struct lattable *t, unsigned int cpu)
{
	int row = matrix_index(t->matrix, cpu);

	for (unsigned int i = 0; row >= 0 && i < t->n; i++) {
		if (t->row_of[i] == (unsigned int)row)
			return (int)i;
	}
	return -1;
}

bool
lattable_fits(const struct lattable *t, unsigned int i, size_t cells)
{
	return cells == i || cells == (size_t)i + 1 || cells == t->n;
}

int
lattable_set(struct lattable *t, unsigned int i, unsigned int j, double ns)
{
	struct matrix_cell *cell;

	if (!(ns >= 0 && ns <= NUMBER_NS_MAX))
		return -EINVAL;
	if (i == j || (float)ns <= 0)
		return 0;
	cell = matrix_at(t->matrix, t->row_of[i], t->row_of[j]);
	if (cell->ns > 0 && cell->ns <= (float)ns)
		return 0;
	*cell = (struct matrix_cell){
		.ns = (float)ns, .visits = 1, .confidence_pct = 100};
	return 0;
}

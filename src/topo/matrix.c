// SPDX-License-Identifier: MIT
/* The lower triangle of a symmetric table. Who fills it decides what it means. Pure. */
#include "config.h"

#include "topo/matrix.h"

#include <stdlib.h>

#include "base/xalloc.h"

struct matrix *
matrix_new(const struct cpuset *cpus)
{
	struct matrix *m = xcalloc(1, sizeof(*m));
	unsigned int n = cpuset_count(cpus);

	m->cpus = xcalloc(n, sizeof(*m->cpus));
	m->cells = xcalloc(matrix_pairs(n), sizeof(*m->cells));
	cpuset_foreach (cpu, cpus)
		m->cpus[m->n++] = cpu;
	return m;
}

struct matrix *
matrix_select(const struct matrix *m, const struct cpuset *cpus)
{
	struct matrix *out = matrix_new(cpus);

	for (unsigned int i = 0; i < out->n; i++) {
		int a = matrix_index(m, out->cpus[i]);

		for (unsigned int j = 0; a >= 0 && j < i; j++) {
			int b = matrix_index(m, out->cpus[j]);

			if (b >= 0)
				*matrix_at(out, i, j) =
					*matrix_at(m, (unsigned int)a, (unsigned int)b);
		}
	}
	return out;
}

void
matrix_free(struct matrix *m)
{
	if (m == NULL)
		return;
	free(m->cpus);
	free(m->cells);
	free(m);
}

int
matrix_index(const struct matrix *m, unsigned int cpu)
{
	unsigned int low = 0;
	unsigned int high = m->n;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (m->cpus[mid] == cpu)
			return (int)mid;
		if (m->cpus[mid] < cpu)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

struct cpuset
matrix_cpus(const struct matrix *m)
{
	struct cpuset cpus = CPUSET_NONE;

	for (unsigned int i = 0; i < m->n; i++)
		cpuset_add(&cpus, m->cpus[i]);
	return cpus;
}

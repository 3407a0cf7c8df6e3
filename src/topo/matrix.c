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
	auto_free int *rows = matrix_rows(m, out->cpus, out->n);

	for (unsigned int i = 0; i < out->n; i++) {
		for (unsigned int j = 0; rows[i] >= 0 && j < i; j++) {
			if (rows[j] >= 0)
				*matrix_at(out, i, j) = *matrix_at(m,
					(unsigned int)rows[i], (unsigned int)rows[j]);
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

int *
matrix_rows(const struct matrix *m, const unsigned int *cpus, unsigned int n)
{
	int *rows = xcalloc(n, sizeof(*rows));

	for (unsigned int i = 0; i < n; i++)
		rows[i] = matrix_index(m, cpus[i]);
	return rows;
}

struct cpuset
matrix_cpus(const struct matrix *m)
{
	struct cpuset cpus = CPUSET_NONE;

	for (unsigned int i = 0; i < m->n; i++)
		cpuset_add(&cpus, m->cpus[i]);
	return cpus;
}

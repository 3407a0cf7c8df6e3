// SPDX-License-Identifier: MIT
/*
 * Measured latencies between CPUs: for each pair a value, how often it was visited and
 * how far it deserves trust. Symmetric, so each pair is stored once. Pure.
 */
#ifndef QMPIN_TOPO_MATRIX_H
#define QMPIN_TOPO_MATRIX_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "topo/cpuset.h"

/* What is known of one pair. */
struct matrix_cell {
	float ns;		/* one-way latency, nanoseconds, > 0; 0: no result */
	uint8_t visits;		/* times it was measured, at most 255; 0: a value is
				 * inferred from pairs like it */
	uint8_t confidence_pct; /* 0..100; of inferred values too */
};

struct matrix {
	unsigned int n;
	unsigned int *cpus;	   /* ascending CPU numbers */
	struct matrix_cell *cells; /* n (n - 1) / 2: row by row, lower triangle */
};

/** A matrix of @cpus without any result. Never NULL; free with matrix_free. */
struct matrix *matrix_new(const struct cpuset *cpus);

/** A copy of the part of @m that is about @cpus; CPUs that @m does not know have no
 * results. */
struct matrix *matrix_select(const struct matrix *m, const struct cpuset *cpus);

/** NULL is allowed. */
void matrix_free(struct matrix *m);

/** Row of a CPU, or -1. */
int matrix_index(const struct matrix *m, unsigned int cpu);

/** Rows of @n CPUs, -1 for those it does not have; new array, free() it. */
int *matrix_rows(const struct matrix *m, const unsigned int *cpus, unsigned int n);

struct cpuset matrix_cpus(const struct matrix *m);

/** Pairs of @n CPUs. */
static inline size_t
matrix_pairs(unsigned int n)
{
	return n == 0 ? 0 : (size_t)n * (n - 1) / 2;
}

/** The cell of two different rows, in any order. */
static inline struct matrix_cell *
matrix_at(const struct matrix *m, unsigned int a, unsigned int b)
{
	unsigned int row = a > b ? a : b;
	unsigned int column = a > b ? b : a;

	return &m->cells[(size_t)row * (row - 1) / 2 + column];
}

#endif

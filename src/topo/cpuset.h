// SPDX-License-Identifier: MIT
/*
 * A set of CPU numbers: a value, copied by assignment. Pure.
 */
#ifndef QMPIN_TOPO_CPUSET_H
#define QMPIN_TOPO_CPUSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Above the largest x86 host sold (1792 CPUs). A CPU at or above it is refused. */
#define CPUSET_CAP 2048u
#define CPUSET_WORDS (CPUSET_CAP / 64u)

/* Room for the longest cpulist that cpuset_format writes, with its NUL: two CPUs of
 * each three, "2045-2046,". */
#define CPUSET_TEXT_MAX ((CPUSET_CAP / 3u + 1u) * 10u + 1u)

struct cpuset {
	uint64_t words[CPUSET_WORDS];
};

#define CPUSET_NONE            \
	(struct cpuset)        \
	{                      \
		.words = { 0 } \
	}

/** CPUs 0 to @n - 1 (@n <= CPUSET_CAP). */
struct cpuset cpuset_below(unsigned int n);
/** One CPU (below CPUSET_CAP). */
struct cpuset cpuset_of(unsigned int cpu);

void cpuset_add(struct cpuset *s, unsigned int cpu);
void cpuset_remove(struct cpuset *s, unsigned int cpu);
/** false also for numbers at or above CPUSET_CAP */
bool cpuset_has(const struct cpuset *s, unsigned int cpu);

unsigned int cpuset_count(const struct cpuset *s);
bool cpuset_empty(const struct cpuset *s);
bool cpuset_equal(const struct cpuset *a, const struct cpuset *b);
/** every CPU of @a is in @b (also when @a is empty) */
bool cpuset_within(const struct cpuset *a, const struct cpuset *b);
bool cpuset_overlap(const struct cpuset *a, const struct cpuset *b);
/** Order of the lowest CPU in which they differ: -1, 0, 1. */
int cpuset_compare(const struct cpuset *a, const struct cpuset *b);

struct cpuset cpuset_and(const struct cpuset *a, const struct cpuset *b);
struct cpuset cpuset_or(const struct cpuset *a, const struct cpuset *b);
/** @a without @b */
struct cpuset cpuset_minus(const struct cpuset *a, const struct cpuset *b);

/** Lowest CPU at or above @from, or CPUSET_CAP. */
unsigned int cpuset_next(const struct cpuset *s, unsigned int from);

#define cpuset_foreach(cpu, set)                                         \
	for (unsigned int cpu = cpuset_next((set), 0); cpu < CPUSET_CAP; \
		cpu = cpuset_next((set), cpu + 1))

/**
 * Read a kernel cpulist ("0-3,8").
 *
 * @text  NUL-terminated; one trailing newline is accepted. Empty is the empty set.
 * @out   written only on success
 *
 * Returns 0, -EINVAL (not a cpulist: stray character, descending range, empty item)
 * or -ERANGE (a number at or above CPUSET_CAP).
 *
 * Source: kernel admin-guide, "cpu lists".
 */
MUST_CHECK int cpuset_parse(const char *text, struct cpuset *out);

/**
 * Read a kernel CPU map ("00000000,0000ff0f": 32-bit hex words, highest first).
 * Errors as cpuset_parse.
 */
MUST_CHECK int cpuset_parse_map(const char *text, struct cpuset *out);

/** Write the cpulist into @buf (CPUSET_TEXT_MAX is always enough; a shorter buffer gets
 * whole items and "..."; @size >= 8). Returns @buf. */
char *cpuset_format(const struct cpuset *s, char *buf, size_t size);

#endif

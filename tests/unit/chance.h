// SPDX-License-Identifier: MIT
/*
 * A source of choices for generators of test input: from a seed, the same everywhere,
 * or from the bytes of a fuzzer. When the bytes are used up every choice is the first
 * one, so that generators end.
 */
#ifndef QMPIN_TESTS_CHANCE_H
#define QMPIN_TESTS_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chance {
	const uint8_t *bytes; /* NULL: by the seed */
	size_t left;
	uint64_t state;
};

struct chance chance_of_seed(uint64_t seed);
struct chance chance_of_bytes(const uint8_t *bytes, size_t n);

/** 0 .. @n - 1 (@n from 1 to 65536) */
unsigned int chance_below(struct chance *c, unsigned int n);

/** true in @percent of 100 cases; never when the bytes are used up. */
bool chance_of(struct chance *c, unsigned int percent);

#endif

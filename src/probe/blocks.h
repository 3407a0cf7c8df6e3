// SPDX-License-Identifier: MIT
/*
 * The pairs of CPUs in blocks that should be of one latency: CPUs that share their
 * finest cache, node and kind form a group; a block is the pairs between two groups,
 * the pairs inside one, or its SMT siblings. Which pairs a block has is computed, not
 * kept. Pure.
 */
#ifndef QMPIN_PROBE_BLOCKS_H
#define QMPIN_PROBE_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "topo/cpuset.h"
#include "topo/model.h"

/* More groups than this are put together to coarser ones. */
#define BLOCKS_GROUPS_MAX 256u

struct block {
	uint32_t a; /* groups; a >= b, equal: inside one */
	uint32_t b;
	bool siblings;	     /* pairs inside a core */
	unsigned int class;  /* blocks between CPUs that share alike */
	uint32_t total;	     /* pairs it has: of cores, or of CPUs (siblings, by_cpu) */
	uint32_t places;     /* numbers of pairs, see blocks_pair: total or more */
	uint32_t wanted;     /* of them, to know it well where they agree */
	uint32_t cursor;     /* up to here all have been asked for */
	uint32_t first;	     /* of its beliefs, BELIEF_NONE: none */
	uint32_t tried;	     /* beliefs it has */
	uint32_t hopeless;   /* of them, given up */
	uint32_t visits;     /* made so far */
	uint32_t judged_at;  /* visits when the following was computed */
	uint32_t n_measured; /* pairs with a result then */
	float ns;	     /* their median, 0: none */
	float disagreement;  /* of the pairs, beyond what their visits explain; relative
			      */
	bool detail;	     /* not of one piece: all pairs are wanted */
};

struct blocks {
	bool by_cpu; /* each CPU stands for itself, not for its core */
	unsigned int n_rows;
	unsigned int *cpus; /* of the rows, ascending */
	struct blocks_row {
		uint16_t core;
		uint16_t group;
		bool gone;
	} * rows;
	unsigned int n_cores;
	struct blocks_core {
		uint32_t first; /* index into core_rows */
		uint16_t n;	/* rows it has */
		uint16_t n_left;
	} * cores;
	uint16_t *core_rows; /* of each core those first that are left */
	unsigned int n_groups;
	unsigned int n_classes;
	uint32_t *group_first; /* n_groups + 1: index into group_cores */
	uint16_t *group_cores;
	unsigned int max_threads; /* of a core */
	unsigned int n;
	struct block *items;
};

/** @cpus  online ones, at least one */
void blocks_init(
	struct blocks *b, const struct topo *t, const struct cpuset *cpus, bool by_cpu);
void blocks_fini(struct blocks *b);

/** The block of two different rows. */
struct block *blocks_of(const struct blocks *b, unsigned int row_a, unsigned int row_b);

/** A CPU has gone. */
void blocks_drop(struct blocks *b, unsigned int row);

/* Two sets of rows, any two of which are the same pair: the threads of two cores, or
 * one of each. Of the threads of a core those that are left come first. */
struct blocks_pair {
	const uint16_t *a;
	const uint16_t *b;
	unsigned int n_a;
	unsigned int n_b;
	unsigned int left_a;
	unsigned int left_b;
};

/**
 * The pair @i of a block (< places). Inside a group those next to each other in number
 * come first, then those two apart and so on: where a group has hidden clusters, their
 * members' numbers mostly are neighbours. Each n pairs in turn visit all members alike.
 *
 * Returns false when that is none: its CPUs have gone, a core has fewer threads.
 */
bool blocks_pair(const struct blocks *b, const struct block *block, uint32_t i,
	struct blocks_pair *out);

#endif

// SPDX-License-Identifier: MIT
/*
 * Latencies measured on real machines, for tests: read from the data beside the tree,
 * disturbed as measuring disturbs, and with hosts' trees to go with them.
 */
#ifndef QMPIN_TESTS_MEASURED_H
#define QMPIN_TESTS_MEASURED_H

#include <stdbool.h>
#include <stdint.h>

#include "topo/matrix.h"
#include "topo/model.h"
#include "topo/ranking.h"

/** There are such data here. */
bool measured_available(void);

/** The matrix of that name; a failing step ends the test program. matrix_free it. */
struct matrix *measured_load(const char *name);

struct measured_trouble {
	uint64_t seed;
	double noise;	 /* values are multiplied by 1 - noise .. 1 + noise */
	double outliers; /* share of them multiplied by 0.3 .. 5 as well */
	double missing;	 /* share without a result */
};

/** A disturbed copy; matrix_free it. */
struct matrix *measured_disturb(
	const struct matrix *m, const struct measured_trouble *t);

/** What the firmware might say of a host, in cores; 0: nothing. */
struct measured_tree {
	unsigned int n_cpus;
	unsigned int threads; /* of a core */
	bool adjacent;	      /* siblings are numbered side by side, else far apart */
	unsigned int singles; /* the last cores have one thread only */
	bool kinds;	      /* and are said to be efficiency cores */
	unsigned int l2;
	unsigned int l3;
	unsigned int node;
	unsigned int package;
	unsigned int shift_l3; /* cores by which the L3s are wrong */
};

/** A host of that tree; topo_free it. */
struct topo *measured_topo(const struct measured_tree *tree);

/** The ranking of @m on @t, with its latencies filled from the class model. */
struct ranking *measured_rank(const struct topo *t, const struct matrix *m);

/** "core 8 | l3 2 | host 1": names and numbers of domains; new text, free() it. */
char *measured_tiers(const struct ranking *r);

/** "core confirmed 8/8, l3 not seen 0/2"; new text, free() it. */
char *measured_levels(const struct ranking *r);

/** The same tiers with the same domains, whatever their latencies. */
bool measured_same(const struct ranking *a, const struct ranking *b);

#endif

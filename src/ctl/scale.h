// SPDX-License-Identifier: MIT
/* From nanoseconds to a place between near (0) and far (1). Pure. */
#ifndef QMPIN_CTL_SCALE_H
#define QMPIN_CTL_SCALE_H

#include <stdbool.h>
#include <stddef.h>

#include "topo/matrix.h"

struct scale {
	double lo_ns; /* > 0, below hi_ns */
	double hi_ns;
	bool log;
	bool cut;	  /* a few values are above hi_ns */
	size_t n_results; /* pairs that have one */
	size_t n_none;	  /* pairs that have none */
};

/** NULL: nothing has a result. */
void scale_fit(const struct matrix *m, struct scale *out);

/** 0..1 */
double scale_at(const struct scale *s, double ns);

/** Round values to write beside a scale, ascending, from lo_ns to hi_ns. Returns how
 * many, at most @max. */
size_t scale_ticks(const struct scale *s, double *out, size_t max);

#endif

// SPDX-License-Identifier: MIT
/*
 * Chooses the range of a picture's colours. A few wild values do not take all colours,
 * and differences that are only noise get none.
 */
#include "config.h"

#include "ctl/scale.h"

#include <math.h>
#include <stdlib.h>

#include "base/attr.h"
#include "base/xalloc.h"

/* Share of pairs that may lie above the scale: outliers of a busy host. The lower end
 * has none: SMT siblings are one pair in hundreds, and latencies do not err downwards.
 */
#define CUT_SHARE 0.005

/* A host whose latencies differ by less is flat: one colour, not its noise in many. */
#define RATIO_MIN 1.5

/* From here on a linear scale leaves near tiers no room. */
#define RATIO_LOG 4.0

static int
compare_floats(const void *va, const void *vb)
{
	const float *a = va;
	const float *b = vb;

	return *a < *b ? -1 : *a > *b;
}

void
scale_fit(const struct matrix *m, struct scale *out)
{
	size_t pairs = m != NULL ? matrix_pairs(m->n) : 0;
	auto_free float *ns = xcalloc(pairs, sizeof(*ns));
	size_t n = 0;
	size_t top;

	*out = (struct scale){.lo_ns = 1, .hi_ns = 1 + RATIO_MIN};
	for (size_t i = 0; i < pairs; i++) {
		if (m->cells[i].ns > 0)
			ns[n++] = m->cells[i].ns;
	}
	out->n_results = n;
	out->n_none = pairs - n;
	if (n == 0)
		return;
	qsort(ns, n, sizeof(*ns), compare_floats);
	top = n - 1 - (size_t)((double)n * CUT_SHARE);
	/* What is hardly more than the top is no outlier. */
	if ((double)ns[n - 1] <= (double)ns[top] * RATIO_MIN)
		top = n - 1;
	out->lo_ns = (double)ns[0];
	out->hi_ns = fmax((double)ns[top], out->lo_ns * RATIO_MIN);
	out->cut = (double)ns[n - 1] > out->hi_ns;
	out->log = out->hi_ns / out->lo_ns >= RATIO_LOG;
}

double
scale_at(const struct scale *s, double ns)
{
	double at;

	if (s->log)
		at = log(ns / s->lo_ns) / log(s->hi_ns / s->lo_ns);
	else
		at = (ns - s->lo_ns) / (s->hi_ns - s->lo_ns);
	return fmin(fmax(at, 0), 1);
}

/* 1, 2 or 5 times a power of ten: the lowest that is not below @x. */
static double
round_up(double x)
{
	static const double steps[] = {1, 2, 5};
	double power = 1e-3;

	while (power * 10 < x)
		power *= 10;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (power * steps[i] >= x)
			return power * steps[i];
	}
	return power * 10;
}

size_t
scale_ticks(const struct scale *s, double *out, size_t max)
{
	double step = s->log ? 0 : round_up((s->hi_ns - s->lo_ns) / 6);
	double tick = s->log ? round_up(s->lo_ns) : ceil(s->lo_ns / step) * step;
	size_t n = 0;

	while (tick <= s->hi_ns && n < max) {
		out[n++] = tick;
		tick = s->log ? round_up(tick * 1.5) : tick + step;
	}
	return n;
}

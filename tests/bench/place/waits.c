// SPDX-License-Identifier: MIT
/* Each draw fills the host twice: by the masks and by the limits. */
#include "config.h"

#include "waits.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "parts.h"
#include "rnd.h"

static int
ascending(const void *a, const void *b)
{
	float x = *(const float *)a;
	float y = *(const float *)b;

	return x < y ? -1 : x > y;
}

void
waits_draw(const struct site *s, uint64_t seed, unsigned int each, float *out)
{
	static const unsigned int chances[WAITS_N_CHANCES] = WAITS_CHANCES;
	unsigned int n_pus = s->topo->n_pus;
	struct parts masks = parts_of_masks(s);
	struct parts limits = parts_of_limits(s);
	auto_free double *load = xcalloc(n_pus, sizeof(*load));
	auto_free bool *busy = xcalloc(s->n, sizeof(*busy));
	struct rnd rnd = rnd_new(seed);

	for (unsigned int k = 0; k < WAITS_N_CHANCES * each; k++) {
		double demand = 0;
		double lost;

		for (unsigned int i = 0; i < s->n; i++) {
			busy[i] = rnd_below(&rnd, 100) < chances[k / each];
			demand += busy[i] ? s->vms[i].n_vcpus : 0;
		}
		lost = parts_fill(&masks, n_pus, busy, false, load);
		lost -= parts_fill(&limits, n_pus, busy, false, load);
		/* what rounding leaves is nothing */
		out[k] = lost > 1e-9 ? (float)(lost / demand) : 0;
	}
	qsort(out, WAITS_N_CHANCES * each, sizeof(*out), ascending);
	parts_fini(&masks);
	parts_fini(&limits);
}

double
waits_mean(const float *shares, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)shares[i] / (double)n;
	return sum;
}

double
waits_p95(const float *sorted, size_t n)
{
	double at = 0.95 * (double)(n - 1);
	size_t low = (size_t)at;
	double part = at - (double)low;

	if (low + 1 >= n)
		return (double)sorted[n - 1];
	return (double)sorted[low] * (1 - part) + (double)sorted[low + 1] * part;
}

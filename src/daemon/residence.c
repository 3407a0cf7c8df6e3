// SPDX-License-Identifier: MIT
/* Where a VM's memory is, in steps. */
#include "config.h"

#include "daemon/residence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* Of the guest's memory so much must be in place before it counts: firmware and QEMU
 * itself are on the node where QEMU happened to be started. */
#define COUNTS_FROM 0.125
#define COUNTS_UNTIL 0.1
/* The same of a guest of unknown size. */
#define UNKNOWN_GUEST_BYTES (UINT64_C(2) << 30)
/* Shares are held until one of them is off by more than this, then rounded. */
#define SLACK 0.05
#define STEPS 32.0

/* All as 1024 nodes: shares of nodes that one of the two does not have are 0. */
static double
share_of(const struct residence *r, unsigned int node)
{
	return node < r->n_nodes && r->total_bytes > 0
		       ? (double)r->bytes[node] / (double)r->total_bytes
		       : 0;
}

static bool
is_off(const struct residence *r, const double *held, unsigned int n_held)
{
	unsigned int n = r->n_nodes > n_held ? r->n_nodes : n_held;

	for (unsigned int i = 0; i < n; i++) {
		double before = i < n_held ? held[i] : 0;

		if (fabs(share_of(r, i) - before) > SLACK)
			return true;
	}
	return false;
}

static bool
is_enough(const struct residence *r, uint64_t guest_bytes)
{
	double guest = (double)(guest_bytes > 0 ? guest_bytes : UNKNOWN_GUEST_BYTES);

	return (double)r->total_bytes >=
	       guest * (r->counts ? COUNTS_UNTIL : COUNTS_FROM);
}

void
residence_take(struct residence *r, const uint64_t *bytes, unsigned int n_nodes,
	uint64_t guest_bytes)
{
	struct residence old = *r;
	bool anew;

	r->known = true;
	r->n_nodes = n_nodes;
	r->bytes = xcalloc(n_nodes, sizeof(*r->bytes));
	r->held = xcalloc(n_nodes, sizeof(*r->held));
	r->total_bytes = 0;
	for (unsigned int i = 0; i < n_nodes; i++) {
		r->bytes[i] = bytes[i];
		r->total_bytes += bytes[i];
	}
	r->counts = is_enough(r, guest_bytes);
	anew = !old.counts || is_off(r, old.held, old.n_nodes);
	for (unsigned int i = 0; i < n_nodes; i++) {
		if (anew)
			r->held[i] = round(share_of(r, i) * STEPS) / STEPS;
		else if (i < old.n_nodes)
			r->held[i] = old.held[i];
	}
	free(old.bytes);
	free(old.held);
}

void
residence_fini(struct residence *r)
{
	free(r->bytes);
	free(r->held);
	*r = (struct residence){.known = false};
}

double *
residence_share(const struct residence *r, const struct topo *topo)
{
	auto_free double *share = xcalloc(topo->n_nodes, sizeof(*share));
	double sum = 0;

	for (unsigned int i = 0; r->counts && i < topo->n_nodes; i++) {
		unsigned int id = topo->nodes[i].id;

		share[i] = id < r->n_nodes ? r->held[id] : 0;
		sum += share[i];
	}
	if (!(sum > 0))
		return NULL;
	for (unsigned int i = 0; i < topo->n_nodes; i++)
		share[i] /= sum;
	return take_ptr(&share);
}

uint64_t
residence_local_bytes(
	const struct residence *r, const struct topo *topo, const struct cpuset *cpus)
{
	struct cpuset nodes = topo_nodes_of(topo, cpus);
	uint64_t sum = 0;

	cpuset_foreach (i, &nodes) {
		unsigned int id = topo->nodes[i].id;

		sum += id < r->n_nodes ? r->bytes[id] : 0;
	}
	return sum;
}

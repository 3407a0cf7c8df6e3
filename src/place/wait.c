// SPDX-License-Identifier: MIT
/*
 * The burst model. Integers throughout: sums do not depend on the order of additions,
 * so the order in which VMs are listed cannot show. A sum stays below 2^31: a VM wants
 * at most PLAN_VCPUS_MAX CPUs = 2^16 units, and there are at most PLAN_VMS_MAX = 2^14
 * VMs.
 *
 * The inner loops have constant bounds and no branches for the compiler's vectoriser: a
 * trial costs about a microsecond.
 */
#include "config.h"

#include "place/wait.h"

#include <assert.h>
#include <stdlib.h>

#include "base/xalloc.h"

struct wait_slot {
	unsigned int parent; /* of the root: itself */
	unsigned int depth;
	int32_t cap;
};

/* Shares are summed as integers of this many to the whole. */
#define SHARE_ONE (1 << 20)

/* Sebastiano Vigna's splitmix64 finaliser (public domain): every input bit reaches
 * every output bit. */
static uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

struct wait_need
wait_need_of(const char *id, int32_t units)
{
	/* the probabilities as shares of 2^64 */
	static const uint64_t busy_below[4] = {UINT64_MAX / 10, UINT64_MAX / 10 * 2,
		UINT64_MAX / 10 * 3, UINT64_MAX / 2};
	struct wait_need need = {{0}};
	uint64_t seed = UINT64_C(0xcbf29ce484222325); /* FNV-1a of the id */

	for (const char *c = id; *c != '\0'; c++)
		seed = (seed ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
	seed = mix(seed);
	for (unsigned int k = 0; k < WAIT_DRAWS; k++) {
		if (mix(seed + k) < busy_below[k / (WAIT_DRAWS / 4)])
			need.lanes[k] = units;
	}
	need.lanes[WAIT_ALL] = units;
	return need;
}

struct wait_need
wait_need_scaled(const struct wait_need *need, int32_t units)
{
	struct wait_need scaled;

	for (unsigned int k = 0; k < WAIT_LANES; k++)
		scaled.lanes[k] = need->lanes[k] > 0 ? units : 0;
	return scaled;
}

struct wait *
wait_new(unsigned int root_cpus)
{
	struct wait *w = xcalloc(1, sizeof(*w));

	(void)wait_add_slot(w, 0, root_cpus);
	return w;
}

void
wait_free(struct wait *w)
{
	if (w == NULL)
		return;
	free(w->slots);
	free(w->now);
	free(w->forced);
	free(w);
}

unsigned int
wait_add_slot(struct wait *w, unsigned int parent, unsigned int cpus)
{
	unsigned int s = w->n++;

	if (s == w->cap) {
		w->cap = w->cap == 0 ? 64 : w->cap * 2;
		w->slots = xrealloc(w->slots, w->cap, sizeof(*w->slots));
		w->now = xrealloc(w->now, w->cap, sizeof(*w->now));
		w->forced = xrealloc(w->forced, w->cap, sizeof(*w->forced));
	}
	w->slots[s] = (struct wait_slot){
		.parent = parent,
		.depth = s == 0 ? 0 : w->slots[parent].depth + 1,
		.cap = (int32_t)cpus * WAIT_UNIT,
	};
	w->now[s] = (struct wait_need){{0}};
	w->forced[s] = (struct wait_need){{0}};
	return s;
}

static inline int32_t
lower(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

/* @delta comes to a slot that holds @sum; afterwards it is what comes to the parent. */
static void
flow(const struct wait_need *sum, int32_t cap, struct wait_need *delta)
{
	for (unsigned int k = 0; k < WAIT_LANES; k++) {
		int32_t before = lower(sum->lanes[k], cap);
		int32_t after = lower(sum->lanes[k] + delta->lanes[k], cap);

		delta->lanes[k] = after - before;
	}
}

static void
add(struct wait_need *sum, const struct wait_need *delta)
{
	for (unsigned int k = 0; k < WAIT_LANES; k++)
		sum->lanes[k] += delta->lanes[k];
}

static struct wait_need
negated(const struct wait_need *need)
{
	struct wait_need out;

	for (unsigned int k = 0; k < WAIT_LANES; k++)
		out.lanes[k] = -need->lanes[k];
	return out;
}

/* Change @sums from @slot to the root. */
static void
shift(const struct wait *w, struct wait_need *sums, unsigned int slot,
	struct wait_need delta)
{
	while (slot != 0) {
		struct wait_need up = delta;

		flow(&sums[slot], w->slots[slot].cap, &up);
		add(&sums[slot], &delta);
		delta = up;
		slot = w->slots[slot].parent;
	}
	add(&sums[0], &delta);
}

void
wait_enter(struct wait *w, unsigned int home, const struct wait_need *need)
{
	add(&w->total, need);
	shift(w, w->forced, home, *need);
}

void
wait_put(struct wait *w, unsigned int slot, const struct wait_need *need)
{
	shift(w, w->now, slot, *need);
}

void
wait_take(struct wait *w, unsigned int slot, const struct wait_need *need)
{
	shift(w, w->now, slot, negated(need));
}

/* @root: what comes to the root in each lane. */
static struct wait_cost
judge(const struct wait *w, const struct wait_need *root)
{
	const int32_t bad = (int32_t)(WAIT_BAD_SHARE * SHARE_ONE);
	int32_t cap = w->slots[0].cap;
	int32_t sum = 0;
	int32_t tail = 0;
	int32_t over = 0;
	int32_t all = lower(w->forced[0].lanes[WAIT_ALL], cap) -
		      lower(root->lanes[WAIT_ALL], cap);

	for (unsigned int k = 0; k < WAIT_DRAWS; k++) {
		int32_t waits =
			lower(w->forced[0].lanes[k], cap) - lower(root->lanes[k], cap);
		/* nobody busy: 0 / 1 */
		int32_t of = w->total.lanes[k] > 0 ? w->total.lanes[k] : 1;
		int32_t share = (int32_t)((float)waits / (float)of * (float)SHARE_ONE);

		share = share > 0 ? share : 0;
		sum += share;
		tail += share > bad;
		over += share > bad ? share - bad : 0;
	}
	return (struct wait_cost){
		.mean = (double)sum / SHARE_ONE / WAIT_DRAWS,
		.tail = (double)tail / WAIT_DRAWS,
		.over = (double)over / SHARE_ONE / WAIT_DRAWS,
		.all_cpus = all > 0 ? (double)all / WAIT_UNIT : 0,
	};
}

struct wait_cost
wait_measure(const struct wait *w)
{
	return judge(w, &w->now[0]);
}

struct wait_cost
wait_try(const struct wait *w, int from, unsigned int to, const struct wait_need *need)
{
	unsigned int a = from < 0 ? 0 : (unsigned int)from;
	unsigned int b = to;
	struct wait_need out = {{0}};
	struct wait_need in = *need;

	if (from >= 0)
		out = negated(need);
	/* each climbs until they meet; from there on the two changes are one */
	while (a != b) {
		if (w->slots[a].depth >= w->slots[b].depth) {
			flow(&w->now[a], w->slots[a].cap, &out);
			a = w->slots[a].parent;
		} else {
			flow(&w->now[b], w->slots[b].cap, &in);
			b = w->slots[b].parent;
		}
	}
	add(&in, &out);
	for (; a != 0; a = w->slots[a].parent)
		flow(&w->now[a], w->slots[a].cap, &in);
	add(&in, &w->now[0]);
	return judge(w, &in);
}

int64_t
wait_excess(const struct wait *w, unsigned int slot)
{
	int32_t cap = w->slots[slot].cap;
	int64_t excess = 0;

	for (unsigned int k = 0; k < WAIT_DRAWS; k++) {
		int32_t over = w->now[slot].lanes[k] - cap;

		excess += over > 0 ? over : 0;
	}
	return excess;
}

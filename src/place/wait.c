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

/* The loops over the draws are worth the processor's widest vectors: chosen when the
 * program starts. Sanitizers cannot look into that choice. */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) && \
	!defined(__clang__)
#define VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define VECTORS
#endif

#define NO_PART 0u /* slot 0 is the root, never a part */

struct wait_slot {
	unsigned int parent; /* of the root: itself; of a part: its slot */
	unsigned int depth;
	int32_t cap;
	bool is_part;
	int32_t share;	    /* of a part: of its slot's CPUs, in 256ths */
	unsigned int parts; /* of a slot: its first part, NO_PART */
	unsigned int next;  /* of a part: the next one of the slot */
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

VECTORS static struct wait_need
draw(const char *id, uint64_t salt, int32_t units)
{
	/* the probabilities as shares of 2^64 */
	static const uint64_t busy_below[4] = {UINT64_MAX / 10, UINT64_MAX / 10 * 2,
		UINT64_MAX / 10 * 3, UINT64_MAX / 2};
	struct wait_need need = {{0}};
	uint64_t seed = UINT64_C(0xcbf29ce484222325); /* FNV-1a of the id */

	for (const char *c = id; *c != '\0'; c++)
		seed = (seed ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
	seed = mix(seed + salt);
	for (unsigned int k = 0; k < WAIT_DRAWS; k++) {
		if (mix(seed + k) < busy_below[k / (WAIT_DRAWS / 4)])
			need.lanes[k] = units;
	}
	need.lanes[WAIT_ALL] = units;
	return need;
}

struct wait_need
wait_need_of(const char *id, int32_t units)
{
	return draw(id, 0, units);
}

struct wait_need
wait_need_other(const char *id, int32_t units)
{
	return draw(id, 1, units);
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

static void
free_load(struct wait_load *l)
{
	free(l->own);
	free(l->inner);
}

void
wait_free(struct wait *w)
{
	if (w == NULL)
		return;
	free_load(&w->now);
	free_load(&w->forced);
	free(w->slots);
	free(w);
}

static void
grow_load(struct wait_load *l, unsigned int n)
{
	l->own = xrealloc(l->own, n, sizeof(*l->own));
	l->inner = xrealloc(l->inner, n, sizeof(*l->inner));
}

static unsigned int
new_slot(struct wait *w, const struct wait_slot *slot)
{
	static const struct wait_need nothing;
	unsigned int s = w->n++;

	if (s == w->cap) {
		w->cap = w->cap == 0 ? 64 : w->cap * 2;
		w->slots = xrealloc(w->slots, w->cap, sizeof(*w->slots));
		grow_load(&w->now, w->cap);
		grow_load(&w->forced, w->cap);
	}
	w->slots[s] = *slot;
	w->now.own[s] = nothing;
	w->now.inner[s] = nothing;
	w->forced.own[s] = nothing;
	w->forced.inner[s] = nothing;
	return s;
}

struct wait *
wait_empty_copy(const struct wait *w)
{
	struct wait *copy = xcalloc(1, sizeof(*copy));

	for (unsigned int s = 0; s < w->n; s++)
		(void)new_slot(copy, &w->slots[s]);
	return copy;
}

unsigned int
wait_add_slot(struct wait *w, unsigned int parent, unsigned int cpus)
{
	struct wait_slot slot = {
		.parent = parent,
		.depth = w->n == 0 ? 0 : w->slots[parent].depth + 1,
		.cap = (int32_t)cpus * WAIT_UNIT,
	};

	return new_slot(w, &slot);
}

unsigned int
wait_add_part(struct wait *w, unsigned int slot, unsigned int cpus)
{
	int32_t cap = (int32_t)cpus * WAIT_UNIT;
	struct wait_slot part = {
		.parent = slot,
		.depth = w->slots[slot].depth,
		.cap = cap,
		.is_part = true,
		.share = cap * 256 / w->slots[slot].cap,
		.next = w->slots[slot].parts,
	};
	unsigned int s = new_slot(w, &part);

	w->slots[slot].parts = s;
	return s;
}

static inline int32_t
lower(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

static inline int32_t
higher(int32_t a, int32_t b)
{
	return a > b ? a : b;
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

/* What a part runs when it wants @own and the slot's children run @inner. */
static inline int32_t
part_runs(int32_t own, int32_t inner, int32_t cap, int32_t share)
{
	return lower(own, higher(cap - inner, 0) * share / 256);
}

/* What a slot of @l is asked to run. */
VECTORS static struct wait_need
asked(const struct wait *w, const struct wait_load *l, unsigned int slot)
{
	const struct wait_need *inner = &l->inner[slot];
	int32_t cap = w->slots[slot].cap;
	struct wait_need out = *inner;

	add(&out, &l->own[slot]);
	for (unsigned int p = w->slots[slot].parts; p != NO_PART;
		p = w->slots[p].next) {
		const struct wait_need *own = &l->own[p];
		int32_t share = w->slots[p].share;

		for (unsigned int k = 0; k < WAIT_LANES; k++)
			out.lanes[k] +=
				part_runs(own->lanes[k], inner->lanes[k], cap, share);
	}
	return out;
}

/* A change on its way to the root: @own comes to a slot or to a part of it, @inner is
 * what its children run more. */
struct change {
	unsigned int slot;
	unsigned int part; /* or NO_PART */
	bool has_own;
	struct wait_need own;
	struct wait_need inner;
};

static struct change
change_at(const struct wait *w, unsigned int slot, const struct wait_need *own)
{
	struct change c = {.slot = slot, .part = NO_PART, .has_own = true, .own = *own};

	if (w->slots[slot].is_part) {
		c.part = slot;
		c.slot = w->slots[slot].parent;
	}
	return c;
}

/* What the slot is asked to run after the change. */
VECTORS static struct wait_need
asked_after(const struct wait *w, const struct change *c)
{
	const struct wait_load *l = &w->now;
	int32_t cap = w->slots[c->slot].cap;
	struct wait_need inner = l->inner[c->slot];
	struct wait_need out;

	add(&inner, &c->inner);
	out = inner;
	add(&out, &l->own[c->slot]);
	if (c->has_own && c->part == NO_PART)
		add(&out, &c->own);
	for (unsigned int p = w->slots[c->slot].parts; p != NO_PART;
		p = w->slots[p].next) {
		struct wait_need own = l->own[p];
		int32_t share = w->slots[p].share;

		if (p == c->part)
			add(&own, &c->own);
		for (unsigned int k = 0; k < WAIT_LANES; k++)
			out.lanes[k] +=
				part_runs(own.lanes[k], inner.lanes[k], cap, share);
	}
	return out;
}

/* The change goes one slot up: there it is a change of what a child runs. */
VECTORS static void
climb(const struct wait *w, struct change *c)
{
	struct wait_need before = asked(w, &w->now, c->slot);
	struct wait_need after = asked_after(w, c);
	int32_t cap = w->slots[c->slot].cap;

	for (unsigned int k = 0; k < WAIT_LANES; k++)
		c->inner.lanes[k] =
			lower(after.lanes[k], cap) - lower(before.lanes[k], cap);
	c->slot = w->slots[c->slot].parent;
	c->part = NO_PART;
	c->has_own = false;
}

/* Two changes at one slot become one. */
static void
merge(struct change *c, const struct change *other)
{
	add(&c->inner, &other->inner);
	if (other->has_own && c->has_own) {
		assert(c->part == other->part); /* a VM has one part of a slot */
		add(&c->own, &other->own);
	} else if (other->has_own) {
		c->has_own = true;
		c->part = other->part;
		c->own = other->own;
	}
}

/* Make a change for good. */
VECTORS static void
shift(const struct wait *w, struct wait_load *l, unsigned int slot,
	const struct wait_need *own)
{
	unsigned int at = w->slots[slot].is_part ? w->slots[slot].parent : slot;
	struct wait_need before;

	if (!w->settled) {
		add(&l->own[slot], own);
		return;
	}
	before = asked(w, l, at);
	add(&l->own[slot], own);
	while (at != 0) {
		struct wait_need after = asked(w, l, at);
		unsigned int up = w->slots[at].parent;
		int32_t cap = w->slots[at].cap;
		struct wait_need *inner = &l->inner[up];
		struct wait_need next = asked(w, l, up);

		for (unsigned int k = 0; k < WAIT_LANES; k++)
			inner->lanes[k] += lower(after.lanes[k], cap) -
					   lower(before.lanes[k], cap);
		before = next;
		at = up;
	}
}

VECTORS static void
settle(const struct wait *w, struct wait_load *l)
{
	/* a slot comes after its parent */
	for (unsigned int s = w->n - 1; s > 0; s--) {
		struct wait_need *inner = &l->inner[w->slots[s].parent];
		struct wait_need want;

		if (w->slots[s].is_part)
			continue;
		want = asked(w, l, s);
		for (unsigned int k = 0; k < WAIT_LANES; k++)
			inner->lanes[k] += lower(want.lanes[k], w->slots[s].cap);
	}
}

void
wait_settle(struct wait *w)
{
	assert(!w->settled);
	settle(w, &w->now);
	settle(w, &w->forced);
	w->settled = true;
}

void
wait_enter(struct wait *w, unsigned int home, const struct wait_need *need)
{
	add(&w->total, need);
	shift(w, &w->forced, home, need);
}

void
wait_enter_always(struct wait *w, unsigned int slot, int32_t units)
{
	assert(!w->settled && !w->slots[slot].is_part);
	/* as if it ran in a child of the slot, so that parts find less free, too */
	for (unsigned int k = 0; k <= WAIT_ALL; k++) {
		w->now.inner[slot].lanes[k] += units;
		w->forced.inner[slot].lanes[k] += units;
	}
}

void
wait_put(struct wait *w, unsigned int slot, const struct wait_need *need)
{
	shift(w, &w->now, slot, need);
}

void
wait_take(struct wait *w, unsigned int slot, const struct wait_need *need)
{
	struct wait_need gone = negated(need);

	shift(w, &w->now, slot, &gone);
}

void
wait_pin(struct wait *w, unsigned int slot, const struct wait_need *need)
{
	wait_enter(w, slot, need);
	wait_put(w, slot, need);
}

void
wait_unpin(struct wait *w, unsigned int slot, const struct wait_need *need)
{
	struct wait_need gone = negated(need);

	wait_pin(w, slot, &gone);
}

/* @root: what the root is asked to run. */
VECTORS static struct wait_cost
judge(const struct wait *w, const struct wait_need *root)
{
	const int32_t bad = (int32_t)(WAIT_BAD_SHARE * SHARE_ONE);
	const struct wait_need forced = asked(w, &w->forced, 0);
	int32_t cap = w->slots[0].cap;
	int32_t all =
		lower(forced.lanes[WAIT_ALL], cap) - lower(root->lanes[WAIT_ALL], cap);
	int32_t sum = 0;
	int32_t tail = 0;
	int32_t over = 0;

	for (unsigned int k = 0; k < WAIT_DRAWS; k++) {
		int32_t waits =
			lower(forced.lanes[k], cap) - lower(root->lanes[k], cap);
		/* nobody busy: 0 / 1 */
		int32_t of = higher(w->total.lanes[k], 1);
		int32_t share = (int32_t)((float)waits / (float)of * (float)SHARE_ONE);

		share = higher(share, 0);
		sum += share;
		tail += share > bad;
		over += higher(share - bad, 0);
	}
	return (struct wait_cost){
		.mean = (double)sum / SHARE_ONE / WAIT_DRAWS,
		.tail = (double)tail / WAIT_DRAWS,
		.over = (double)over / SHARE_ONE / WAIT_DRAWS,
		.all_cpus = (double)higher(all, 0) / WAIT_UNIT,
	};
}

struct wait_cost
wait_measure(const struct wait *w)
{
	struct wait_need root = asked(w, &w->now, 0);

	assert(w->settled);
	return judge(w, &root);
}

struct wait_cost
wait_try(const struct wait *w, int from, unsigned int to, const struct wait_need *need)
{
	struct change in = change_at(w, to, need);
	struct change out = {.slot = 0, .part = NO_PART};
	struct wait_need root;

	assert(w->settled);

	if (from >= 0) {
		struct wait_need gone = negated(need);

		out = change_at(w, (unsigned int)from, &gone);
	}
	/* each climbs until they meet; from there on the two changes are one */
	while (in.slot != out.slot) {
		if (w->slots[out.slot].depth >= w->slots[in.slot].depth)
			climb(w, &out);
		else
			climb(w, &in);
	}
	merge(&in, &out);
	while (in.slot != 0)
		climb(w, &in);
	root = asked_after(w, &in);
	return judge(w, &root);
}

/* @slot: of the part. */
VECTORS static int64_t
part_excess(const struct wait *w, unsigned int slot, unsigned int part)
{
	int64_t excess = 0;

	for (unsigned int k = 0; k < WAIT_DRAWS; k++) {
		int32_t own = w->now.own[part].lanes[k];

		excess += own - part_runs(own, w->now.inner[slot].lanes[k],
					w->slots[slot].cap, w->slots[part].share);
	}
	return excess;
}

int64_t
wait_excess(const struct wait *w, unsigned int slot)
{
	int32_t cap = w->slots[slot].cap;
	struct wait_need want;
	int64_t excess = 0;

	if (w->slots[slot].is_part)
		return part_excess(w, w->slots[slot].parent, slot);
	want = asked(w, &w->now, slot);
	for (unsigned int k = 0; k < WAIT_DRAWS; k++)
		excess += higher(want.lanes[k] - cap, 0);
	return excess;
}

int64_t
wait_parts_excess(const struct wait *w, unsigned int slot)
{
	int64_t excess = 0;

	for (unsigned int p = w->slots[slot].parts; p != NO_PART; p = w->slots[p].next)
		excess += part_excess(w, slot, p);
	return excess;
}

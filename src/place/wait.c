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
static inline uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* In which of the draws from @first on a VM of @seed is busy: a bit each. */
static inline uint64_t
draw_word(uint64_t seed, unsigned int first, uint64_t below)
{
	uint64_t bits = 0;

	for (uint64_t k = 0; k < 64; k++)
		bits |= (uint64_t)(mix(seed + first + k) < below) << k;
	return bits;
}

VECTORS static struct wait_need
draw(const char *id, uint64_t salt, int32_t units)
{
	/* the probabilities as shares of 2^64 */
	static const uint64_t busy_below[WAIT_DRAWS / 64] = {UINT64_MAX / 10,
		UINT64_MAX / 10 * 2, UINT64_MAX / 10 * 3, UINT64_MAX / 2};
	struct wait_need need = {.units = units};
	uint64_t seed = UINT64_C(0xcbf29ce484222325); /* FNV-1a of the id */

	for (const char *c = id; *c != '\0'; c++)
		seed = (seed ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
	seed = mix(seed + salt);
	for (unsigned int i = 0; i < WAIT_DRAWS / 64; i++) {
		uint64_t bits = draw_word(seed, i * 64, busy_below[i]);

		need.busy[2 * i] = (uint32_t)bits;
		need.busy[2 * i + 1] = (uint32_t)(bits >> 32);
	}
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
	struct wait_need scaled = *need;

	scaled.units = units;
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
	free(l->asked);
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
	l->asked = xrealloc(l->asked, n, sizeof(*l->asked));
}

static void
clear_load(const struct wait_load *l, unsigned int slot)
{
	static const struct wait_sum nothing;

	l->own[slot] = nothing;
	l->inner[slot] = nothing;
	l->asked[slot] = nothing;
}

static void
reserve(struct wait *w, unsigned int cap)
{
	w->cap = cap;
	w->slots = xrealloc(w->slots, cap, sizeof(*w->slots));
	grow_load(&w->now, cap);
	grow_load(&w->forced, cap);
}

static unsigned int
new_slot(struct wait *w, const struct wait_slot *slot)
{
	unsigned int s = w->n++;

	if (s == w->cap)
		reserve(w, w->cap == 0 ? 16 : w->cap * 2);
	w->slots[s] = *slot;
	clear_load(&w->now, s);
	clear_load(&w->forced, s);
	return s;
}

struct wait *
wait_empty_copy(const struct wait *w)
{
	struct wait *copy = xcalloc(1, sizeof(*copy));

	reserve(copy, w->n);
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

static inline void
add(struct wait_sum *sum, const struct wait_sum *more)
{
	for (unsigned int k = 0; k < WAIT_LANES; k++)
		sum->lanes[k] += more->lanes[k];
}

/* @need with other units (negative: it goes) comes to @sum. */
static inline void
add_need(struct wait_sum *sum, const struct wait_need *need, int32_t units)
{
	for (unsigned int i = 0; i < WAIT_DRAWS / WAIT_WORD; i++) {
		uint32_t busy = need->busy[i];
		int32_t *lanes = sum->lanes + (size_t)i * WAIT_WORD;

		for (unsigned int k = 0; k < WAIT_WORD; k++)
			lanes[k] += (busy & 1u << k) != 0 ? units : 0;
	}
	sum->lanes[WAIT_ALL] += units;
}

/* What a part runs when it wants @own and the slot's children run @inner. */
static inline int32_t
part_runs(int32_t own, int32_t inner, int32_t cap, int32_t share)
{
	return lower(own, higher(cap - inner, 0) * share / 256);
}

/* What a slot of @l is asked to run, made up anew. */
VECTORS static struct wait_sum
ask(const struct wait *w, const struct wait_load *l, unsigned int slot)
{
	const struct wait_sum *inner = &l->inner[slot];
	int32_t cap = w->slots[slot].cap;
	struct wait_sum out = *inner;

	add(&out, &l->own[slot]);
	for (unsigned int p = w->slots[slot].parts; p != NO_PART;
		p = w->slots[p].next) {
		const struct wait_sum *own = &l->own[p];
		int32_t share = w->slots[p].share;

		for (unsigned int k = 0; k < WAIT_LANES; k++)
			out.lanes[k] +=
				part_runs(own->lanes[k], inner->lanes[k], cap, share);
	}
	return out;
}

/* A change on its way to the root: a VM comes to a slot or to a part of it, or goes
 * (units below 0); @more is what the slot's children run more. */
struct change {
	unsigned int slot;
	unsigned int part;	    /* or NO_PART */
	const struct wait_need *vm; /* NULL: it came or went further below */
	int32_t units;
	struct wait_sum more;
};

static void
start_at(struct change *c, const struct wait *w, unsigned int slot,
	const struct wait_need *vm, int32_t units)
{
	c->slot = slot;
	c->part = NO_PART;
	c->vm = vm;
	c->units = units;
	if (w->slots[slot].is_part) {
		c->part = slot;
		c->slot = w->slots[slot].parent;
	}
}

/* What a slot with parts is asked to run after the change: what VMs find free in their
 * parts depends on what its children run. */
VECTORS static struct wait_sum
ask_parts(const struct wait *w, const struct change *c)
{
	const struct wait_load *l = &w->now;
	int32_t cap = w->slots[c->slot].cap;
	struct wait_sum inner = l->inner[c->slot];
	struct wait_sum out;

	add(&inner, &c->more);
	out = inner;
	add(&out, &l->own[c->slot]);
	if (c->vm != NULL && c->part == NO_PART)
		add_need(&out, c->vm, c->units);
	for (unsigned int p = w->slots[c->slot].parts; p != NO_PART;
		p = w->slots[p].next) {
		struct wait_sum own = l->own[p];
		int32_t share = w->slots[p].share;

		if (c->vm != NULL && p == c->part)
			add_need(&own, c->vm, c->units);
		for (unsigned int k = 0; k < WAIT_LANES; k++)
			out.lanes[k] +=
				part_runs(own.lanes[k], inner.lanes[k], cap, share);
	}
	return out;
}

/* From what its children run more to what the slot is asked to run more. */
VECTORS static void
ask_more(const struct wait *w, struct change *c)
{
	const struct wait_sum *before = &w->now.asked[c->slot];
	struct wait_sum after;

	if (w->slots[c->slot].parts == NO_PART) {
		if (c->vm != NULL)
			add_need(&c->more, c->vm, c->units);
		return;
	}
	after = ask_parts(w, c);
	for (unsigned int k = 0; k < WAIT_LANES; k++)
		c->more.lanes[k] = after.lanes[k] - before->lanes[k];
}

/* The change goes one slot up: there it is a change of what a child runs. */
VECTORS static void
climb(const struct wait *w, struct change *c)
{
	const struct wait_sum *before = &w->now.asked[c->slot];
	int32_t cap = w->slots[c->slot].cap;

	ask_more(w, c);
	for (unsigned int k = 0; k < WAIT_LANES; k++)
		c->more.lanes[k] = lower(before->lanes[k] + c->more.lanes[k], cap) -
				   lower(before->lanes[k], cap);
	c->slot = w->slots[c->slot].parent;
	c->part = NO_PART;
	c->vm = NULL;
}

/* A VM's coming and its going become one change, at one slot. */
VECTORS static void
merge(struct change *c, const struct change *other)
{
	add(&c->more, &other->more);
	if (other->vm == NULL)
		return;
	if (c->vm != NULL) {
		assert(c->part == other->part); /* a VM has one part of a slot */
		c->vm = NULL;
		c->part = NO_PART;
		return;
	}
	c->vm = other->vm;
	c->part = other->part;
	c->units = other->units;
}

/* Follow a change in @slot to the root. */
VECTORS static void
follow(const struct wait *w, struct wait_load *l, unsigned int slot)
{
	for (;;) {
		struct wait_sum after = ask(w, l, slot);
		struct wait_sum *before = &l->asked[slot];
		unsigned int up = w->slots[slot].parent;
		int32_t cap = w->slots[slot].cap;

		for (unsigned int k = 0; slot != 0 && k < WAIT_LANES; k++)
			l->inner[up].lanes[k] += lower(after.lanes[k], cap) -
						 lower(before->lanes[k], cap);
		*before = after;
		if (slot == 0)
			return;
		slot = up;
	}
}

VECTORS static void
sum_up(struct wait_sum *sum, const struct wait_need *need, int32_t units)
{
	add_need(sum, need, units);
}

/* Make a change for good. */
static void
shift(const struct wait *w, struct wait_load *l, unsigned int slot,
	const struct wait_need *need, int32_t units)
{
	sum_up(&l->own[slot], need, units);
	if (w->settled)
		follow(w, l, w->slots[slot].is_part ? w->slots[slot].parent : slot);
}

VECTORS static void
settle(const struct wait *w, struct wait_load *l)
{
	/* a slot comes after its parent */
	for (unsigned int s = w->n; s-- > 0;) {
		struct wait_sum *inner = &l->inner[w->slots[s].parent];

		if (w->slots[s].is_part)
			continue;
		l->asked[s] = ask(w, l, s);
		for (unsigned int k = 0; s != 0 && k < WAIT_LANES; k++)
			inner->lanes[k] += lower(l->asked[s].lanes[k], w->slots[s].cap);
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
	sum_up(&w->total, need, need->units);
	shift(w, &w->forced, home, need, need->units);
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
	shift(w, &w->now, slot, need, need->units);
}

void
wait_take(struct wait *w, unsigned int slot, const struct wait_need *need)
{
	shift(w, &w->now, slot, need, -need->units);
}

void
wait_pin(struct wait *w, unsigned int slot, const struct wait_need *need, int sign)
{
	sum_up(&w->total, need, sign * need->units);
	shift(w, &w->forced, slot, need, sign * need->units);
	shift(w, &w->now, slot, need, sign * need->units);
}

/* What waits when the root is asked to run @more than now. */
VECTORS static struct wait_cost
judge(const struct wait *w, const struct wait_sum *more)
{
	const struct wait_sum *now = &w->now.asked[0];
	const int32_t bad = (int32_t)(WAIT_BAD_SHARE * SHARE_ONE);
	const struct wait_sum *forced = &w->forced.asked[0];
	int32_t cap = w->slots[0].cap;
	int32_t all = lower(forced->lanes[WAIT_ALL], cap) -
		      lower(now->lanes[WAIT_ALL] + more->lanes[WAIT_ALL], cap);
	int32_t sum = 0;
	int32_t tail = 0;
	int32_t over = 0;

	for (unsigned int k = 0; k < WAIT_DRAWS; k++) {
		int32_t waits = lower(forced->lanes[k], cap) -
				lower(now->lanes[k] + more->lanes[k], cap);
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

VECTORS static struct wait_cost
judge_after(const struct wait *w, struct change *at_root)
{
	ask_more(w, at_root);
	return judge(w, &at_root->more);
}

struct wait_cost
wait_measure(const struct wait *w)
{
	static const struct wait_sum nothing;

	assert(w->settled);
	return judge(w, &nothing);
}

struct wait_cost
wait_try(const struct wait *w, int from, unsigned int to, const struct wait_need *need)
{
	struct change in = {.part = NO_PART};
	struct change out = {.slot = 0, .part = NO_PART};

	assert(w->settled);
	start_at(&in, w, to, need, need->units);
	if (from >= 0)
		start_at(&out, w, (unsigned int)from, need, -need->units);
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
	return judge_after(w, &in);
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

VECTORS static int64_t
slot_excess(const struct wait *w, unsigned int slot)
{
	const struct wait_sum *asked = &w->now.asked[slot];
	int32_t cap = w->slots[slot].cap;
	int64_t excess = 0;

	for (unsigned int k = 0; k < WAIT_DRAWS; k++)
		excess += higher(asked->lanes[k] - cap, 0);
	return excess;
}

int64_t
wait_excess(const struct wait *w, unsigned int slot)
{
	assert(w->settled);
	if (w->slots[slot].is_part)
		return part_excess(w, w->slots[slot].parent, slot);
	return slot_excess(w, slot);
}

int64_t
wait_parts_excess(const struct wait *w, unsigned int slot)
{
	int64_t excess = 0;

	for (unsigned int p = w->slots[slot].parts; p != NO_PART; p = w->slots[p].next)
		excess += part_excess(w, slot, p);
	return excess;
}

// SPDX-License-Identifier: MIT
/*
 * How long vCPUs would wait when only some VMs are busy: each VM is busy or idle in
 * every one of 256 fixed draws, and in each draw the demand of the busy ones runs in a
 * tree of slots: children first; what runs in a slot flows to its parent, at most what
 * fits there. What does not reach the root waits. Exact when masks are laminar. Pure.
 *
 * A VM whose limit leaves it a part of a slot only wants its demand in a part slot: it
 * finds free there its share of what the slot's children leave free, as they spread
 * evenly.
 *
 * The same demand with every VM on its whole limit is kept beside it: what waits there
 * too is forced by the limits and counts for nothing.
 */
#ifndef QMPIN_PLACE_WAIT_H
#define QMPIN_PLACE_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* 64 draws for each of the probabilities 0.1, 0.2, 0.3, 0.5. Fewer draws fit the plan
 * to the draws instead of to the load. */
#define WAIT_DRAWS 256u
#define WAIT_ALL WAIT_DRAWS /* the lane in which every VM is busy */
#define WAIT_LANES 264u	    /* rounded up to whole vectors; the rest stay 0 */
/* Demand and capacity are counted in sixteenths of a CPU. */
#define WAIT_UNIT 16
/* Share of the busy VMs' demand that waits, above which a draw counts as bad. */
#define WAIT_BAD_SHARE 0.05

#define WAIT_WORD 32u /* draws in a word of bits */

/* What a VM wants: @units in the draws in which it is busy, and in WAIT_ALL. */
struct wait_need {
	uint32_t busy[WAIT_DRAWS / WAIT_WORD]; /* a bit for each draw */
	int32_t units;
};

/* What several VMs want in each draw. */
struct wait_sum {
	int32_t lanes[WAIT_LANES];
};

/** Units that are wanted in the draw @lane. */
static inline int32_t
wait_need_in(const struct wait_need *need, unsigned int lane)
{
	if (lane < WAIT_DRAWS &&
		(need->busy[lane / WAIT_WORD] >> lane % WAIT_WORD & 1) == 0)
		return 0;
	return lane <= WAIT_ALL ? need->units : 0;
}

/** Demand of @units in the draws in which @id is busy: a function of the two only. */
struct wait_need wait_need_of(const char *id, int32_t units);

/** The same in as many other draws: those that a plan is not fitted to. */
struct wait_need wait_need_other(const char *id, int32_t units);

/** The same draws with another demand. */
struct wait_need wait_need_scaled(const struct wait_need *need, int32_t units);

struct wait_slot;

/* Demand in each slot. Parts count in neither of their slot's. */
struct wait_load {
	struct wait_sum *own;	/* of the VMs in the slot itself */
	struct wait_sum *inner; /* what its children run */
	struct wait_sum *asked; /* what it is asked to run by all; when settled */
};

struct wait {
	unsigned int n;
	unsigned int cap;
	struct wait_slot *slots;
	struct wait_load now;
	struct wait_load forced; /* with every VM on its whole limit */
	struct wait_sum total;
	bool settled;
};

struct wait_cost {
	double mean;	 /* over the draws: share of the busy VMs' demand that waits */
	double tail;	 /* share of bad draws */
	double over;	 /* mean of what is above WAIT_BAD_SHARE */
	double all_cpus; /* CPUs' worth of demand that waits when all are busy */
};

/** @root_cpus  CPUs of slot 0, the root */
struct wait *wait_new(unsigned int root_cpus);
void wait_free(struct wait *w);

/** The same slots with nothing in them, not settled. */
struct wait *wait_empty_copy(const struct wait *w);

/** A new slot within @parent for @cpus CPUs. Returns its number. */
unsigned int wait_add_slot(struct wait *w, unsigned int parent, unsigned int cpus);

/** A new part of @slot, @cpus of its CPUs, still fewer than all. Returns its number. */
unsigned int wait_add_part(struct wait *w, unsigned int slot, unsigned int cpus);

/** A VM begins to count: its whole limit is @home. It runs nowhere yet. */
void wait_enter(struct wait *w, unsigned int home, const struct wait_need *need);

/** Others use @units of @slot (no part) in every draw, at most all of it: it takes room
 * and never waits itself. Only before wait_settle. */
void wait_enter_always(struct wait *w, unsigned int slot, int32_t units);

/** Run it in @slot; take it out again. */
void wait_put(struct wait *w, unsigned int slot, const struct wait_need *need);
void wait_take(struct wait *w, unsigned int slot, const struct wait_need *need);

/** The same of one whose limit is @slot: it enters and runs there (@sign 1), or is gone
 * (-1). */
void wait_pin(
	struct wait *w, unsigned int slot, const struct wait_need *need, int sign);

/**
 * End of the first layout: until here VMs are only noted, which is quick; from here on
 * every change is followed to the root.
 */
void wait_settle(struct wait *w);

/** What waits now (settled). */
struct wait_cost wait_measure(const struct wait *w);

/** What would wait (settled) if it ran in @to instead of @from (-1: it runs nowhere
 * yet). */
struct wait_cost wait_try(
	const struct wait *w, int from, unsigned int to, const struct wait_need *need);

/** Demand that cannot run in a slot or part, or not in a slot's parts (settled), summed
 * over the draws. */
int64_t wait_excess(const struct wait *w, unsigned int slot);
int64_t wait_parts_excess(const struct wait *w, unsigned int slot);

#endif

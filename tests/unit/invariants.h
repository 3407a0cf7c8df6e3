// SPDX-License-Identifier: MIT
/*
 * What must hold of any plan, checked from its input and its masks alone: no code is
 * shared with the planner but the model of the host and sets of CPUs. Made for unit
 * tests and fuzzers: it only says what is broken.
 */
#ifndef QMPIN_TESTS_INVARIANTS_H
#define QMPIN_TESTS_INVARIANTS_H

#include "place/planner.h"

/* Rules about one plan and its input, then rules about several plans, which are the
 * caller's to check. */
enum invariant {
	INV_SHAPE,
	INV_VERDICT,
	INV_NOT_REFUSED,
	INV_INSIDE,
	INV_RESERVED,
	INV_ISOLATED,
	INV_HOST_NODES,
	INV_ONE_CPU,
	INV_ONE_CORE,
	INV_GUEST_THREADS,
	INV_WIDENED,
	INV_ALONE,
	INV_CPU0,
	INV_NODE_SHARE,
	INV_QUOTA,
	INV_WHOLE_CORES,
	INV_ROOM,
	INV_LAMINAR,
	INV_EMULATOR,
	INV_MOVED,
	INV_REBALANCED,
	INV_HOME,
	INV_FIRST_OF_SEVERAL,
	INV_REPEATS = INV_FIRST_OF_SEVERAL,
	INV_ORDER,
	INV_SETTLES,
	INV_NUMBERS,
	INV_NEWCOMER,
	INV_RETURNS,
	INV_NOT_WORSE,
	INV_COMES_TO_REST,
	N_INVARIANTS
};

struct invariants {
	unsigned long checked[N_INVARIANTS];  /* how often */
	unsigned long planned[PLACE_N_MODES]; /* results with masks, by mode */
	unsigned long left[PLACE_N_MODES];    /* results without */
	bool broken;
	enum invariant which; /* the first one that was broken */
	char text[PLAN_WHY_MAX + 200];
};

/** "vCPUs stay inside what the VM may use"; static. */
const char *invariant_name(enum invariant i);

/** Count a check; note the first one that is not @ok, with the VM (NULL: none). Returns
 * @ok. */
bool invariant_check(struct invariants *v, enum invariant i, bool ok, const char *vm,
	const char *what);

/**
 * Check one plan.
 *
 * @excused   of each VM: it may have to go elsewhere, whatever it has; NULL: none
 * @regrouped  CPUs went offline or came back, or were a VM's alone: domains are joined
 * in the order of their lowest CPUs, so joints may be others by then. Who was placed
 * before keeps what was a domain then, though masks of others may cut it now
 */
void invariants_of_plan(struct invariants *v, const struct plan_input *in,
	const struct plan *p, const bool *excused, bool regrouped);

/** Mode auto with more than one mask. */
bool invariants_is_narrowed(const struct plan_vm *in, const struct plan_result *r);

/** It keeps what was a domain of an earlier tree: one mask for all, and of no tier. */
bool invariants_is_earlier(
	const struct plan_vm *in, const struct plan_result *r, unsigned int vcpu);

/** Such a VM has a core for each guest core, with as many threads; nobody else may run
 * there; and it had them before, or rebalance has just given them. */
bool invariants_cores_ok(
	const struct plan_input *in, const struct plan *p, unsigned int vm);

/** Its vCPUs that are told to be away had to go, and those that are moved for a gain
 * return; of other modes nobody is away. */
bool invariants_homes_ok(const struct plan_vm *in, const struct plan_result *r);

/** The same bytes, but for the reasons where @why is false. */
bool invariants_same(
	const struct plan_result *a, const struct plan_result *b, bool why);

#endif

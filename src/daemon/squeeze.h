// SPDX-License-Identifier: MIT
/*
 * Do no harm: a managed VM whose vCPUs wait though CPUs idle that they may use is given
 * a wider domain, whatever the plan expected, and keeps it for a while. The audit finds
 * out; the planner, told by struct plan_waited, says what it gets.
 *
 * Idle: CPUs of its limit outside the masks of its own vCPUs, see daemon/idle.h. VMs
 * with a CPU quota are left out: the time that a quota takes away counts as waiting.
 *
 * Rest: it is not narrowed for rebalance_dwell_s, and each time it waits again soon
 * after a rest for twice as long as the last time, since the model is wrong about it.
 */
#ifndef QMPIN_DAEMON_SQUEEZE_H
#define QMPIN_DAEMON_SQUEEZE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/delays.h"
#include "place/planner.h"

struct engine;
struct vm;

/* Of a VM. */
struct squeeze {
	struct delays delays;
	bool waits;	 /* too much, and nothing was decided yet */
	bool was_placed; /* vm->placed and vm->changed_us at the last look */
	uint64_t changed_us;
	uint64_t look_us; /* not decided again before */
	bool widened;	  /* waited holds */
	bool asked;	  /* no plan was made since that was decided */
	bool stuck;	  /* it was told that nothing can be done */
	struct plan_waited waited;
	uint64_t rest_us;  /* the last rest, 0: none yet */
	uint64_t until_us; /* end of it */
	bool ended;	   /* a rest has ended, and no plan was made since */
	char note[128];	   /* for people; "": nothing */
};

/* Of all. */
struct squeezes {
	bool due; /* some VM waits */
	uint64_t decided_us;
	struct delays_pace pace;
};

/** In the audit of a VM: read, and note whether it waits too much. */
void squeeze_look(struct engine *e, struct vm *vm);

/** After audits: what is to be done about VMs that wait; kicks the engine. At most once
 * an interval of the audit. */
void squeeze_decide(struct engine *e);

/** A record was loaded: a VM that was widened before the daemon began rests on. */
void squeeze_recall(const struct engine *e, struct vm *vm);

/** What the planner is to know, or NULL. */
const struct plan_waited *squeeze_waited(const struct vm *vm);

/** It rests until then; 0: it does not. */
uint64_t squeeze_rests_until_us(const struct vm *vm);

/** Before VMs are moved for a gain: rests that are over end. */
void squeeze_end_rests(struct engine *e);

/** What the plan made of it. @changed: it gets other masks. */
void squeeze_planned(struct engine *e, struct vm *vm, const struct plan_result *result,
	bool changed);

/** Waiting in percent, of the last two audits; negative: unknown. */
double squeeze_wait_pct(const struct vm *vm);

void squeeze_fini(struct squeeze *s);

#endif

// SPDX-License-Identifier: MIT
/*
 * An imagined host through a series of events: VMs start, plug vCPUs and stop, CPUs go
 * and come, time passes. After each event one plan, which is what the VMs have from
 * then on. Pure; the events come from scenario files or generators.
 *
 * Free memory is what a host event says, less what started VMs touched first (on the
 * nodes of their vCPUs' masks after their first plan, or of the host nodes they are
 * bound to), and what stopped VMs had comes back. Load and free memory of CPUs and
 * nodes that a host event does not name stay as they were; before the first one no load
 * is there and free memory is unknown.
 */
#ifndef QMPIN_PLACE_REPLAY_H
#define QMPIN_PLACE_REPLAY_H

#include "base/attr.h"
#include "base/err.h"
#include "place/allowance.h"
#include "place/planner.h"
#include "place/replay_event.h"

/* What stays the same over all events. */
struct replay_settings {
	struct plan_policy
		policy; /* rebalance, weights ...; times and credit are ours */
	double rebalance_vms_per_min;
	double rebalance_vcpus_per_min;
	enum place_mode mode; /* of VMs that do not say */
	enum place_smt smt;
	enum place_emulator emulator;
	enum plan_explain_of explain;
};

struct replay_settings replay_settings_default(void);

struct replay;

/* Makes the host of the CPUs that are online: called at first and whenever a CPU goes
 * or comes. All three outputs are new objects that replay frees (topo_free,
 * ranking_free, free). The nodes stay the same, also those without an online CPU. A CPU
 * that is not there at first never comes. Returns 0 or a negative errno with @e. */
typedef int replay_host_fn(void *owner, const struct cpuset *offline,
	struct topo **topo, struct ranking **ranking, float **ns, struct err *e);

/**
 * @host   see above, with @owner
 * @out    new object, free with replay_free
 *
 * Returns 0 or the error of @host.
 */
MUST_CHECK int replay_new(const struct replay_settings *s, replay_host_fn *host,
	void *owner, struct replay **out, struct err *e);
void replay_free(struct replay *r);

/**
 * One event and the plan after it.
 *
 * Returns 0; -ENOENT (a VM that does not run), -EEXIST (one that does), -EINVAL (a CPU
 * that is not there, or is already so; the last one; time that goes back; numbers
 * beyond their caps) with @e, and nothing has changed. What is wrong with a VM that
 * starts (no vCPU, rules that contradict each other) is no error: it runs anywhere it
 * may, its result says why.
 */
MUST_CHECK int replay_step(
	struct replay *r, const struct replay_event *event, struct err *e);

/* What there is after a step; borrowed until the next one. VMs are in order of id
 * (numbers by value, then others). The input is as it was planned (masks before the
 * step), but memory that was touched or taken since is in it. */
const struct plan_input *replay_input(const struct replay *r);
const struct plan *replay_plan(const struct replay *r);
/** Time of the last event. */
double replay_now_s(const struct replay *r);

/** What a VM has now: mask of the k-th vCPU, and its emulator's. A VM that could not be
 * placed, is off or only observed: all it may use, or all CPUs when none of these is
 * online. */
struct cpuset replay_mask(const struct replay *r, unsigned int vm, unsigned int vcpu);
struct cpuset replay_emulator(const struct replay *r, unsigned int vm);

/**
 * vCPUs that were moved in the last step without need: they had a place and lost CPUs
 * that they could have kept. Forced, and not counted, is what follows from CPUs that
 * went offline or became a dedicated VM's alone: a mask may lose these, and where none
 * is left the vCPU may go anywhere.
 */
unsigned int replay_moved(const struct replay *r);

#endif

// SPDX-License-Identifier: MIT
/*
 * The daemon's engine on this machine's own CPUs, with a clock that stands still until
 * the test moves it; audits and adoption turns come when the test says so.
 *
 * By default everything is wanted on the first CPU: the second one is reserved, so that
 * a mask that was set differs from one that was not.
 */
#ifndef QMPIN_TESTS_STAGE_H
#define QMPIN_TESTS_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "daemon/engine.h"
#include "conf/settings.h"
#include "daemon/watch.h"
#include "logcatch.h"
#include "qmp/guard.h"
#include "standin.h"
#include "topo/cpuset.h"

struct stage_clock {
	struct clock clock;
	uint64_t now_us;
	uint64_t step_us;	  /* so much goes by with every look at it */
	struct stage_clock *self; /* as a clock is const to those who look at it */
};

#define STAGE_VMS_MAX 5u

struct stage {
	struct cpuset all; /* two CPUs that this process may use */
	struct cpuset first;
	struct cpuset second;
	struct logcatch log;
	struct stage_clock clock;
	struct event_base *base;
	struct settings config; /* of the next start */
	bool dry_run;
	struct cpuset isolcpus;	 /* of the next host; empty by default */
	struct cpuset nohz_full; /* the same */
	bool apart; /* the next host: each CPU in an L3 with one that nobody may use */
	char *folder;
	char *vm_dir;
	char *run_dir;
	int procfd;
	int run_dirfd;
	int cgroupfd;	       /* of the next start; -1: none */
	struct engine *engine; /* NULL: not running */
	struct watch *watch;
	struct guard *guard;
	struct standin vms[STAGE_VMS_MAX]; /* ended with the stage */
};

/** cmocka's setup and teardown; *state is the stage. */
int stage_setup(void **state);
int stage_teardown(void **state);

/** The stage of a test; skips the test on a machine of one CPU. */
struct stage *stage_of(void **state);

/** Start a daemon by s->config and s->dry_run, and end it. Masks and records stay. */
void stage_start(struct stage *s);
void stage_stop(struct stage *s);

/** Start, with @vmid looked at and nothing left to do. Returns the VM. */
struct vm *stage_start_with(struct stage *s, const char *vmid);

/** A fresh set of settings with this [vm ID] or [qmpin] text is in force. */
void stage_reload(struct stage *s, const char *text);

/** Run the loop until @holds says so; fails the test after some seconds. */
void stage_until(struct stage *s, bool (*holds)(struct stage *s, const void *arg),
	const void *arg, const char *what);
/** Until that VM was surveyed and nothing is left to do. */
struct vm *stage_until_seen(struct stage *s, const char *vmid);
/** Until that was said. */
void stage_until_said(struct stage *s, const char *text);
/** Until nothing is left to do. */
void stage_settle(struct stage *s);

/** Move the clock. */
void stage_pass_ms(struct stage *s, uint64_t ms);
/** One audit of all VMs (fewer than 32), one turn of adoption, and what follows. */
void stage_audit(struct stage *s);
/** The same when an audit interval has gone by, in which young threads were left alone.
 */
void stage_audit_later(struct stage *s);
void stage_adoption(struct stage *s);
/** A minute's turn of rebalance, and what follows. */
void stage_rebalance(struct stage *s);
/** One look at the number of threads of all VMs, and what follows. */
void stage_look(struct stage *s);

/** The file of a VM's record is there. */
bool stage_has_record(const struct stage *s, int vmid);

/** Fails unless the thread has exactly this mask. */
#define stage_check_mask(tid, cpus) \
	stage_check_mask_at((tid), (cpus), __FILE__, __LINE__)
void stage_check_mask_at(
	pid_t tid, const struct cpuset *cpus, const char *file, int line);

#endif

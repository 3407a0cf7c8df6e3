// SPDX-License-Identifier: MIT
/*
 * The one way to change the world: every source of change calls engine_kick(); one
 * settled pass observes, plans, diffs, applies and reports.
 *
 *   kick -> settle timer -> ask QMP where needed -> facts (or a short wait for them)
 *        -> survey /proc -> plan -> apply and verify -> log
 *
 * A VM whose QEMU is slow joins a later pass; it delays nobody.
 */
#ifndef QMPIN_DAEMON_ENGINE_H
#define QMPIN_DAEMON_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/clock.h"
#include "conf/settings.h"
#include "daemon/adopt.h"
#include "daemon/background.h"
#include "daemon/cause.h"
#include "daemon/doctoring.h"
#include "daemon/hostmodel.h"
#include "daemon/pass.h"
#include "daemon/pending.h"
#include "daemon/turns.h"
#include "daemon/kin.h"
#include "daemon/squeeze.h"
#include "daemon/vm.h"
#include "place/allowance.h"

struct event;
struct event_base;
struct listing;
struct probecall;
struct probing;
struct telling;

struct engine_stats {
	uint64_t passes;
	uint64_t last_pass_us;
	uint64_t passes_us;		/* all together */
	uint64_t repairs;		/* masks put back after drift */
	uint64_t drifts[DRIFT_N_KINDS]; /* as drifting.h's repairs, of all VMs ever */
	uint64_t sets;			/* masks set */
	uint64_t failures;		/* masks that could not be set */
	uint64_t rebalanced;		/* VMs moved for a gain */
	uint64_t reverts; /* thread ids that proved to be another thread's */
};

struct engine {
	struct event_base *base;
	const struct clock *clock;
	int procfd;
	int run_dirfd;
	int cgroupfd;
	bool dry_run;
	void (*on_change)(void *owner); /* these as in the options */
	bool (*on_audit)(void *owner);
	int (*on_reload)(void *owner, bool afresh, struct err *err);
	void *owner;
	struct settings config; /* owned */
	struct hostmodel host;	/* owned */
	uint64_t shaken_us;	/* its CPUs went or came then; 0: never */
	struct kin_host kin;
	struct wishing wishing; /* what VMs say about themselves */
	struct monitor_commons commons;
	size_t n_vms;
	size_t cap_vms;
	struct vm **vms;      /* owned; ascending id: numbers by value, then names */
	struct event *settle; /* a kick is waiting */
	struct event *gather; /* facts were asked for */
	struct event *slice;  /* the next one of a pass */
	struct pass pass;
	uint64_t passed_us;	/* the last one ended then */
	struct event *throttle; /* guest-made causes over their budget */
	struct event *trim;	/* of memory that passes have left */
	struct event *audit;
	size_t audit_next;   /* index of the VM audited next */
	struct event *looks; /* at the number of threads, between audits */
	size_t look_next;
	unsigned int look_ms; /* 0: never */
	bool replan_due;      /* a pass, also when nobody is to be looked at */
	struct event *rebalance;
	bool rebalance_due;	      /* a quiet pass may move VMs for a gain */
	bool rebalance_late;	      /* it was due for a whole tick: any pass may */
	struct allowance allowance;   /* what rebalance may move */
	struct background background; /* CPU use by others */
	struct squeezes squeezes;     /* VMs that wait */
	bool late;		      /* see latecomer.h: the last plan had bounds */
	struct event *adoption;
	struct budget adoptions;
	struct adopt_count adopted;
	struct engine_stats stats;
	struct turns turns;	      /* of the loop that runs all this */
	struct pending_list releases; /* calls of Release that wait */
	struct pending_list applies;  /* and of Apply */
	unsigned int release_ms;
	unsigned int apply_ms;
	struct telling *telling;      /* owned: decisions, and who follows them */
	struct listing *listings;     /* answers that go on, see daemon/listing.h */
	struct memory *memory;	      /* borrowed; NULL: none is looked at */
	struct migrating *migrating;  /* borrowed; NULL: nothing is moved */
	struct probing *probing;      /* borrowed; NULL: none */
	struct probecall *probecalls; /* calls that wait, see daemon/probecalls.h */
	struct doctoring doctoring;   /* what only who started us knows */
	char bad_reload[512]; /* why the files on disk are not in force; "": they are */
	uint64_t start_us;
};

struct engine_options {
	struct event_base *base;
	const struct clock *clock;
	int procfd;    /* open directory of /proc; borrowed */
	int run_dirfd; /* for records; borrowed */
	int cgroupfd;  /* as from cgroup_open; borrowed; -1: none */
	bool dry_run;
	/* A pass has run or a VM has gone: told to whoever shows the state. */
	void (*on_change)(void *owner);
	/* A round of the audit begins; false: masks say nothing now, leave it out. May
	 * be NULL. */
	bool (*on_audit)(void *owner);
	/* Read configuration and host anew; @afresh: latencies are to be measured anew
	 * as well. Returns 0, or a negative errno with @err: the old ones stay. NULL:
	 * there are no files. */
	int (*on_reload)(void *owner, bool afresh, struct err *err);
	void *owner;
};

/** @config and @host are taken over. Never NULL. */
struct engine *engine_new(const struct engine_options *options, struct settings *config,
	struct hostmodel *host);
void engine_free(struct engine *e);

/** New settings and host; both taken over; every VM is looked at again. */
void engine_reload(struct engine *e, struct settings *config, struct hostmodel *host);

/** How the monitor of @id is to be shared. A dry run adds nothing to a QEMU, and gets
 * in nobody's way. */
enum share engine_share(const struct engine *e, const char *id);

/** New settings alone; taken over; every VM is looked at again. */
void engine_configure(struct engine *e, struct settings *config);

/** Another host model; taken over; every VM is looked at again. */
void engine_replace_host(struct engine *e, struct hostmodel *host);

/** Mark work for a VM and start the settle timer. */
void engine_kick(struct engine *e, struct vm *vm, enum cause cause);
void engine_kick_all(struct engine *e, enum cause cause);

/** A pass although no VM has to be looked at: somebody has left room. */
void engine_replan(struct engine *e);

/** A pass that may move VMs for a gain, as soon as nothing else is to be done; when
 * asked again before that, with whatever comes next. */
void engine_rebalance(struct engine *e);

/** Facts come unasked, for this cause. */
void engine_await(struct vm *vm, enum cause cause);

/** The facts that were asked for, or awaited, are in @vm->facts. */
void engine_facts_arrived(struct engine *e, struct vm *vm);

/** The table of VMs. add takes the VM over; remove frees it. */
void engine_add(struct engine *e, struct vm *vm);
struct vm *engine_find(const struct engine *e, const char *id);
/** Index of the first VM that stands behind @id, @vmid in the order, e->n_vms: none. */
size_t engine_behind(const struct engine *e, const char *id, int vmid);
void engine_remove(struct engine *e, struct vm *vm);

#endif

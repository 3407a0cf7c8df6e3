// SPDX-License-Identifier: MIT
/*
 * A VM as the daemon knows it: who it is, what QMP and /proc said last, what is wanted
 * of each thread. Plain state; who changes it and when is the engine's.
 */
#ifndef QMPIN_DAEMON_VM_H
#define QMPIN_DAEMON_VM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "act/record.h"
#include "base/budget.h"
#include "daemon/audited.h"
#include "daemon/cause.h"
#include "daemon/confine.h"
#include "daemon/drifting.h"
#include "daemon/history.h"
#include "daemon/squeeze.h"
#include "daemon/vmtask.h"
#include "daemon/memory.h"
#include "daemon/kin.h"
#include "daemon/wishes.h"
#include "qmp/facts.h"
#include "qmp/monitor.h"
#include "topo/cpuset.h"
#include "vm/identity.h"
#include "vm/threads.h"

struct clock;
struct event;

/* io.qmpin's State. */
enum vm_state {
	VM_FOUND, /* socket seen, nothing known */
	VM_CONNECTING,
	VM_WATCHING,
	VM_YIELDED, /* somebody else uses its monitor; placed and audited as ever */
	VM_PAUSED,  /* watched, the guest does not run */
	VM_STALLED, /* QEMU does not answer */
	VM_GONE,    /* the process ended, its socket is still there */
	VM_N_STATES
};

/* By hand: what hinders qmpind does not count; by name: nor do vCPUs' own masks, nor
 * that its configuration is not known. */
enum vm_asked { VM_NOT_ASKED, VM_ASKED, VM_ASKED_BY_NAME };

struct vm {
	char id[VM_ID_MAX];
	int vmid;
	char *socket_path;
	char *pid_path;
	bool socket_lost; /* the file is gone, the process may live on */
	enum vm_state state;
	uint64_t found_us; /* when the socket was seen */
	bool undialled;	   /* it ran before us, and its monitor has its turn soon */
	void *owner;	   /* the watch that made it */

	struct monitor *monitor;
	char share_why[256]; /* why its monitor is not shared as asked for; "": it is */
	bool refused;	     /* the last peer was; its reason is told already */
	bool hung_up;	     /* so did the last peer, before its session was up */
	bool proven;	     /* identity holds */
	struct vm_identity identity;
	struct event *on_end; /* pidfd */
	int task_dirfd;	      /* its /proc/PID/task; -1: not opened */
	nlink_t task_links;   /* of that directory: 2 and the number of threads */
	struct audited audited;
	bool has_facts;
	bool facts_new; /* not surveyed with yet */
	struct qmp_facts facts;
	struct vm_memory memory;

	bool has_record;
	bool record_dirty; /* differs from the file */
	bool touched;	   /* the record is on disk: some mask may be ours */
	struct record record;
	bool surveyed; /* tasks and record hold */
	size_t n_tasks;
	size_t cap_tasks;
	struct vm_task *tasks; /* ascending tid */
	struct kin kin;	       /* processes beside its QEMU */

	struct confine confine; /* by its cgroup */

	struct wishes wishes; /* by its configuration */

	struct squeeze squeeze; /* waiting of its vCPUs, and what was done about it */

	cause_set causes;    /* not yet looked at */
	cause_set delayed;   /* by the guest, over its budget */
	cause_set active;    /* being answered */
	bool awaiting;	     /* facts were asked for */
	bool fresh;	     /* the next pass handles it */
	bool looked;	     /* as far as this one has surveyed it */
	struct budget kicks; /* guest-made causes */

	enum vm_asked asked; /* for the time of a plan */
	bool inherited; /* placed by an earlier daemon, not looked at by this one yet */
	bool preexisting;	/* ran before us, no record: taken over in its turn */
	bool foreign;		/* somebody else pinned its vCPUs one by one */
	bool overruled;		/* asked for by name: that, and what it may say of
				   itself and is not known, no longer count */
	bool placed;		/* masks come from a plan */
	bool kept_off;		/* which was for a VM that is off */
	bool own;		/* they are its alone, as the last plan said */
	bool own_known;		/* false: no plan of this run said anything yet */
	bool observe_only;	/* planned, never applied */
	uint64_t changed_us;	/* when its place last changed; 0: not by us */
	struct cpuset domain;	/* where the plan put it; empty: nowhere */
	struct cpuset could;	/* as of plan_vm, of the next plan */
	struct cpuset told;	/* domain of the last decision that was logged */
	bool retry;		/* an audit looks at it again */
	unsigned int rest;	/* audits until then */
	unsigned int rests;	/* failures in a row, capped */
	struct cpuset emulator; /* wanted for all threads but vCPUs; empty: nothing */
	char note[256];		/* why it is as it is, when that is worth a line */
	char why[256];		/* of the last plan */
	unsigned int repairs;
	struct drifting drift;	 /* what others did to its masks */
	struct budget gains;	 /* moves for a gain */
	uint64_t peace_until_us; /* left alone until then; 0: not */
	uint64_t last_move_us;	 /* real time; 0: never */
	int last_cause;		 /* enum cause, -1: none */
	struct history history;	 /* what was decided about it */
	char said[512];		 /* last trouble: say it once */
	bool hushed;		 /* it was not logged: over the budget */
	struct budget words;	 /* troubles that are logged */
	const struct clock *clock;
};

/** New VM in state VM_FOUND. Strings are copied. */
struct vm *vm_new(
	const char *id, int vmid, const char *socket_path, const char *pid_path);

/** Free with monitor, events and descriptors. */
void vm_free(struct vm *vm);

/** The one way to change the state; an impossible step is our bug. */
void vm_set_state(struct vm *vm, enum vm_state state);
const char *vm_state_name(enum vm_state state);

/** Something failed: it is tried again at an audit, more and more seldom. */
void vm_rest(struct vm *vm);
/** It is as it should be: the next failure is the first again. */
void vm_rested(struct vm *vm);

/** Forget the process: identity, facts, threads, record, plan. */
void vm_forget_process(struct vm *vm);

/** Threads that are vCPUs, by cpu-index ascending; @out has room for vm->n_tasks. */
size_t vm_vcpus(struct vm *vm, struct vm_task **out);
struct vm_task *vm_task_find(struct vm *vm, pid_t tid);
/** The mask that a task had before we touched the VM; lives as long as the record. */
const struct cpuset *vm_task_limit(const struct vm *vm, const struct vm_task *task);
/** The masks that its vCPUs had then, all together: one plan is made for them, so what
 * one of them may have, all may, and one that is plugged later too: the main thread had
 * more perhaps. Where they differed the VM is placed only when somebody asks for it by
 * name. */
struct cpuset vm_vcpu_limit(const struct vm *vm);
/** Add a task at its place. Returns it; other pointers into tasks are void. */
struct vm_task *vm_task_add(struct vm *vm, const struct vm_task *task);

void vm_task_remove(struct vm *vm, struct vm_task *task);

/** How many of its tasks are threads of its QEMU. */
size_t vm_own_tasks(const struct vm *vm);

/** Union of what its vCPUs are wanted on, or have where nothing is wanted. */
struct cpuset vm_vcpu_cpus(const struct vm *vm);

#endif

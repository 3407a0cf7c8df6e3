// SPDX-License-Identifier: MIT
/*
 * The world that the daemon is run against: a host with its CPUs, cgroups and kernel,
 * and VMs whose threads exist nowhere else. Nothing here knows the daemon; it meets the
 * world through kernel.c, groups.c and qemu.c, which answer in the place of src/vm,
 * src/act, src/host and src/qmp.
 */
#ifndef QMPIN_TESTS_SIM_MODEL_H
#define QMPIN_TESTS_SIM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "hosts.h"
#include "place/mode.h"
#include "rnd.h"
#include "topo/cpuset.h"
#include "vm/threads.h"

#define MODEL_GUESTS_MAX 64u
#define MODEL_FIRST_ID 100u
#define MODEL_NODES_MAX 16u
#define MODEL_PIDS 32768u /* then ids begin anew */
/* Descriptors that are only names; no process has so many. */
#define MODEL_FD 0x10000000

struct discovery;
struct event_base;
struct guest;
struct monitor;

struct thread {
	pid_t tid;
	struct process *of;
	uint64_t start_ticks;
	enum thread_class class;
	int index; /* of a vCPU or iothread, else -1 */
	char comm[16];
	struct cpuset user; /* asked for last */
	struct cpuset mask; /* what the kernel made of it, offline CPUs too */
	bool sleeps;
	uint64_t born_us;
	double busy; /* of a CPU that it wants */
	double gets; /* and gets */
	uint64_t run_ns;
	uint64_t wait_ns;
	uint64_t counted_us;
	/* Kept by the judge. */
	bool known;	     /* limit holds */
	struct cpuset limit; /* what it had when the daemon first set its VM */
	bool recorded;	     /* seen in the record on disk */
	bool has_ours;
	struct cpuset ours; /* what the daemon set last */
	bool hides;	    /* a fault: the daemon is shown ours */
};

struct process {
	pid_t pid;
	unsigned int serial; /* its pidfd is MODEL_FD and this */
	uint64_t start_ticks;
	struct guest *guest; /* NULL: nobody's */
	bool helper;
	bool touched;		  /* the daemon has set one of its VM's threads */
	struct cpuset limit;	  /* what threads that come later may have */
	struct cpuset vcpu_limit; /* and vCPUs */
	size_t n;
	size_t cap;
	struct thread **threads; /* ascending tid */
	uint64_t ended_ns;	 /* run time of those that ended */
};

struct guest {
	int vmid;
	char id[12];
	char scope[40];
	/* What it is. */
	enum place_mode mode; /* by the configuration */
	unsigned int vcpus_min;
	unsigned int vcpus_max;
	unsigned int tpc;
	unsigned int iothreads;
	bool has_tpm;
	struct cpuset affinity; /* it is started with; empty: all */
	/* How it is now. */
	struct process *qemu; /* NULL: it does not run */
	struct process *tpm;
	bool has_socket;
	bool paused;
	unsigned int n_vcpus;
	struct cpuset cpuset; /* of its scope; empty: none */
	double quota_cpus;
	uint64_t memory_kib;
	uint64_t node_kib[MODEL_NODES_MAX];
	struct monitor *monitor; /* the daemon's; NULL: none */
	/* Kept by the judge. */
	uint64_t event_us; /* when something last happened to it */
	uint64_t started_us;
	bool foreign;  /* its vCPUs had masks of their own at first touch */
	bool named;    /* which no longer counts */
	bool restored; /* by hand */
	bool has_mode; /* by hand */
	enum place_mode hand;
	uint64_t moved_us; /* for a gain */
	unsigned int moves_today;
	unsigned int drifts; /* by others, since it started */
};

struct model {
	struct event_base *base;
	struct rnd rnd;
	const struct host_spec *spec;
	struct host whole; /* with all its CPUs */
	struct cpuset online;
	bool has_cpusets;	/* the controller is on for slices and scopes */
	bool old_kernel;	/* before 6.2: a cpuset's change undoes masks */
	struct cpuset slice;	/* cpuset of qemu.slice; empty: none */
	struct cpuset reserved; /* by the configuration */
	bool calm;		/* no CPU goes, no VM has cores of its own */
	unsigned int n_guests;
	struct guest guests[MODEL_GUESTS_MAX];
	struct process *by_pid[MODEL_PIDS];
	struct thread *by_tid[MODEL_PIDS];
	pid_t last_tid;
	unsigned int serials;
	bool load_due;	    /* masks or loads have changed */
	uint64_t others_ns; /* CPU time of a container, of all others */
	uint64_t others_us;
	struct discovery *discovery;  /* the daemon's; NULL: none */
	void (*on_cpus)(void *owner); /* a uevent */
	void *owner;
};

/** @spec: a host of hosts.h. Frees with model_free. */
struct model *model_new(
	struct event_base *base, const struct host_spec *spec, uint64_t seed);
void model_free(struct model *m);

uint64_t model_now_us(const struct model *m);

/* ---- processes ---- */

struct process *model_process(const struct model *m, pid_t pid);
struct thread *model_thread(const struct model *m, pid_t tid);
struct process *model_of_fd(const struct model *m, int pidfd);

/** A QEMU, with all that belongs to it. Its socket comes with model_open. */
void model_start(struct model *m, struct guest *g);
/** It ends; its socket may stay. */
void model_end(struct model *m, struct guest *g);

/** Of a running QEMU. A thread has what the one that made it has. */
struct thread *model_add_thread(struct model *m, struct process *p,
	enum thread_class class, int index, const char *comm);
void model_end_thread(struct model *m, struct thread *t);
struct thread *model_vcpu(const struct guest *g, unsigned int index);

/** Of the heap, for processes and threads. */
size_t model_bytes(const struct model *m);

/** Ids are used up by processes that are nobody's. */
void model_churn(struct model *m, unsigned int n);

/* ---- masks, see masks.c ---- */

/** What processes of the guest's scope, or others (NULL), may use. */
struct cpuset masks_allowed(const struct model *m, const struct guest *g);
struct cpuset masks_effective(const struct model *m, const struct guest *g);
struct cpuset masks_shown(const struct model *m, const struct thread *t);
int masks_set(struct model *m, struct thread *t, const struct cpuset *want);
void masks_cpu(struct model *m, unsigned int cpu, bool online);
/** The cpuset of a scope, or of the slice (NULL). */
void masks_confine(struct model *m, struct guest *g, const struct cpuset *cpus);
void masks_wake(struct model *m, struct thread *t);

/* ---- load, see load.c ---- */

/** Other loads of a guest's vCPUs: @busy of a CPU each, on average. */
void load_change(struct model *m, struct guest *g, double busy);
/** Counters as of now. */
void load_count(struct model *m, struct thread *t);
uint64_t load_process_ns(struct model *m, struct process *p);
/** Memory of the guest comes after its vCPUs, @share of it. */
void load_fault_in(struct model *m, struct guest *g, double share);

#endif

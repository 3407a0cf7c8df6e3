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

#include "actors.h"
#include "hosts.h"
#include "rnd.h"
#include "topo/cpuset.h"

#define MODEL_GUESTS_MAX 64u
#define MODEL_FIRST_ID 100u
#define MODEL_PIDS 32768u /* then ids begin anew */
/* Descriptors that are only names; no process has so many. */
#define MODEL_FD 0x10000000

struct discovery;
struct event_base;

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

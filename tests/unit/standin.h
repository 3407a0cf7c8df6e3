// SPDX-License-Identifier: MIT
/*
 * A process that stands in for QEMU: real threads with QEMU's names, a pidfile, a
 * monitor socket of its own whose answers the test decides. It dies with the test.
 */
#ifndef QMPIN_TESTS_STANDIN_H
#define QMPIN_TESTS_STANDIN_H

#include <stdbool.h>
#include <sys/types.h>

#include "topo/cpuset.h"

#define STANDIN_VCPUS_MAX 8u
#define STANDIN_THREADS_MAX 64u

struct standin {
	pid_t pid; /* 0: reaped */
	int vmid;
	int control;
	char *socket_path;
	pid_t claims[STANDIN_VCPUS_MAX]; /* what QMP says; 0: no such vCPU */
};

/** Fork it, with a pidfile in @dir and a main thread only; nobody listens yet. */
struct standin standin_new(const char *dir, int vmid);

/** One as QEMU would be: @n_vcpus vCPUs and "IO mon_iothread", and it listens. */
struct standin standin_vm(const char *dir, int vmid, unsigned int n_vcpus);

/** Listen on DIR/VMID.qmp. */
void standin_listen(struct standin *s);

/** A new thread, made by the main thread, whose mask it inherits. */
pid_t standin_thread(struct standin *s, const char *name);
/** End a thread and wait until the kernel has forgotten it. */
void standin_end_thread(struct standin *s, pid_t tid);

/** A thread uses all of a CPU from now on, or sleeps again. */
void standin_load(struct standin *s, pid_t tid, bool busy);

/** A thread "CPU index/KVM" that QMP names. */
pid_t standin_plug(struct standin *s, unsigned int index);
/** QMP names @tid as that vCPU from now on; 0: there is none. */
void standin_claim(struct standin *s, unsigned int index, pid_t tid);

/** How often its vCPUs were asked for. */
unsigned int standin_dialogues(struct standin *s);

/** Tell an event to all clients: "RESET". */
void standin_event(struct standin *s, const char *name);

/** Kill it; a zombie is left. */
void standin_kill(struct standin *s);
/** Kill and reap. The files stay. */
void standin_fini(struct standin *s);

/** The mask of a thread, and somebody else setting it. */
struct cpuset standin_mask(pid_t tid);
void standin_set_mask(pid_t tid, const struct cpuset *cpus);

#endif

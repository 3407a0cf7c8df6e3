// SPDX-License-Identifier: MIT
/*
 * What a change of masks looks like, by which threads differ from what was wanted and
 * how. The kernel does not say who called it, so this names what leaves such traces.
 * Pure.
 */
#ifndef QMPIN_DAEMON_DRIFT_H
#define QMPIN_DAEMON_DRIFT_H

#include <stdbool.h>
#include <stddef.h>

#include "topo/cpuset.h"
#include "topo/model.h"
#include "vm/threads.h"

enum drift_kind {
	DRIFT_NONE,
	DRIFT_THREAD, /* one thread: taskset -p TID */
	DRIFT_MAIN,   /* the main thread alone: taskset -p PID */
	DRIFT_SOME,   /* several, in no known way */
	DRIFT_VCPUS,  /* the vCPUs and nothing else: another manager of vCPUs */
	DRIFT_ALL,    /* all threads to one mask: taskset -a */
	DRIFT_NODE,   /* the same, to the CPUs of whole nodes: numad */
	DRIFT_CPUSET, /* to what the cpuset of its cgroup leaves it */
	DRIFT_KERNEL, /* widened when their CPUs went offline */
	DRIFT_N_KINDS
};

/* A thread that had the wanted mask once. Borrowed. */
struct drift_thread {
	enum thread_class class;
	const struct cpuset *want;
	const struct cpuset *have;
};

struct drift_host {
	const struct topo *topo;
	struct cpuset allowed; /* by the VM's cgroup; empty: unknown */
	bool shaken;	       /* CPUs went or came a moment ago */
};

struct drift {
	enum drift_kind kind;
	enum thread_class class; /* of the first that was changed */
	unsigned int changed;
	unsigned int threads;
	struct cpuset to; /* what they all were set to; empty: different masks */
};

/** Look at all threads of one VM. @out has kind DRIFT_NONE when all are as wanted. */
void drift_judge(const struct drift_thread *threads, size_t n,
	const struct drift_host *host, struct drift *out);

/** Two VMs were changed in one go, as far as masks can tell. */
bool drift_alike(const struct drift *a, const struct drift *b);

/** "thread", "main", "some", "vcpus", "all", "node", "cpuset", "kernel"; for counters.
 */
const char *drift_name(enum drift_kind kind);

/** "all 12 threads set to 0-63 at once, as taskset -a does".
 *
 * @n_vms  VMs that were changed alike at the same time, this one included
 *
 * Returns @buf.
 */
char *drift_text(const struct drift *d, unsigned int n_vms, char *buf, size_t size);

#endif

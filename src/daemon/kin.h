// SPDX-License-Identifier: MIT
/*
 * The processes beside its QEMU that belong to a VM: helpers in its scope (swtpm,
 * virtiofsd) and kernel threads of vhost. Their threads are in vm->tasks, with the
 * process in vm_task.pid. Each process has a pidfd of its own; vm/kinship.h says what
 * proves that it is the VM's.
 */
#ifndef QMPIN_DAEMON_KIN_H
#define QMPIN_DAEMON_KIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/kthreads.h"
#include "topo/cpuset.h"
#include "vm/identity.h"
#include "vm/threads.h"

struct engine;
struct thread_ref;
struct vm;
struct vm_task;

struct kinsman {
	struct vm_identity process;
	enum thread_class class; /* THREAD_HELPER or THREAD_VHOST */
	bool stranger; /* a kernel thread of something else: no pidfd, no threads */
};

/* Of one VM. Zero-initialised it is empty. */
struct kin {
	size_t n; /* ascending pid */
	size_t cap;
	struct kinsman *list;
	bool has_scope;	   /* its QEMU was in its own scope at the last look */
	int scope_fd;	   /* that scope's processes; valid with has_scope */
	unsigned int rest; /* looks until one for a scope, without has_scope */
	bool alone;	   /* its QEMU was there, and no other */
};

/* What looking takes, beside engine.cgroupfd. */
struct kin_host {
	bool has_vhosts; /* vhost has kernel threads */
	struct kthreads kthreads;
	bool looked;
	uint64_t looked_us;
};

void kin_host_init(struct kin_host *h);
void kin_host_fini(struct kin_host *h);

/** File the processes, and their threads, that came or went since the last time. Reads
 * only; masks are not compared. A QEMU is in its scope from its start: one that is not
 * is looked for there at surveys and now and then. */
void kin_look(struct engine *e, struct vm *vm);

/** The same with all that is known of their threads read anew. */
void kin_survey(struct engine *e, struct vm *vm);

/** The outer limit of a thread in its first moment: what the record has, else the mask
 * it came with; one that it inherited of a thread we have set is no limit. */
struct cpuset kin_limit(struct engine *e, struct vm *vm, const struct vm_task *t);

/** A record was loaded: forget what has ended since. */
void kin_check_record(struct engine *e, struct vm *vm);

/** Let @ref name the thread's process. Returns false when it is not known any more. */
bool kin_refer(const struct vm *vm, const struct vm_task *t, struct thread_ref *ref);

/** The group at @path is VM @id's own scope; its QEMU was there at the last look, and
 * no other. */
bool kin_is_own(const struct kin *k, const char *id, const char *path);

/** The VM's process has ended. Its tasks are the caller's. */
void kin_fini(struct kin *k);

#endif

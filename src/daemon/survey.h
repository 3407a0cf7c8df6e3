// SPDX-License-Identifier: MIT
/*
 * What a VM's threads are and have, read from /proc and the kernel, checked against
 * what QMP says, with the mask each had before qmpind touched the VM.
 */
#ifndef QMPIN_DAEMON_SURVEY_H
#define QMPIN_DAEMON_SURVEY_H

#include "base/attr.h"
#include "base/err.h"
#include "topo/cpuset.h"

struct engine;
struct vm;
struct vm_task;

/**
 * Bring vm->tasks, vm->record, vm->foreign and vm->placed up to date.
 *
 * Returns 0, -ESTALE (QMP names threads that are not the VM's: nothing may be pinned;
 * observe again), -EAGAIN (QMP's word was an older one: it is asked again), -ESRCH (the
 * process ended) or another errno with @err.
 */
MUST_CHECK int survey_vm(struct engine *e, struct vm *vm, struct err *err);

/** The outer limit that the mask of @t found at first touch stands for: one of all
 * online CPUs is none, and CPUs that come online later count too; nor is one of all but
 * isolcpus, which are left out of it as they were. Another one has the CPUs that were
 * asked for and are offline. */
struct cpuset survey_as_limit(
	const struct engine *e, const struct vm *vm, const struct vm_task *t);

/** What a recorded limit allows: of one that lacks nothing but CPUs of isolcpus, these
 * too. Nobody took them from this VM; who may have them is the planner's rule. */
struct cpuset survey_reach(const struct engine *e, const struct cpuset *limit);

/** What QMP said last names the vCPUs and iothreads that are known already. */
bool survey_holds(struct vm *vm);

#endif

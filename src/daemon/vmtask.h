// SPDX-License-Identifier: MIT
/* A thread of a VM as the daemon knows it. Plain state. */
#ifndef QMPIN_DAEMON_VMTASK_H
#define QMPIN_DAEMON_VMTASK_H

#include <stdbool.h>
#include <stdint.h>

#include "topo/cpuset.h"
#include "vm/threads.h"

/* A thread and what is wanted of it. */
struct vm_task {
	struct vm_thread thread;
	pid_t pid;	    /* its process, where that is not the VM's QEMU: else 0 */
	struct cpuset have; /* as last read */
	struct cpuset want; /* valid when wanted */
	bool wanted;
	bool applied; /* had the wanted mask since it is wanted: else it is not drift */
	bool ended;   /* not there at the last audit */
	int last_cpu;
	uint64_t seen_us; /* first sight */
};

#endif

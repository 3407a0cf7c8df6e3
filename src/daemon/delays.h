// SPDX-License-Identifier: MIT
/*
 * Run delays of the vCPUs of a VM, read in the audit. A VM that hardly runs is read
 * less often: its process's CPU time says so for the price of one system call.
 */
#ifndef QMPIN_DAEMON_DELAYS_H
#define QMPIN_DAEMON_DELAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/rundelay.h"

struct engine;
struct vm;

struct delays {
	size_t n;
	struct rundelay *threads; /* ascending tid */
	uint64_t used_ns;	  /* by the process, at used_us */
	uint64_t used_us;	  /* 0: never read */
	unsigned int skipped;	  /* audits since the threads were read */
};

/** Read what is to be read of the VM's vCPUs now. */
void delays_read(struct engine *e, struct vm *vm);

/** What was read before says nothing about now: masks have changed. */
void delays_restart(struct delays *d);
void delays_fini(struct delays *d);

/** CPUs in use by a vCPU; 0 also when unknown. */
double delays_busy(const struct delays *d, pid_t tid);

#endif

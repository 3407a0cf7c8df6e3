// SPDX-License-Identifier: MIT
/*
 * Run delays of the vCPUs of a VM, read in the audit. A VM that hardly runs is read
 * less often: its process's CPU time says so for the price of one system call. Of those
 * that run only so many are read an interval, those that wait first: who waits takes no
 * more than what the CPUs leave, so that their number hardly matters.
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
	double use;	      /* CPUs, between the last two audits; negative: unknown */
	double read_use;      /* the same when the threads were read */
	unsigned int skipped; /* audits since then */
};

/* Of all VMs. Zeroed: none was read yet. */
struct delays_pace {
	double room; /* files that may be read now */
	uint64_t at_us;
};

/** Read what is to be read of the VM's vCPUs now. */
void delays_read(struct engine *e, struct vm *vm);

/** Its threads are to be read this time. @helpless: whether it waits changes nothing
 * for now. @room: files that may be read now. */
bool delays_are_due(const struct delays *d, bool helpless, unsigned int room);

/** What was read before says nothing about now: masks have changed. */
void delays_restart(struct delays *d);
void delays_fini(struct delays *d);

/** CPUs in use by a vCPU; 0 also when unknown. */
double delays_busy(const struct delays *d, pid_t tid);

#endif

// SPDX-License-Identifier: MIT
/* A site with all VMs busy: how full each PU is, and which nodes each group is on. */
#ifndef QMPIN_BENCH_FILLED_H
#define QMPIN_BENCH_FILLED_H

#include "parts.h"

struct filled {
	struct site *site;
	struct parts parts;
	double vcpus;
	double lost;   /* demand above one CPU's worth on the PUs */
	double *load;  /* of each PU */
	double *nodes; /* of each group: its share on each node */
};

/** Fill it. VMs whose memory is nowhere yet touch it. filled_fini. */
struct filled filled_new(struct site *s);
void filled_fini(struct filled *f);

/** The part after the last one of the VM whose parts begin at @first. */
unsigned int filled_end_of_vm(const struct filled *f, unsigned int first);

#endif

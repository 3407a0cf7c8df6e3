// SPDX-License-Identifier: MIT
/*
 * The vCPUs of a site by what they may use: a part is vCPUs of one VM and guest node
 * with the same mask, a group is all parts with the same mask. Groups are in the order
 * in which the judge fills them: narrow ones first.
 */
#ifndef QMPIN_BENCH_PARTS_H
#define QMPIN_BENCH_PARTS_H

#include "site.h"

struct part {
	unsigned int vm; /* index in the site */
	unsigned int guest_node;
	unsigned int n; /* vCPUs */
	unsigned int group;
	struct cpuset mask;
	unsigned int width; /* CPUs in it */
};

struct group {
	unsigned int n; /* PUs (indices), ascending */
	unsigned short *pus;
	double demand; /* of the last filling */
	double *got;   /* what each PU got of it; kept where it was asked for */
};

struct parts {
	unsigned int n;
	struct part *parts; /* of one VM side by side, VMs in order */
	unsigned int n_groups;
	struct group *groups;
};

/** By the masks, or with every VM on its whole limit. */
struct parts parts_of_masks(const struct site *s);
struct parts parts_of_limits(const struct site *s);
void parts_fini(struct parts *p);

/**
 * Fill the PUs with the demand of the busy VMs.
 *
 * @busy  of each VM, NULL: all are
 * @keep  into got what each group got where
 * @load  of each PU of the topology (indices): written
 *
 * Returns what is above one CPU's worth on the PUs: it cannot run.
 */
double parts_fill(const struct parts *p, unsigned int n_pus, const bool *busy,
	bool keep, double *load);

#endif

// SPDX-License-Identifier: MIT
/*
 * Pages of another process moved to other NUMA nodes, a slice of its memory at a time.
 * What has moved is what the kernel says afterwards, whatever it said of the call.
 *
 * Source: move_pages(2), the kernel's mm/migrate.c.
 */
#ifndef QMPIN_ACT_PAGEMOVE_H
#define QMPIN_ACT_PAGEMOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "act/ramlist.h"
#include "base/attr.h"
#include "topo/cpuset.h"

/* Pages of a slice; of small ones 2 MiB, a few milliseconds. */
#define PAGEMOVE_PAGES 512u

struct pagemove {
	pid_t pid;
	struct cpuset to; /* nodes; not empty */
	const struct ram_range *ranges;
	size_t n_ranges;
	/* how far it is */
	size_t at;
	uint64_t offset;     /* in ranges[at] */
	unsigned int target; /* of the next slice */
	uint64_t seen_bytes; /* gone through, of total_bytes */
	uint64_t total_bytes;
	uint64_t moved_bytes;
	uint64_t stuck_bytes; /* tried, and still elsewhere */
	bool full;	      /* a node of @to had no room */
};

/** @ranges is borrowed. */
void pagemove_init(struct pagemove *p, pid_t pid, const struct cpuset *to,
	const struct ram_range *ranges, size_t n_ranges);

/**
 * One slice.
 *
 * Returns 1 (there is more), 0 (all was seen), -EPERM, -ESRCH (the process has ended),
 * -EACCES (its cpuset does not have such a node), -ENODEV (there is no such node) or
 * another errno.
 */
MUST_CHECK int pagemove_step(struct pagemove *p);

#endif

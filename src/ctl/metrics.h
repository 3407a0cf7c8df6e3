// SPDX-License-Identifier: MIT
/*
 * What GetMetrics tells, as Prometheus reads it: text format 0.0.4. A VM has a handful
 * of values, all else is about the whole host. Pure.
 *
 * Source: prometheus.io, exposition formats and naming practices.
 */
#ifndef QMPIN_CTL_METRICS_H
#define QMPIN_CTL_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* How many of one kind: the value of a label, and its number. */
struct metrics_count {
	const char *label;
	uint64_t n;
};

struct metrics_counts {
	const struct metrics_count *items;
	size_t n;
};

/* Turns of the loop that took at most so long, and longer than those before. */
struct metrics_turns {
	double up_to_s; /* negative: however long */
	uint64_t n;
};

struct metrics_vm {
	const char *id;
	const char *name; /* NULL: has none */
	const char *mode;
	bool managed;
	unsigned int vcpus;
	double wait_ratio;	   /* negative: unknown */
	double memory_local_ratio; /* negative: unknown */
	unsigned int repairs;
};

/* Ratios are 0..1, times seconds. Borrowed. */
struct metrics {
	const char *version;
	double started_s; /* since 1970 */
	bool dry_run;
	bool config_ok; /* that on disk is in force */
	bool guard;	/* one runs */
	unsigned int warnings;

	struct metrics_counts states; /* VMs in each */
	struct metrics_counts modes;
	struct metrics_counts shares;
	unsigned int managed;
	unsigned int threads;
	unsigned int troubled; /* the last attempt at them has failed */
	unsigned int left_alone;
	unsigned int widened;

	uint64_t passes;
	double passes_s; /* all together */
	double last_pass_s;
	uint64_t masks_set;
	uint64_t masks_failed;
	uint64_t masks_reverted;
	uint64_t repairs;
	struct metrics_counts drifts; /* repairs of VMs, by what had happened */
	uint64_t rebalanced;

	uint64_t yields; /* somebody waited for a monitor that we held */
	double yields_s; /* until we had left */
	const struct metrics_turns *turns;
	size_t n_turns;
	double turns_s; /* all together */

	double background_cpus; /* negative: unknown */
	const char *latency;	/* one of latencies */
	const char *const *latencies;
	size_t n_latencies;
	double latency_trust;
	unsigned int pairs; /* of CPUs, measured */
	unsigned int pairs_total;
	double measured_s; /* since 1970; 0: never */

	const struct metrics_vm *vms;
	size_t n_vms;
};

/** New string; free() it. UTF-8, whatever the names are made of. */
MUST_CHECK char *metrics_text(const struct metrics *m);

#endif

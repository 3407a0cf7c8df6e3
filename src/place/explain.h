// SPDX-License-Identifier: MIT
/*
 * Why a VM is where it is, as data: what was chosen and what it costs term by term,
 * what came second, which rules left no choice, what would have to be free for
 * something better. And the same in words. Pure.
 */
#ifndef QMPIN_PLACE_EXPLAIN_H
#define QMPIN_PLACE_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "place/objective.h"

/* Rules that took something from the choice. Bits of explain.rules. */
enum explain_rule {
	EXPLAIN_OFFLINE,     /* CPUs of its limit are offline */
	EXPLAIN_LIMIT,	     /* the mask it had at first touch */
	EXPLAIN_AFFINITY,    /* affinity: of its configuration */
	EXPLAIN_CGROUP,	     /* cpuset of its cgroup */
	EXPLAIN_RESERVED,    /* reserved_cpus */
	EXPLAIN_ISOLATED,    /* isolated CPUs that only pin and dedicated may have */
	EXPLAIN_EXCLUSIVE,   /* cores that are other VMs' alone */
	EXPLAIN_HOST_NODES,  /* guest nodes bound to host nodes */
	EXPLAIN_GUEST_CORES, /* guest threads on host siblings (core, pin) */
	EXPLAIN_CPU0,	     /* CPU 0's core is nobody's alone */
	EXPLAIN_NODE_SHARE,  /* dedicated_max_pct */
	EXPLAIN_QUOTA,	     /* its CPU quota: auto does not narrow it */
	EXPLAIN_WAITING,     /* wider than it needs, so that nobody waits */
	EXPLAIN_DWELL,	     /* rests after its last change */
	EXPLAIN_N_RULES
};

/* Why an option is not the chosen one. */
enum explain_verdict {
	EXPLAIN_CHOSEN,
	EXPLAIN_DEARER, /* costs more */
	EXPLAIN_WAITS,	/* would make VMs wait beyond the bound */
	EXPLAIN_STAYS,	/* costs less, but moving is not worth it or not allowed now */
};

struct explain_option {
	struct cpuset cpus;
	struct cpuset nodes; /* kernel ids */
	struct terms terms;
	double total_ns;
	enum explain_verdict verdict;
};

struct explain {
	struct explain_option chosen;
	bool has_runner_up;
	struct explain_option runner_up;
	unsigned int rules; /* bits */
	/* The cheapest domain were it empty, when that is cheaper than what was chosen.
	 */
	bool has_better;
	struct explain_option better; /* terms as if it were empty */
	double better_load_cpus;      /* what others put on it now */
	double better_free_cpus; /* what of it has to be free to be the choice, at most
				  * its CPUs */
};

/** "affinity 0-31 of its configuration" ... into @buf. Returns @buf. */
char *explain_rule_text(const struct plan_input *in, const struct plan_vm *vm,
	enum explain_rule rule, char *buf, size_t size);

/** "costs 12 ns more: memory +10, SMT +2" ... into @buf. Returns @buf. */
char *explain_verdict_text(const struct explain *e, const struct explain_option *o,
	char *buf, size_t size);

/** "L3 group 0 of node 1 would be 12 ns nearer: 5.5 of its 8 CPUs are in use, at most 4
 * may be" into @buf; empty when nothing is better. Returns @buf. */
char *explain_better_text(
	const struct plan_input *in, const struct explain *e, char *buf, size_t size);

/** A term in words: "memory: 40 % of accesses go to another node" into @buf. */
char *explain_term_text(const struct plan_input *in, const struct explain_option *o,
	enum term t, char *buf, size_t size);

#endif

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
	EXPLAIN_QUOTA,	     /* its CPU quota: it counts with less than its vCPUs */
	EXPLAIN_WAITING,     /* wider than it needs, so that nobody waits */
	EXPLAIN_DWELL,	     /* rests after its last change, or it would be moved */
	EXPLAIN_CORES,	     /* narrowed to whole cores, as long as nobody is there */
	/* Why nothing came second. */
	EXPLAIN_SETTLED,      /* keeps its own cores, or its isolated CPUs */
	EXPLAIN_NODE_BY_NODE, /* several guest nodes, each pinned for itself */
	EXPLAIN_EARLIER,      /* keeps a domain of an earlier measurement */
	EXPLAIN_ONLY,	      /* there is no other place in what it may use */
	EXPLAIN_N_RULES
};

/* Why an option is not the chosen one. */
enum explain_verdict {
	EXPLAIN_CHOSEN,
	EXPLAIN_DEARER, /* costs more */
	EXPLAIN_WAITS,	/* would make VMs wait beyond the bound */
	EXPLAIN_STAYS,	/* costs less, but moving is not worth it or not allowed now */
	EXPLAIN_HARMS,	/* costs it less, but others more than that */
};

/* What speaks against moving it now to what costs less. */
enum explain_hold {
	EXPLAIN_FREE,	 /* nothing: the next rebalance may move it */
	EXPLAIN_OFF,	 /* rebalance is off, or may move nothing */
	EXPLAIN_STILL,	 /* as it is now it is not moved, however long it rests */
	EXPLAIN_RESTS,	 /* it was changed a short time ago */
	EXPLAIN_APART,	 /* it keeps a domain of an earlier measurement */
	EXPLAIN_WIDER,	 /* it would only get more CPUs */
	EXPLAIN_LITTLE,	 /* the gain, of all, is smaller than rebalance asks for */
	EXPLAIN_EASES,	 /* there would be a gain, but of waiting only */
	EXPLAIN_CROWDED, /* VMs would wait more than rebalance accepts */
	EXPLAIN_PINNED,	 /* of a mode that is never moved for a gain */
	EXPLAIN_AWAY,	 /* but for the way back to CPUs that it lost */
	EXPLAIN_OBSERVED /* it is only observed */
};

/* The rules that say why there is no runner-up. */
#define EXPLAIN_NO_SECOND                                                             \
	(1u << EXPLAIN_SETTLED | 1u << EXPLAIN_NODE_BY_NODE | 1u << EXPLAIN_EARLIER | \
		1u << EXPLAIN_ONLY)

struct explain_option {
	struct cpuset cpus;
	struct cpuset nodes; /* kernel ids */
	struct terms terms;
	double total_ns;
	enum explain_verdict verdict;
	/* What the terms were made of, for the texts. */
	double others_ns;    /* ns x vCPUs that other VMs pay more than now */
	bool imagined;	     /* of a VM that is only observed */
	double local_share;  /* of its memory; negative: it is nowhere yet */
	double home_share;   /* of its memory, on the node that has most; 0: unknown */
	unsigned int home;   /* that node's kernel id */
	double shared_share; /* of its vCPUs: their cores run other vCPUs too */
	double small_share;  /* of its vCPUs: on efficiency cores */
	double load_cpus;    /* of other VMs and of the host, on these CPUs */
	double lost_share;   /* pinned: of its demand, that its CPUs cannot run */
	double wait_mean;    /* of all VMs, as in policy.h */
	double wait_tail;
};

struct explain {
	struct explain_option chosen;
	bool has_runner_up;
	struct explain_option runner_up;
	enum explain_hold hold;	 /* when the runner-up costs less */
	unsigned int rules;	 /* bits */
	struct cpuset home;	 /* with EXPLAIN_AWAY: those CPUs */
	struct cpuset exclusive; /* with EXPLAIN_EXCLUSIVE: those CPUs */
	double wait_mean_max;	 /* the bounds */
	double wait_tail_max;
	/* The cheapest domain were it empty, when that is cheaper than what was chosen.
	 */
	bool has_better;
	struct explain_option better; /* terms as if it were empty */
	double better_load_cpus;      /* what others put on it now */
	double better_free_cpus; /* what of it has to be free to be the choice, at most
				  * its CPUs */
};

/** "affinity 0-31 of its configuration: 32 of 64 CPUs" ... into @buf. Returns @buf. */
char *explain_rule_text(const struct plan_input *in, const struct plan_vm *vm,
	const struct explain *e, enum explain_rule rule, char *buf, size_t size);

/** What OFFLINE, RESERVED, ISOLATED, CPU0 and NODE_SHARE say of all VMs alike, into
 * @buf. Returns @buf. */
char *explain_host_text(
	const struct plan_input *in, enum explain_rule rule, char *buf, size_t size);

/** "costs 12.3 ns more a vCPU: memory +10.1, smt +2.2" ... into @buf. Returns @buf. */
char *explain_verdict_text(const struct explain *e, const struct explain_option *o,
	char *buf, size_t size);

/** "at least 4.0 of the 8 CPUs of L3 group 0 of node 1 were free, where others want
 * 5.5; if all were free: 12.0 ns less a vCPU": goes on after "better if", into @buf;
 * empty when nothing is better. Returns @buf. */
char *explain_better_text(
	const struct plan_input *in, const struct explain *e, char *buf, size_t size);

/** A term in words: "60 % of its memory is local" into @buf. Returns @buf. */
char *explain_term_text(const struct plan_input *in, const struct explain_option *o,
	enum term t, char *buf, size_t size);

#endif

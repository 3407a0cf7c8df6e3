// SPDX-License-Identifier: MIT
/*
 * What must hold, seen from outside: from what the daemon sets, from the masks that
 * threads have, and from the records on disk. The daemon's own state is asked only for
 * what it wants, and whether it has given way.
 */
#ifndef QMPIN_TESTS_SIM_JUDGE_H
#define QMPIN_TESTS_SIM_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "daemon/cause.h"
#include "invariants.h"
#include "model.h"
#include "topo/cpuset.h"

struct engine;

#define JUDGE_LAST 20u
#define JUDGE_TEXT 160u
#define JUDGE_MOVES 256u

enum rule {
	RULE_STRANGER,
	RULE_ALONE_LEFT,
	RULE_LIMIT,
	RULE_RESERVED,
	RULE_RECORD_FIRST,
	RULE_NO_CAUSE,
	RULE_DWELL,
	RULE_RATE,
	RULE_MOVES,
	RULE_SEEN,
	RULE_MASK,
	RULE_PATIENCE,
	RULE_CORES,
	RULE_HOME,
	RULE_RESTORED,
	RULE_RECORD,
	RULE_LEFTOVER,
	RULE_MEMORY,
	RULE_PLAN,
	N_RULES
};

struct judge_line {
	uint64_t at_us;
	char text[JUDGE_TEXT];
};

struct judge_counts {
	uint64_t checks[N_RULES];
	uint64_t events;
	uint64_t sets;
	uint64_t moves[CAUSE_N]; /* of VMs, by what brought them about */
	uint64_t drifts;
	uint64_t restarts;
	uint64_t kills;
	uint64_t given_way; /* looks at VMs that are left alone for a time */
	uint64_t unplaced;  /* and at VMs that cannot be placed */
	uint64_t placed;
	unsigned int most_moves; /* of a VM on a day, for a gain */
};

struct judge {
	struct model *model;
	struct engine *engine; /* NULL: no daemon runs */
	int run_dirfd;
	uint64_t audit_us;
	bool restoring;	       /* the administrator has said so */
	uint64_t disturbed_us; /* when something last happened that concerns all */
	uint64_t any_us;       /* or anybody */
	uint64_t gains_us[JUDGE_MOVES]; /* when VMs were moved for a gain, a ring */
	unsigned int n_gains;
	struct judge_counts counts;
	uint64_t n_plans;
	struct invariants plans;
	struct judge_line last[JUDGE_LAST]; /* events, a ring */
	unsigned int n_last;
	bool trace;
	bool broken;
	enum rule rule;
	char text[512];
};

const char *judge_rule_name(enum rule rule);

/** An event of the world: to @g, or (NULL) to all. */
void judge_note(struct judge *j, struct guest *g, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/** The daemon is about to set a mask, and has set it. */
void judge_set(struct judge *j, const struct thread *t, const struct cpuset *want);
void judge_has_set(struct judge *j, struct thread *t, const struct cpuset *want);

/** All masks as they are now, of VMs to which nothing has happened for a while. */
void judge_look(struct judge *j);

/** Records against what threads had before the daemon came. */
void judge_records(struct judge *j);

/** Where vCPUs were whose CPUs went, see exile.c: a mask is about to be noted as set;
 * what is known of a guest (NULL: of all) holds no more. */
void exile_note(struct judge *j, struct thread *t, const struct cpuset *want);
void exile_forget(const struct model *m, const struct guest *only);
void exile_look(struct judge *j);

/** A QEMU starts: how often was the VM moved on this day? */
void judge_moves(struct judge *j, struct guest *g);

/** A day is over, or the life of the daemon, which counts anew. */
void judge_day(struct judge *j);

/** The first one counts. */
void judge_break(struct judge *j, enum rule rule, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/** Count a check; @ok goes back. */
bool judge_check(struct judge *j, enum rule rule, bool ok);

/** So long after an event the daemon has had its two audits. */
uint64_t judge_settled_us(const struct judge *j);

#endif

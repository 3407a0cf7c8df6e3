// SPDX-License-Identifier: MIT
/*
 * Input of the planner of all kinds: a host, a policy and VMs with every member of
 * struct plan_vm in use, and events that change them. All of it is input that a user
 * can bring about; what makes no sense at all is in test_planner_bad.c.
 */
#ifndef QMPIN_TESTS_WILD_H
#define QMPIN_TESTS_WILD_H

#include <stdio.h>

#include "place/planner.h"
#include "wildhost.h"

#define WILD_VMS 24u
#define WILD_VCPUS 40u
#define WILD_GUEST_NODES 4u

struct wild_vm {
	char id[16];
	struct plan_vm in; /* its pointers lead into this struct */
	struct cpuset affinity;
	struct cpuset cgroup;
	double share[WILD_NODES];
	struct plan_guest_node nodes[WILD_GUEST_NODES];
	double node_share[WILD_GUEST_NODES][WILD_NODES];
	uint16_t node_of[WILD_VCPUS];
	uint32_t core_of[WILD_VCPUS];
	struct cpuset masks[WILD_VCPUS];
	struct plan_waited waited;
	bool loose;		/* had that at its last plan */
	struct cpuset emulator; /* of the last plan */
	bool has_cores;		/* of its own, as the last plan said */
	bool excused;		/* its own rules changed: it may have to go elsewhere */
};

struct wild {
	struct wildhost facts;
	struct cpuset offline;
	struct host host;
	struct plan_policy policy;
	bool has_background;
	bool has_free;
	double load_of_cpu[WILD_CPU_END];
	double background[WILD_CPUS]; /* by PU */
	double free_gib[WILD_NODES];
	bool regrouped; /* CPUs went or came back, also as somebody's alone */
	bool simple;	/* VMs have no rules of their own */
	unsigned int next_id;
	unsigned int n;
	struct wild_vm *vms[WILD_VMS];
	struct plan_vm list[WILD_VMS]; /* what wild_input points to */
};

/** Some VMs on a host, none placed. wild_free it. */
struct wild *wild_new(struct chance *c);
void wild_free(struct wild *w);

/** The same with its own memory. */
struct wild *wild_copy(const struct wild *w);

/** One VM more, if there is room. Returns its index, or WILD_VMS. */
unsigned int wild_add(struct wild *w, struct chance *c);
void wild_remove(struct wild *w, unsigned int index);

/** A VM starts, stops, is plugged or gets other rules, a CPU goes or comes. */
void wild_event(struct wild *w, struct chance *c);

/** A changed host: after changes to facts, offline or load_of_cpu. */
void wild_rebuild(struct wild *w);

/** Borrowed until the next change. */
struct plan_input wild_input(struct wild *w);

/** For people: the host, the VMs with their rules, what they had and what they get (@p
 * NULL: no plan). */
void wild_print(const struct wild *w, const struct plan *p, FILE *out);

/** What was planned is what they have. */
void wild_apply(struct wild *w, const struct plan *p);

#endif

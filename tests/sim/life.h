// SPDX-License-Identifier: MIT
/*
 * What happens on a busy host, by a seed: VMs come and go, somebody changes masks, CPUs
 * go and come back, the daemon ends or is killed.
 */
#ifndef QMPIN_TESTS_SIM_LIFE_H
#define QMPIN_TESTS_SIM_LIFE_H

#include "judge.h"
#include "model.h"
#include "qmpind.h"

struct life {
	struct model *model;
	struct judge *judge;
	struct qmpind *daemon;
	struct rnd rnd;
	struct event *next;
	struct event *restart;
	struct event *look;
	struct event *day;
	unsigned int looks;
	unsigned int quarrel;  /* index of a guest and one: somebody insists */
	unsigned int insists;  /* so many times more */
	uint64_t node_back_us; /* when CPUs that went are to come; 0: none are */
	size_t heap_bytes;     /* in use while no daemon ran; 0: not known */
};

/** VMs for the host: so many that it is well filled. Some run. */
void life_begin(struct life *l, struct model *m, struct judge *j, struct qmpind *d,
	uint64_t seed);
void life_end(struct life *l);

/** The VMs that there are, of which none runs yet, and what the host is like. See
 * guests.c. */
void life_populate(struct life *l);

/** A CPU goes or comes; a node goes for a while, and comes when it is time. See cpus.c.
 */
void life_cpu(struct life *l);
void life_node(struct life *l);
void life_bring_node_back(struct life *l);

/** Any CPUs that are online, one at least. */
struct cpuset life_some_cpus(struct life *l);

#endif

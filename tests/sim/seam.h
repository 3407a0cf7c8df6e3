// SPDX-License-Identifier: MIT
/*
 * Where the daemon meets the model. Its calls of the kernel and of QEMU end in
 * kernel.c, groups.c and qemu.c, which have no argument to find the world by: there is
 * one, as there is one kernel.
 *
 * A daemon that was killed in the middle of a call is one whose further calls do
 * nothing and find nothing, until it is freed.
 */
#ifndef QMPIN_TESTS_SIM_SEAM_H
#define QMPIN_TESTS_SIM_SEAM_H

#include <stdbool.h>

#include "model.h"

struct judge;

/* What is broken on purpose, to see that it is found. */
enum fault {
	FAULT_NONE,
	FAULT_MASK,   /* one mask in 1000 is lost, and shown as if it were not */
	FAULT_RECORD, /* one record in 20 has vanished when it is looked for */
	FAULT_BEYOND, /* one mask in 1000 has a CPU that nobody asked for */
	FAULT_BLIND,  /* what others do to masks is not shown, for some threads */
	FAULT_PLAN,   /* one plan in 200 puts a VM elsewhere for no reason */
	N_FAULTS
};

struct seam {
	struct model *model;
	struct judge *judge;
	enum fault fault;
	struct rnd dice;      /* of faults */
	unsigned int kill_in; /* calls; 0: no kill is due */
	bool dead;
	void (*on_death)(void *owner);
	void *owner;
};

/** The one there is; what it holds is the owner's. */
struct seam *seam(void);

/** The daemon does something. Returns false when it is dead. */
bool seam_alive(void);

/** By the name in QMPIN_SIM_FAULT. Returns false: there is no such fault. */
bool seam_read_fault(const char *name);

/** One in @n of the calls of this fault. */
bool seam_fails(enum fault fault, unsigned int n);

#endif

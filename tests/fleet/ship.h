// SPDX-License-Identifier: MIT
/* One stand-in: a process with QEMU's threads, a pidfile and a monitor. */
#ifndef QMPIN_TESTS_FLEET_SHIP_H
#define QMPIN_TESTS_FLEET_SHIP_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

struct ship_plan {
	const char *dir;
	unsigned int vcpus;
	unsigned int vcpus_max;
	unsigned int threads; /* of all kinds, at least vcpus and main */
	unsigned int iothreads;
	_Atomic uint64_t *sent; /* events of storms, by all; shared memory */
};

struct ship {
	int vmid;
	pid_t pid;
	int control; /* orders go in, an errno comes out */
};

enum ship_verb {
	SHIP_PLUG,
	SHIP_UNPLUG, /* the last vCPU */
	SHIP_PAUSE,
	SHIP_RESUME,
	SHIP_BUSY, /* so many of its vCPUs, the others sleep */
	SHIP_EVENT,
	SHIP_THREAD,   /* a worker of this name comes */
	SHIP_UNTHREAD, /* the one that came last goes */
	SHIP_STORM,    /* so many events a second, 0: no more */
	SHIP_QUIT,     /* it ends as QEMU does: its files go too */
};

struct ship_order {
	enum ship_verb verb;
	unsigned int number;
	char name[32];
};

/** Fork it. Returns 0 or an errno; it is there when ship_await has said so. */
int ship_launch(struct ship *ship, int vmid, const struct ship_plan *plan);

/** Wait for the answer to the launch or an order: 0 or an errno. */
int ship_await(const struct ship *ship);

/** Returns 0 or an errno, when it was carried out. */
int ship_command(const struct ship *ship, const struct ship_order *order);

/** Wait for its end, or bring it about. */
void ship_reap(struct ship *ship);
void ship_kill(struct ship *ship);

#endif

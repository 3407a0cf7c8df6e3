// SPDX-License-Identifier: MIT
/* What can happen on an imagined host: the events of a replay. */
#ifndef QMPIN_PLACE_REPLAY_EVENT_H
#define QMPIN_PLACE_REPLAY_EVENT_H

#include <stdbool.h>

#include "place/mode.h"
#include "topo/cpuset.h"

enum replay_kind {
	REPLAY_HOST,
	REPLAY_START,
	REPLAY_HOTPLUG,
	REPLAY_STOP,
	REPLAY_CPU_OFFLINE,
	REPLAY_CPU_ONLINE,
	REPLAY_N_KINDS
};

/* A number of a node or CPU with a value. */
struct replay_amount {
	unsigned int id; /* kernel id */
	double value;
};

#define REPLAY_ID_MAX 65u /* with its NUL */

/* What starts. Arrays owned by the event (replay_event_fini). */
struct replay_start {
	unsigned int n_vcpus;
	unsigned int max_vcpus; /* 0: n_vcpus */
	unsigned int threads_per_core;
	/* "numa" of the VM's configuration: one guest node where none is given. Guest
	 * nodes that are given count whatever it says. */
	bool numa;
	double memory_gib;
	bool has_affinity;
	struct cpuset affinity;
	/* Of each guest node: its vCPUs (of max_vcpus; those that none names are in the
	 * first) and its host nodes (kernel ids). */
	unsigned int n_guest_nodes;
	struct cpuset *guest_vcpus; /* NULL with 0 */
	struct cpuset *host_nodes;  /* NULL: none is bound */
	bool has_mode;
	enum place_mode mode;
	bool has_smt;
	enum place_smt smt;
	bool has_emulator;
	enum place_emulator emulator;
	struct cpuset pci_nodes; /* kernel ids */
	double weight;		 /* 0: all vCPUs */
	double cpulimit;	 /* 0: none */
	unsigned int n_resident;
	/* GiB that are on nodes already, and not in their free memory. */
	struct replay_amount *resident;
};

/* One event. */
struct replay_event {
	enum replay_kind kind;
	double t_s; /* NAN: a minute after the one before, 0 for the first */
	char id[REPLAY_ID_MAX]; /* of a VM */
	unsigned int n_vcpus;	/* hotplug */
	unsigned int cpu;	/* offline, online */
	struct replay_start start;
	unsigned int n_free; /* host: GiB free of nodes */
	struct replay_amount *free;
	unsigned int n_background; /* host: 0..1 of CPUs */
	struct replay_amount *background;
};

/** Free its arrays; it is empty afterwards. */
void replay_event_fini(struct replay_event *e);

#endif

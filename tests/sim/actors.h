// SPDX-License-Identifier: MIT
/* VMs of the model, their processes and threads. Plain state: model.h says who changes
 * it. */
#ifndef QMPIN_TESTS_SIM_ACTORS_H
#define QMPIN_TESTS_SIM_ACTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "place/mode.h"
#include "topo/cpuset.h"
#include "vm/threads.h"

#define MODEL_NODES_MAX 16u

struct guest;
struct monitor;

struct thread {
	pid_t tid;
	struct process *of;
	uint64_t start_ticks;
	enum thread_class class;
	int index; /* of a vCPU or iothread, else -1 */
	char comm[16];
	struct cpuset user; /* asked for last */
	struct cpuset mask; /* what the kernel made of it, offline CPUs too */
	bool sleeps;
	uint64_t born_us;
	double busy; /* of a CPU that it wants */
	double gets; /* and gets */
	uint64_t run_ns;
	uint64_t wait_ns;
	uint64_t counted_us;
	/* Kept by the judge. */
	bool known;	     /* limit holds */
	struct cpuset limit; /* what it had when the daemon first set its VM */
	bool recorded;	     /* seen in the record on disk */
	bool has_ours;
	struct cpuset ours; /* what the daemon set last */
	struct cpuset home; /* what it had before its CPUs went; empty: it is there */
	uint64_t home_us;   /* since then it could return; 0: it could not */
	bool hides;	    /* a fault: the daemon is shown ours */
};

struct process {
	pid_t pid;
	unsigned int serial; /* its pidfd is MODEL_FD and this */
	uint64_t start_ticks;
	struct guest *guest; /* NULL: nobody's */
	bool helper;
	bool touched;		  /* the daemon has set one of its VM's threads */
	struct cpuset limit;	  /* what threads that come later may have */
	struct cpuset vcpu_limit; /* and vCPUs */
	size_t n;
	size_t cap;
	struct thread **threads; /* ascending tid */
	uint64_t ended_ns;	 /* run time of those that ended */
};

struct guest {
	int vmid;
	char id[12];
	char scope[40];
	/* What it is. */
	enum place_mode mode; /* by the configuration */
	unsigned int vcpus_min;
	unsigned int vcpus_max;
	unsigned int tpc;
	unsigned int iothreads;
	bool has_tpm;
	struct cpuset affinity; /* it is started with; empty: all */
	/* How it is now. */
	struct process *qemu; /* NULL: it does not run */
	struct process *tpm;
	bool has_socket;
	bool paused;
	unsigned int n_vcpus;
	struct cpuset cpuset; /* of its scope; empty: none */
	double quota_cpus;
	uint64_t memory_kib;
	uint64_t node_kib[MODEL_NODES_MAX];
	struct monitor *monitor; /* the daemon's; NULL: none */
	/* Kept by the judge. */
	uint64_t event_us; /* when something last happened to it */
	uint64_t started_us;
	bool foreign;  /* its vCPUs had masks of their own at first touch */
	bool named;    /* which no longer counts */
	bool restored; /* by hand */
	bool has_mode; /* by hand */
	enum place_mode hand;
	uint64_t moved_us; /* for a gain */
	unsigned int moves_today;
	unsigned int drifts; /* by others, since it started */
};

#endif

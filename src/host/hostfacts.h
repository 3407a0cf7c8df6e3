// SPDX-License-Identifier: MIT
/*
 * What `qmpin doctor` has to know of a host: kernel features and settings, the clock,
 * cgroups, programs that pin threads, too. What cannot be read is unknown and never an
 * error: services see little of /proc. What it means is hostcheck.h's.
 */
#ifndef QMPIN_HOST_HOSTFACTS_H
#define QMPIN_HOST_HOSTFACTS_H

#include <stdbool.h>

#include "topo/cpuset.h"

#define HOSTFACTS_TEXT_MAX 64u

enum hostfacts_answer { HOSTFACTS_UNKNOWN, HOSTFACTS_NO, HOSTFACTS_YES };

/* Programs that are looked for among the processes. */
enum hostfacts_program {
	HOSTFACTS_NUMAD,
	HOSTFACTS_IRQBALANCE,
	HOSTFACTS_TUNED,
	HOSTFACTS_LIBVIRT,
	HOSTFACTS_N_PROGRAMS
};

/* Texts: "" is unknown; safe to print. Zero-initialised nothing is known. */
struct hostfacts {
	bool has_topology; /* the next four hold */
	struct cpuset online;
	struct cpuset isolated;
	unsigned int n_nodes; /* 0: no NUMA */
	bool virtual;	      /* it is itself a virtual machine */
	bool has_listed;      /* isolated_cpus of the configuration is known */
	struct cpuset listed;
	char kernel[HOSTFACTS_TEXT_MAX]; /* release; "" also where it is not ours */
	bool pidfd;			 /* that kernel has pidfds */
	bool pidfd_getfd;
	char numa_balancing[HOSTFACTS_TEXT_MAX];
	char clocksource[HOSTFACTS_TEXT_MAX];
	char smt[HOSTFACTS_TEXT_MAX];
	enum hostfacts_answer schedstat; /* how long threads wait is counted */
	enum hostfacts_answer unified;	 /* cgroups of version 2 */
	bool has_slice;			 /* the CPUs of qemu.slice are known */
	struct cpuset slice;
	enum hostfacts_answer programs[HOSTFACTS_N_PROGRAMS]; /* which run */
};

/** Read small files and ask the kernel: a few dozen system calls. @root "" for this
 * machine. What belongs to has_topology, has_listed and programs stays as it is. */
void hostfacts_read(const char *root, struct hostfacts *f);

/** Topology, and whether the host is a virtual machine. */
void hostfacts_read_topology(const char *root, struct hostfacts *f);

/** Look at the name of every process: slow on a busy host. */
void hostfacts_read_programs(const char *root, struct hostfacts *f);

#endif

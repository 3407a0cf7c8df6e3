// SPDX-License-Identifier: MIT
/*
 * What is right and wrong with the daemon, its configuration and its VMs, by facts that
 * doctoring.h gathers. Of the host itself hostcheck.h tells. Pure.
 */
#ifndef QMPIN_DAEMON_DOCTOR_H
#define QMPIN_DAEMON_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/checks.h"

/* A list of warnings. Borrowed. */
struct doctor_texts {
	char *const *texts;
	size_t n;
};

/* A file or directory as it was found. */
struct doctor_file {
	const char *path; /* borrowed; safe to print */
	int error;	  /* negative errno: it cannot be looked at; 0 */
	mode_t mode;
	uid_t uid;
};

/* More versions than hosts have side by side; VMs of others are not told. */
#define DOCTOR_VERSIONS_MAX 8u

/* VMs of one version of QEMU. */
struct doctor_version {
	unsigned int major;
	unsigned int minor;
	struct checks_group vms;
};

/* Paths and texts are borrowed. */
struct doctor_facts {
	const char *version;
	size_t n_vms;
	size_t n_placed;
	bool dry_run;
	bool nice;   /* CAP_SYS_NICE is effective */
	bool ptrace; /* CAP_SYS_PTRACE is */
	bool diag;   /* the kernel tells who waits at sockets */
	uid_t uid;   /* ours */

	struct doctor_file run_dir;
	struct doctor_file socket;    /* for changes */
	struct doctor_file socket_ro; /* for reading */
	struct doctor_file state_dir; /* error: we cannot write in it */
	struct doctor_file vm_dir;    /* path NULL: unknown */
	uint64_t fds;		      /* descriptors that we may have */
	uint64_t fds_needed;

	const char *bad_reload;	    /* "": the files are in force */
	const char *newer;	    /* a file that was changed after it was read; "" */
	const char *bad_cluster;    /* why the cluster's settings are older; NULL, "" */
	const char *pve;	    /* what is wrong with reading /etc/pve; NULL, "" */
	struct doctor_texts config; /* warnings */

	struct checks_group stalled;
	struct checks_group peace;    /* left alone: somebody keeps changing masks */
	struct checks_group foreign;  /* pinned by somebody else at first sight */
	struct checks_group restored; /* left alone by hand */
	struct checks_group waiting;  /* for their turn to be adopted */
	struct checks_group bounded;  /* by a cpuset of their own */
	struct checks_group records;  /* of VMs that are not there */

	size_t n_versions;
	struct doctor_version versions[DOCTOR_VERSIONS_MAX]; /* ascending */
	struct checks_group private;
	struct checks_group yield;
	struct checks_group old; /* yield for want of something better */
	struct checks_group brief;
	struct checks_group proxy;
	struct checks_group replaced; /* QEMU's program is another by now */
	struct doctor_texts sharing;  /* warnings */

	const char *latency;	    /* as in GetStatus */
	const char *why;	    /* measured latencies are not trusted; NULL */
	const char *probing;	    /* warning; NULL */
	struct doctor_texts memory; /* warnings */

	const char *dedicated;	    /* CPUs that VMs have alone; "": none */
	struct checks_group guests; /* VMs that may still run there */
};

/** Count a VM by its QEMU. */
void doctor_add_version(
	struct doctor_facts *f, unsigned int major, unsigned int minor, const char *id);

/** A line for each thing, in a fixed order. */
void doctor_run(const struct doctor_facts *f, struct checks *out);

#endif

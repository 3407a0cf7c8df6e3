// SPDX-License-Identifier: MIT
/*
 * A running qmpin-probe, as its parent sees it.
 */
#ifndef QMPIN_PROBE_CHILD_H
#define QMPIN_PROBE_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

/* Names the program to run instead of the installed one. */
#define CHILD_PROGRAM_ENV "QMPIN_PROBE"

struct child {
	pid_t pid; /* 0: stopped */
	int pidfd;
	int in;	 /* write end of its stdin, non-blocking; closing it ends the child */
	int out; /* read end of its stdout; non-blocking */
	int failure; /* read end: why it could not become the program */
};

struct child_options {
	const char *cpus;      /* cpulist; NULL: all that are allowed and online */
	double cold_s;	       /* seconds at the larger share (probe/pace.h) */
	double budget_s;       /* ends after so many seconds; 0: when all is known */
	unsigned int cpus_pct; /* of the CPUs at work at a time, 1..100 */
	bool exhaustive;
};

/**
 * Start it. Its stderr is ours; it dies with the thread that called this
 * (PR_SET_PDEATHSIG), and ends when that process does.
 *
 * Does not wait for the program to be there, which takes as long as it takes to get a
 * CPU: where it cannot be run, the child ends, and child_failure tells why.
 *
 * Returns 0 or a negative errno with @e; @out is written only on success. Writing to it
 * may raise SIGPIPE.
 */
MUST_CHECK int child_launch(
	const struct child_options *o, struct child *out, struct err *e);

/** The same with another program of ours. @words: its arguments with its name, to a
 * NULL. Errors are child_exec_error's to tell. */
MUST_CHECK int child_launch_program(
	const char *path, const char *const *words, struct child *out, struct err *e);

/** Wait as child_failure; returns 0 or a negative errno. */
MUST_CHECK int child_exec_error(const struct child *c);

/** Wait until it is the program, or has ended before. Returns 0, also where nothing is
 * known, or a negative errno with @e (no such program: -ENOENT). */
MUST_CHECK int child_failure(const struct child *c, struct err *e);

/** Both. */
MUST_CHECK int child_start(
	const struct child_options *o, struct child *out, struct err *e);

/** Kill it and close the pipes, without waiting: its threads may be bound to CPUs that
 * others do not give back soon. Its pidfd tells when child_stop will not wait. */
void child_kill(struct child *c);

/** Kill it and close what is open, without waiting: for one that may not be able to
 * die. What is not yet dead is left to init, when we end. Again: nothing happens. */
void child_leave(struct child *c);

/** Kill it if it still runs, reap it, close what is open. One that cannot even die for
 * a second is left to init. Again: nothing happens. */
void child_stop(struct child *c);

#endif

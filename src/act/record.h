// SPDX-License-Identifier: MIT
/*
 * The masks a VM's threads had before qmpind ever touched them: one file a VM in the
 * run directory, written before the first set, replaced atomically. It is the VM's
 * outer limit and what an undo gives back; it outlives the daemon, not the boot.
 *
 * Format: a JSON object, in one line
 *   {"version":1,"id":"103","pid":4711,"start_ticks":123,"boot_id":"...",
 *    "placed":true,"limit":"0-15",
 *    "threads":[{"tid":4711,"start_ticks":123,"cpus":"0-15"}]}
 * and "restored":true where that is so, "mode":"pin" where one was set by hand,
 * "untouched":true where that is all there is to know, for a VM that was widened since
 * it waited
 *   "widened":{"until_us":5000000,"idle":"4-7","waited_pct":12}, and for one whose
 * configuration was read what that said, {} where it said nothing
 *   "wish":{"by":"tag","mode":"off","smt":"share","emulator":"float","pinning":true,
 *           "affinity":"0-7"}. boot_id as in bootid.h. A thread of another process, one
 * of the VM's helpers, has that as "pid" too, and a vCPU whose CPU went has that as
 * "home".
 */
#ifndef QMPIN_ACT_RECORD_H
#define QMPIN_ACT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "act/record_wish.h"
#include "base/attr.h"
#include "base/err.h"
#include "place/mode.h"
#include "topo/cpuset.h"

#define RECORD_THREADS_MAX 65536u

struct record_thread {
	pid_t tid;
	pid_t pid; /* of a helper; 0: a thread of the VM's own process */
	uint64_t start_ticks;
	/* With CPUs that were offline. Lives as long as the thread in the record. */
	const struct cpuset *cpus;
	/* Where a pinned vCPU was before CPUs of the host went, as the planner has it;
	 * NULL: it is not away. */
	const struct cpuset *home;
};

/* Most threads of a VM have the same mask. */
struct record_mask {
	struct record_mask *next;
	struct cpuset cpus;
};

/* A VM that waited for CPUs was widened, and rests. */
struct record_wide {
	uint64_t until_us;   /* CLOCK_MONOTONIC; 0: it was not */
	struct cpuset idle;  /* CPUs that were idle */
	unsigned int waited; /* percent of its runnable time */
};

struct record {
	char id[65];
	pid_t pid;
	uint64_t start_ticks;
	bool placed;   /* a plan was applied: masks found later are ours */
	bool restored; /* undone by hand: left alone until it is applied by hand */
	/* Written for the sake of the mode or the wish, or what there was was given
	 * back and forgotten: no mask is ours, and those below are only what it had by
	 * then. */
	bool untouched;
	bool has_mode; /* by hand, for as long as this process lives */
	enum place_mode mode;
	struct record_wish wish;
	struct record_wide wide;
	struct cpuset limit; /* union over vCPUs and main thread at first touch */
	size_t n_threads;    /* ascending tid, each once */
	size_t cap_threads;
	struct record_thread *threads;
	struct record_mask *masks; /* of threads, each once */
};

/** Add a thread, or do nothing when it is there (same tid and start time); one whose
 * tid was reused is replaced. Full at RECORD_THREADS_MAX. Returns true when the record
 * changed. */
bool record_add(
	struct record *r, pid_t tid, uint64_t start_ticks, const struct cpuset *cpus);

/** The same for a thread of the helper @pid. */
bool record_add_helper(struct record *r, pid_t pid, pid_t tid, uint64_t start_ticks,
	const struct cpuset *cpus);

/** A thread of the VM's own process that is there has this home; empty: none. Returns
 * true when the record changed. */
bool record_set_home(
	struct record *r, pid_t tid, uint64_t start_ticks, const struct cpuset *home);

/** NULL when the record does not have it. */
const struct record_thread *record_find(
	const struct record *r, pid_t tid, uint64_t start_ticks);

/** Forget the VM's own threads that are not among @tids (ascending, as task_list_read
 * gives them), so that the record of a VM with short-lived workers does not grow for
 * ever. Those of helpers stay. Returns true when the record changed. */
bool record_retain(struct record *r, const pid_t *tids, size_t n_tids);

/** The same for the threads of the helper @pid; without @tids it is forgotten. */
bool record_retain_helper(
	struct record *r, pid_t pid, const pid_t *tids, size_t n_tids);

/** The processes of helpers, ascending, each once; new array, free() it. Returns how
 * many. */
size_t record_helpers(const struct record *r, pid_t **pids);

/** [A-Za-z0-9._-]{1,64}, not "." or "..": an id that may name a record. Pure. */
bool record_id_valid(const char *id);

/** Text of the record; new string, free() it. Pure. */
char *record_format(const struct record *r, const char *boot_id);

/**
 * Read the text. Pure. @out is written only on success; free with record_fini.
 *
 * Returns 0, -EINVAL (not a record), -E2BIG, -ESTALE (another boot's).
 */
MUST_CHECK int record_parse(const char *text, size_t len, const char *boot_id,
	struct record *out, struct err *e);

/** There is a file of that id, whatever is in it. */
bool record_exists(int dirfd, const char *id);

/**
 * File @id.json in the open directory @dirfd. record_load reads only a regular file
 * owned by our own uid and not writable by others.
 *
 * Return 0, -ENOENT (load: no record; @e stays unset), -EINVAL (an id that is none),
 * -EPERM (load: owner or mode), -ENODATA (the boot's id is unknown), the errors of
 * record_parse, or another errno.
 */
MUST_CHECK int record_save(int dirfd, const struct record *r, struct err *e);
MUST_CHECK int record_load(
	int dirfd, const char *id, struct record *out, struct err *e);
/** Remove the file; missing is fine. */
void record_remove(int dirfd, const char *id);

void record_fini(struct record *r);

#endif

// SPDX-License-Identifier: MIT
/*
 * Real processes and threads for tests: children with named threads that end on demand,
 * ids taken again on purpose, temporary directories. All children die with the test.
 */
#ifndef QMPIN_TESTS_PROCS_H
#define QMPIN_TESTS_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROCS_THREADS_MAX 64

/* A child whose threads sleep. tids[0] is its main thread. */
struct procs_child {
	pid_t pid;
	size_t n_tids;
	pid_t tids[PROCS_THREADS_MAX];
	int stop[PROCS_THREADS_MAX]; /* a byte ends that thread */
};

/** Fork a child with @n threads, the first of which is the main thread, called @names.
 */
struct procs_child procs_spawn(const char *const *names, size_t n);

/** End one thread (not the main one) and wait until the kernel has forgotten it. */
void procs_end_thread(struct procs_child *c, size_t i);

/** Kill without reaping: a zombie is left and waited for. */
void procs_kill(struct procs_child *c);

/** Kill, reap and close; fine on one that was killed. */
void procs_reap(struct procs_child *c);

/** New process with exactly this id, which must be free; it sleeps until it is killed.
 * Returns it or a negative errno (-EPERM: not allowed to choose). */
pid_t procs_spawn_as(pid_t pid);

void procs_kill_pid(pid_t pid);

/** New empty directory; free() the name. */
char *procs_make_dir(void);

/** Remove a directory with the files in it and one level of directories below. */
void procs_remove_dir(char *dir);

/** Wait until the clock that stamps files has moved on. */
void procs_wait_tick(void);

/** Open file descriptors of this process. */
size_t procs_count_fds(void);

int procs_open_proc(void);

#endif

// SPDX-License-Identifier: MIT
/*
 * Processes and threads as the kernel shows them in /proc.
 *
 * Source: proc(5), /proc/PID/stat and /proc/PID/task.
 */
#ifndef QMPIN_VM_TASK_H
#define QMPIN_VM_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

#define TASK_COMM_MAX 64u /* kernel threads show longer names than 15 */
#define TASKS_MAX 65536u  /* threads of one process that are read */

struct task_stat {
	pid_t tid;
	char comm[TASK_COMM_MAX]; /* raw bytes, NUL-terminated; escape before printing
				   */
	char state;		  /* R S D T t Z X ... */
	unsigned int flags;	  /* PF_* of the kernel */
	uint64_t start_ticks; /* since boot; with the id it names a thread for ever */
	int last_cpu;
	uint64_t cpu_ticks; /* user + system */
};

/**
 * Read the text of a stat file. The name may hold blanks and parentheses. Pure.
 *
 * Returns 0 or -EINVAL; @out written only on success.
 */
MUST_CHECK int task_stat_parse(const char *text, size_t len, struct task_stat *out);

/** PF_NO_SETAFFINITY: the kernel refuses to set its mask (EINVAL), whoever asks.
 * Threads of the kernel have it, and from Linux 5.12 until early 2023 (6.3, stable 6.1)
 * io_uring's workers, which are tasks of the process that uses it. */
static inline bool
task_is_fixed(const struct task_stat *task)
{
	return (task->flags & 0x04000000u) != 0;
}

/**
 * A file of a task, which the kernel writes as a whole for one read.
 *
 * Returns its length, at most @cap, -ESRCH (not there: ended or not of that process) or
 * another errno.
 */
MUST_CHECK ssize_t task_read_file(int dirfd, const char *path, char *text, size_t cap);

/**
 * Stat of a thread, of a process when @tid equals @pid.
 *
 * @procfd  open directory of /proc
 *
 * Returns 0, -ESRCH (not there: ended or not of that process), -EINVAL or another
 * errno.
 */
MUST_CHECK int task_stat_read(int procfd, pid_t pid, pid_t tid, struct task_stat *out);

/**
 * Thread ids of a process, ascending.
 *
 * @tids  new array, free() it; written only on success
 *
 * Returns the number, -ESRCH, -E2BIG (over TASKS_MAX) or another errno.
 */
MUST_CHECK ssize_t task_list_read(int procfd, pid_t pid, pid_t **tids);

#endif

// SPDX-License-Identifier: MIT
/* Real processes and threads for tests. Anything unexpected ends the test program. */
#include "config.h"

#include "procs.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/xalloc.h"

struct start {
	const char *name;
	int stop;   /* read end: a byte ends the thread */
	int report; /* who it is goes here */
	size_t index;
};

struct report {
	size_t index;
	pid_t tid;
};

static void
report_and_wait(const struct start *s)
{
	const struct report r = {s->index, (pid_t)syscall(SYS_gettid)};
	char byte;

	prctl(PR_SET_NAME, s->name);
	if (write(s->report, &r, sizeof(r)) != (ssize_t)sizeof(r))
		_exit(1);
	while (read(s->stop, &byte, 1) < 0 && errno == EINTR)
		continue;
}

static void *
run_thread(void *arg)
{
	report_and_wait(arg);
	return NULL;
}

static void
run_child(struct start *starts, size_t n)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 1; i < n; i++) {
		if (pthread_create(&thread, NULL, run_thread, &starts[i]) != 0)
			_exit(1);
	}
	report_and_wait(&starts[0]);
	_exit(0);
}

struct procs_child
procs_spawn(const char *const *names, size_t n)
{
	struct start starts[PROCS_THREADS_MAX];
	struct procs_child c = {.n_tids = n};
	int report[2];

	if (n > PROCS_THREADS_MAX || pipe2(report, O_CLOEXEC) < 0)
		err(99, "procs_spawn");
	for (size_t i = 0; i < n; i++) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) < 0)
			err(99, "pipe");
		starts[i] = (struct start){names[i], ends[0], report[1], i};
		c.stop[i] = ends[1];
	}
	c.pid = fork();
	if (c.pid == 0)
		run_child(starts, n);
	for (size_t i = 0; i < n; i++) {
		struct report r;

		close(starts[i].stop);
		if (read(report[0], &r, sizeof(r)) != (ssize_t)sizeof(r))
			err(99, "child");
		c.tids[r.index] = r.tid;
	}
	close(report[0]);
	close(report[1]);
	return c;
}

static void
wait_until_forgotten(pid_t pid, pid_t tid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)pid, (int)tid);
	while (access(path, F_OK) == 0)
		sched_yield();
}

void
procs_end_thread(struct procs_child *c, size_t i)
{
	if (write(c->stop[i], "", 1) != 1)
		err(99, "thread");
	wait_until_forgotten(c->pid, c->tids[i]);
}

void
procs_kill(struct procs_child *c)
{
	siginfo_t info;

	if (c->pid <= 0)
		return;
	kill(c->pid, SIGKILL);
	if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOWAIT) < 0)
		err(99, "waitid");
}

void
procs_reap(struct procs_child *c)
{
	if (c->pid <= 0)
		return;
	procs_kill_pid(c->pid);
	for (size_t i = 0; i < c->n_tids; i++)
		close(c->stop[i]);
	c->pid = 0;
}

pid_t
procs_spawn_as(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&pid,
		.set_tid_size = 1,
	};
	unsigned int tries = 0;
	long r;

	/* /proc forgets a thread a moment before its id is free */
	do {
		r = syscall(SYS_clone3, &args, sizeof(args));
	} while (r < 0 && errno == EEXIST && ++tries < 100000 && sched_yield() == 0);
	if (r == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return r < 0 ? -errno : (pid_t)r;
}

void
procs_kill_pid(pid_t pid)
{
	kill(pid, SIGKILL);
	if (waitpid(pid, NULL, 0) != pid)
		err(99, "waitpid");
}

char *
procs_make_dir(void)
{
	const char *base = getenv("TMPDIR");
	char *dir = xasprintf("%s/qmpin-test-XXXXXX", base != NULL ? base : "/tmp");

	if (mkdtemp(dir) == NULL)
		err(99, "%s", dir);
	return dir;
}

static void
empty_dir(int dirfd_of)
{
	DIR *stream = fdopendir(dirfd_of);
	const struct dirent *d;

	while (stream != NULL && (d = readdir(stream)) != NULL) {
		if (unlinkat(dirfd(stream), d->d_name, 0) < 0 && errno == EISDIR) {
			int below = openat(
				dirfd(stream), d->d_name, O_RDONLY | O_DIRECTORY);

			if (d->d_name[0] != '.')
				empty_dir(below);
			else
				close(below);
			(void)unlinkat(dirfd(stream), d->d_name, AT_REMOVEDIR);
		}
	}
	if (stream != NULL)
		closedir(stream);
}

void
procs_remove_dir(char *dir)
{
	empty_dir(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (rmdir(dir) < 0)
		err(99, "%s", dir);
	free(dir);
}

void
procs_wait_tick(void)
{
	struct timespec first;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &first);
	do {
		sched_yield();
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
	} while (now.tv_sec < first.tv_sec ||
		 (now.tv_sec == first.tv_sec && now.tv_nsec <= first.tv_nsec));
}

size_t
procs_count_fds(void)
{
	DIR *stream = opendir("/proc/self/fd");
	size_t n = 0;

	while (stream != NULL && readdir(stream) != NULL)
		n++;
	if (stream != NULL)
		closedir(stream);
	return n;
}

int
procs_open_proc(void)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		err(99, "/proc");
	return fd;
}

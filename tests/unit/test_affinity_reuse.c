// SPDX-License-Identifier: MIT
/*
 * Thread and process ids that are taken again at once: in a pid namespace of a few ids
 * a target makes and ends threads and processes as fast as it can, two strangers do the
 * same, and affinity_apply is called with what was true of the target a moment ago.
 * Each thread of a stranger looks at its own mask before it ends, at a time when no
 * call is under way any more: then it must be its own.
 *
 * QMPIN_REUSE_APPLICATIONS: how many calls (20000).
 */
#include "config.h"

#include "act/affinity.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "vm/task.h"

#define SKIPPED 77
#define PID_MAX_PATH "/proc/sys/kernel/pid_max"
/* The kernel starts again at 300 (RESERVED_PIDS): the rest is what is taken again. */
#define PID_MAX "316"
#define SLOTS 3u  /* threads that a process has at once */
#define MAKERS 3u /* processes that make others: a target, and strangers */
/* Far beyond what a call and the search for a thread take, also on a busy machine. */
#define LIMIT_MIN_US (UINT64_C(400) * 1000000)
#define LIMIT_EACH_US 3000u

/* What the processes share. calls is odd while affinity_apply runs. */
struct board {
	atomic_ulong calls;
	atomic_ulong made; /* threads and processes of strangers that have looked */
	atomic_ulong hit;  /* seen with another mask during a call */
	atomic_ulong lasting;
	atomic_bool over;
	atomic_int tids[SLOTS]; /* of the target, the latest ones */
	atomic_int pids[SLOTS];
};

/* A process whose children and threads have its mask. */
struct maker {
	struct board *board;
	struct cpuset mask;
	bool target;
	unsigned int seed;
};

static struct cpuset
mask_now(void)
{
	struct cpuset set;

	if (affinity_read((pid_t)syscall(SYS_gettid), &set) < 0)
		abort();
	return set;
}

static unsigned int
draw(unsigned int *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

static void
spin_us(unsigned int us)
{
	uint64_t end = clock_now_us(clock_system()) + us;

	while (clock_now_us(clock_system()) < end)
		continue;
}

/* No call that began earlier runs any more. */
static void
wait_for_call(struct board *b)
{
	unsigned long call = atomic_load(&b->calls);

	while (call % 2 != 0 && atomic_load(&b->calls) == call)
		sched_yield();
}

/* A stranger's last look at itself. */
static void
look(struct board *b, const struct cpuset *mine)
{
	struct cpuset now = mask_now();
	char text[64];

	atomic_fetch_add(&b->made, 1);
	if (cpuset_equal(&now, mine))
		return;
	atomic_fetch_add(&b->hit, 1);
	wait_for_call(b);
	now = mask_now();
	if (cpuset_equal(&now, mine))
		return;
	if (atomic_fetch_add(&b->lasting, 1) < 5)
		fprintf(stderr, "stranger left with CPUs %s\n",
			cpuset_format(&now, text, sizeof(text)));
}

struct life {
	struct maker *maker;
	unsigned int slot;
	unsigned int us;
};

static void
live(const struct life *l, atomic_int *slots)
{
	struct maker *m = l->maker;

	if (m->target)
		atomic_store(&slots[l->slot], (int)syscall(SYS_gettid));
	if (l->us % 2 == 0)
		usleep(l->us);
	else
		spin_us(l->us / 4);
	if (!m->target)
		look(m->board, &m->mask);
}

static void *
run_thread(void *arg)
{
	const struct life *l = arg;

	live(l, l->maker->board->tids);
	return NULL;
}

/* Some threads, and until they have ended. */
static void
make_threads(struct maker *m)
{
	struct life lives[SLOTS];
	pthread_t threads[SLOTS];
	unsigned int n = 0;

	for (unsigned int i = 0; i < SLOTS; i++) {
		lives[n] = (struct life){m, i, draw(&m->seed) % 100};
		if (pthread_create(&threads[n], NULL, run_thread, &lives[n]) == 0)
			n++;
		else
			sched_yield(); /* no id is free */
	}
	for (unsigned int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

static void
make_process(struct maker *m)
{
	struct life l = {m, draw(&m->seed) % SLOTS, draw(&m->seed) % 200};
	pid_t pid = fork();

	if (pid == 0) {
		live(&l, m->board->pids);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void
run_maker(struct maker *m)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (syscall(SYS_sched_setaffinity, 0, sizeof(m->mask.words), m->mask.words) < 0)
		_exit(1);
	while (!atomic_load(&m->board->over)) {
		if (draw(&m->seed) % 4 != 0)
			make_threads(m);
		else
			make_process(m);
	}
	_exit(0);
}

static int
read_start(const struct thread_ref *t, uint64_t *out)
{
	struct task_stat s;
	int r = task_stat_read(t->procfd, t->pid, t->tid, &s);

	if (r == 0)
		*out = s.start_ticks;
	return r;
}

/* The parent of whoever has the id now; 0: nobody. */
static pid_t
parent_of(int procfd, pid_t pid)
{
	char path[32];
	char text[256];
	const char *after_name;
	auto_close int fd = -1;
	ssize_t n;
	int ppid;

	(void)snprintf(path, sizeof(path), "%d/stat", (int)pid);
	fd = openat(procfd, path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (n <= 0)
		return 0;
	text[n] = '\0';
	after_name = strrchr(text, ')');
	if (after_name == NULL || sscanf(after_name, ") %*c %d", &ppid) != 1)
		return 0;
	return ppid;
}

static bool
is_alive(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, 0) == 0;
}

/* A thread of the target or of a process that it made, proven as the daemon proves it:
 * all that was read holds if the process lives on afterwards. */
static bool
find_thread(const struct board *b, int procfd, pid_t target, unsigned int *seed,
	struct thread_ref *ref)
{
	bool process = draw(seed) % 4 == 0;
	unsigned int slot = draw(seed) % SLOTS;
	pid_t tid = atomic_load(process ? &b->pids[slot] : &b->tids[slot]);

	*ref = (struct thread_ref){.procfd = procfd,
		.pidfd = -1,
		.pid = process ? tid : target,
		.tid = tid,
		.start_ticks_now = read_start};
	if (tid == 0)
		return false;
	ref->pidfd = (int)syscall(SYS_pidfd_open, ref->pid, 0);
	return ref->pidfd >= 0 && read_start(ref, &ref->start_ticks) == 0 &&
	       (!process || parent_of(procfd, tid) == target) && is_alive(ref->pidfd);
}

struct tally {
	unsigned long applications;
	unsigned long set;
	unsigned long ended;
	unsigned long reverts;
	unsigned long other;
};

static void
apply(struct board *b, const struct thread_ref *ref, const struct cpuset *want,
	struct tally *y)
{
	int r;

	atomic_fetch_add(&b->calls, 1);
	r = affinity_apply(ref, want, NULL);
	atomic_fetch_add(&b->calls, 1);
	y->applications++;
	y->set += r == 0;
	y->ended += r == -ESRCH;
	y->reverts += r == -ESTALE;
	/* -EAGAIN: a thread of the target itself has the id, in the same tick */
	y->other += r != 0 && r != -ESRCH && r != -ESTALE && r != -EAGAIN;
}

static void
run_applier(struct board *b, pid_t target, const struct cpuset *want, unsigned long n,
	struct tally *y)
{
	uint64_t limit_us =
		n * LIMIT_EACH_US > LIMIT_MIN_US ? n * LIMIT_EACH_US : LIMIT_MIN_US;
	uint64_t end_us = clock_now_us(clock_system()) + limit_us;
	unsigned int seed = 4711;
	int procfd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (y->applications < n && clock_now_us(clock_system()) < end_us) {
		struct thread_ref ref;

		if (find_thread(b, procfd, target, &seed, &ref)) {
			/* mostly at once, to meet the end of it */
			if (draw(&seed) % 4 == 0)
				spin_us(draw(&seed) % 100);
			apply(b, &ref, want, y);
		}
		if (ref.pidfd >= 0)
			close(ref.pidfd);
	}
	close(procfd);
}

static void
tell(const struct board *b, const struct tally *y)
{
	printf("%lu applications: %lu set, %lu had ended, %lu reverts, %lu other; "
	       "%lu strangers, %lu seen with another mask, %lu for good\n",
		y->applications, y->set, y->ended, y->reverts, y->other, b->made,
		b->hit, b->lasting);
}

/* The first process of the namespace. */
static int
run_world(struct board *b, const struct cpuset *all, unsigned long n)
{
	struct cpuset one = cpuset_of(cpuset_next(all, 0));
	struct cpuset two = cpuset_minus(all, &one);
	struct maker makers[MAKERS] = {
		{b, *all, true, 1}, {b, two, false, 2}, {b, *all, false, 3}};
	pid_t pids[MAKERS];
	struct tally y = {0};

	for (unsigned int i = 0; i < MAKERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			run_maker(&makers[i]);
		if (pids[i] < 0)
			return 1;
	}
	run_applier(b, pids[0], &one, n, &y);
	atomic_store(&b->over, true);
	for (unsigned int i = 0; i < MAKERS; i++)
		waitpid(pids[i], NULL, 0);
	tell(b, &y);
	return y.applications == n && y.other == 0 && b->lasting == 0 && b->made > 0
		       ? 0
		       : 1;
}

static int
write_pid_max(const char *text)
{
	auto_close int fd = open(PID_MAX_PATH, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) > 0 ? 0 : -1;
}

static void
read_pid_max(char text[32])
{
	auto_close int fd = open(PID_MAX_PATH, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, 31) : -1;

	text[n > 0 ? n : 0] = '\0';
}

static int
skip(const char *why)
{
	printf("skipped: %s\n", why);
	return SKIPPED;
}

/* Before Linux 6.14 there is one limit for all, which is not ours to change. */
static bool
has_own_pid_max(void)
{
	struct utsname u;
	unsigned int major = 0;
	unsigned int minor = 0;

	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 14));
}

static int
enter_world(struct board *b, const struct cpuset *all, unsigned long n)
{
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("proc", "/proc", "proc", 0, NULL) < 0 ||
		write_pid_max(PID_MAX) < 0)
		return skip("no /proc and pid_max of one's own");
	return run_world(b, all, n);
}

int
main(void)
{
	const char *text = getenv("QMPIN_REUSE_APPLICATIONS");
	unsigned long n = text != NULL ? strtoul(text, NULL, 10) : 20000;
	struct board *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct cpuset all = mask_now();
	char before[32];
	char after[32];
	int status = 0;
	pid_t pid;

	if (b == MAP_FAILED)
		return 1;
	setvbuf(stdout, NULL, _IONBF, 0);
	if (cpuset_count(&all) < 2)
		return skip("one CPU");
	if (!has_own_pid_max())
		return skip("pid_max is not by namespace before Linux 6.14");
	read_pid_max(before);
	if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
		return skip("no pid namespace can be made");
	pid = fork();
	if (pid == 0)
		_exit(enter_world(b, &all, n));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	read_pid_max(after);
	if (strcmp(before, after) != 0) {
		fprintf(stderr, "pid_max of the host was changed: put back\n");
		(void)write_pid_max(before);
		return 1;
	}
	/* nothing can be cloned any more in a namespace that has ended, which the leak
	 * checker would want to do */
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

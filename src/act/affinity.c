// SPDX-License-Identifier: MIT
/*
 * Reading and setting the CPU mask of one proven thread.
 *
 * The kernel sets by thread id alone and ids are reused, so the thread is proven before
 * and after. Raw system calls: the glibc wrappers know masks of 1024 CPUs only, or hide
 * how many bytes the kernel wrote. Id 0 would be this very process and is never passed.
 */
#include "config.h"

#include "act/affinity.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "act/owner.h"

/* The kernel refuses a buffer shorter than its own mask. x86 can be built for 8192
 * CPUs; twice that costs nothing, only what the kernel has is copied. */
#define KERNEL_MASK_WORDS (16384u / 64u)

#define CPUS_PATH "/sys/devices/system/cpu/"

int
affinity_read(pid_t tid, struct cpuset *out)
{
	uint64_t words[KERNEL_MASK_WORDS];
	long n;

	if (tid <= 0)
		return -ESRCH;
	n = syscall(SYS_sched_getaffinity, tid, sizeof(words), words);
	if (n < 0)
		return -errno;
	/* n bytes were written; behind them nothing is set */
	if ((size_t)n < sizeof(*out))
		memset((char *)words + n, 0, sizeof(*out) - (size_t)n);
	for (size_t w = CPUSET_WORDS; w < (size_t)n / sizeof(words[0]); w++) {
		if (words[w] != 0)
			return -ERANGE;
	}
	memcpy(out->words, words, sizeof(out->words));
	return 0;
}

/* A set that may have hit somebody else. */
struct slip {
	struct cpuset before; /* just before the set */
	struct cpuset got;    /* just after it */
	bool seen;	      /* before is that of somebody else already */
	bool ended;	      /* the thread is gone, rather than not to be proven */
};

/* Each takes a thread that has the id for less than it takes to look at it. */
#define PUT_BACK_TRIES 8u

static int
set_mask(pid_t tid, const struct cpuset *want)
{
	if (tid <= 0)
		return -ESRCH;
	if (syscall(SYS_sched_setaffinity, tid, sizeof(want->words), want->words) < 0)
		return -errno;
	return 0;
}

static bool
process_ended(const struct thread_ref *t)
{
	struct pollfd p = {.fd = t->pidfd, .events = POLLIN};

	return poll(&p, 1, 0) != 0;
}

/* -ESRCH when the id is no thread of the process, or another one's by now. */
static int
check_thread(const struct thread_ref *t)
{
	uint64_t start_ticks;
	int r;

	r = t->start_ticks_now(t, &start_ticks);
	if (r < 0)
		return r;
	return start_ticks == t->start_ticks ? 0 : -ESRCH;
}

/* What @who had before it was set to something else by mistake. A thread of the very
 * process that could only not be proven has what the thread had; a stranger what was
 * seen of it, if it was, or else what it was most likely made with. */
static struct cpuset
own_mask(const struct owner *who, const struct slip *slip, pid_t pid, bool first)
{
	struct cpuset mask;

	if (first && (slip->seen || (who->pid == pid && !slip->ended)))
		return slip->before;
	return owner_inherited(who, &mask) == 0 ? mask : slip->before;
}

/* Not our thread any more: give whoever has the id now back what was there before, but
 * only where the mask is the one we have put there. That may hit the next one to whom
 * the id has passed in turn. */
static int
put_back(const struct thread_ref *t, const struct slip *slip)
{
	struct cpuset ours = slip->got;
	struct owner who;
	struct owner after;
	struct cpuset now;
	struct cpuset own;

	for (unsigned int i = 0; i < PUT_BACK_TRIES; i++) {
		if (owner_read(t->procfd, t->tid, &who) == -ESRCH ||
			affinity_read(t->tid, &now) < 0)
			return -ESRCH; /* nobody has the id */
		if (!cpuset_equal(&now, &ours))
			break;
		own = own_mask(&who, slip, t->pid, i == 0);
		if (cpuset_equal(&own, &now) || set_mask(t->tid, &own) < 0)
			break;
		if (owner_read(t->procfd, t->tid, &after) == 0 &&
			owner_is_same(&who, &after))
			break;
		ours = own;
	}
	return -ESTALE;
}

static int
read_cpus(const char *path, struct cpuset *out)
{
	char text[CPUSET_TEXT_MAX + 1];
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return cpuset_parse(text, out);
}

int
affinity_online(struct cpuset *out)
{
	return read_cpus(CPUS_PATH "online", out);
}

int
affinity_offline(struct cpuset *out)
{
	return read_cpus(CPUS_PATH "offline", out);
}

bool
affinity_is_kept(const struct cpuset *want, const struct cpuset *got)
{
	struct cpuset online;
	struct cpuset expected;

	if (cpuset_equal(want, got))
		return true;
	if (affinity_online(&online) < 0)
		return false;
	expected = cpuset_and(want, &online);
	return cpuset_equal(&expected, got);
}

/* As check_thread, and the process has lived all the time: else its own id, and with it
 * what was checked, may be somebody else's. */
static int
check_all(const struct thread_ref *t)
{
	int r = check_thread(t);

	return r == 0 && process_ended(t) ? -ESRCH : r;
}

int
affinity_apply(
	const struct thread_ref *t, const struct cpuset *want, struct cpuset *had)
{
	struct cpuset mine;
	struct slip slip;
	int r;

	if (process_ended(t))
		return -ESRCH;
	r = affinity_read(t->tid, &mine);
	if (r < 0)
		return r;
	r = check_thread(t); /* it is there: what was read before is its */
	if (r < 0)
		return r;
	r = affinity_read(t->tid, &slip.before);
	if (r < 0)
		return r;
	r = set_mask(t->tid, want);
	if (r < 0)
		return r;
	r = affinity_read(t->tid, &slip.got);
	if (r < 0)
		return r;
	r = check_all(t);
	if (r < 0) {
		slip.seen = !cpuset_equal(&mine, &slip.before);
		slip.ended = r == -ESRCH;
		r = put_back(t, &slip);
	} else if (!affinity_is_kept(want, &slip.got)) {
		return -EAGAIN;
	}
	if (had != NULL && (r == 0 || r == -ESTALE))
		*had = slip.before;
	return r;
}

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

/* The kernel refuses a buffer shorter than its own mask. x86 can be built for 8192
 * CPUs; twice that costs nothing, only what the kernel has is copied. */
#define KERNEL_MASK_WORDS (16384u / 64u)

#define ONLINE_PATH "/sys/devices/system/cpu/online"

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

/* Not our thread any more: give whoever has the id now back what was there before, but
 * only where the mask is the one we have put there. */
static int
put_back(pid_t tid, const struct cpuset *ours, const struct cpuset *before)
{
	struct cpuset now;
	int r;

	r = affinity_read(tid, &now);
	if (r == 0 && cpuset_equal(&now, ours))
		r = set_mask(tid, before);
	return r == -ESRCH ? -ESRCH : -ESTALE; /* -ESRCH: nobody has the id */
}

int
affinity_online(struct cpuset *out)
{
	char text[CPUSET_TEXT_MAX + 1];
	auto_close int fd = open(ONLINE_PATH, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return cpuset_parse(text, out);
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

int
affinity_apply(
	const struct thread_ref *t, const struct cpuset *want, struct cpuset *had)
{
	struct cpuset before;
	struct cpuset got;
	int r;

	if (process_ended(t))
		return -ESRCH;
	r = check_thread(t);
	if (r < 0)
		return r;
	r = affinity_read(t->tid, &before);
	if (r < 0)
		return r;
	r = set_mask(t->tid, want);
	if (r < 0)
		return r;
	r = affinity_read(t->tid, &got);
	if (r < 0)
		return r;
	r = check_thread(t);
	if (r < 0)
		r = put_back(t->tid, &got, &before);
	else if (process_ended(t))
		return -ESRCH;
	else if (!affinity_is_kept(want, &got))
		return -EAGAIN;
	if (had != NULL && (r == 0 || r == -ESTALE))
		*had = before;
	return r;
}

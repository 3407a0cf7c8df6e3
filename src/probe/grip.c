// SPDX-License-Identifier: MIT
/* System calls on threads; no decisions. */
#include "config.h"

#include "probe/grip.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
grip_allowed(pid_t tid, struct cpuset *out)
{
	struct cpuset cpus = CPUSET_NONE;

	/* writes no more than the kernel's own mask; fails where that is longer */
	if (syscall(SYS_sched_getaffinity, tid, sizeof(cpus.words), cpus.words) < 0)
		return -errno;
	*out = cpus;
	return 0;
}

int
grip_bind(pid_t tid, const struct cpuset *cpus)
{
	if (syscall(SYS_sched_setaffinity, tid, sizeof(cpus->words), cpus->words) < 0)
		return -errno;
	return 0;
}

void
grip_wake_promptly(void)
{
	(void)prctl(PR_SET_TIMERSLACK, 1UL);
}

int
grip_realtime(bool on)
{
	struct sched_param p = {.sched_priority = on ? 1 : 0};

	return sched_setscheduler(0, on ? SCHED_FIFO : SCHED_OTHER, &p) < 0 ? -errno
									    : 0;
}

uint64_t
grip_switches(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_THREAD, &u) < 0)
		return 0;
	return (uint64_t)u.ru_nivcsw + (uint64_t)u.ru_nvcsw;
}

uint64_t
grip_cpu_us(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) < 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

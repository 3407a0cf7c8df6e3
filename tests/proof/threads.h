// SPDX-License-Identifier: MIT
/*
 * ThreadSanitizer of gcc 12 knows sem_timedwait, but not sem_clockwait: without this it
 * does not see what the one who waits was handed. Included before everything else by
 * make check-threads, in no program.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <semaphore.h>
#include <time.h>

static inline __attribute__((unused)) int
threads_wait(sem_t *s, const struct timespec *until)
{
	struct timespec now;
	struct timespec t;
	long ns;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)clock_gettime(CLOCK_REALTIME, &t);
	ns = t.tv_nsec + until->tv_nsec - now.tv_nsec + 1000000000;
	t.tv_sec += until->tv_sec - now.tv_sec - 1 + ns / 1000000000;
	t.tv_nsec = ns % 1000000000;
	return sem_timedwait(s, &t);
}

#define sem_clockwait(s, clock, until) ((void)(clock), threads_wait(s, until))

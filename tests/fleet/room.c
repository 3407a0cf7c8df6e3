// SPDX-License-Identifier: MIT
/* Limits that a fleet runs into: open files, processes of a user, ids of the kernel. */
#include "config.h"

#include "room.h"

#include <stdio.h>
#include <sys/resource.h>

#define PID_MAX_PATH "/proc/sys/kernel/pid_max"
#define THREADS_MAX_PATH "/proc/sys/kernel/threads-max"
/* For everything else that runs. */
#define SPARE_IDS 4096u
#define SPARE_FILES 64u

static unsigned long
read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long n = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &n) != 1)
		n = 0;
	(void)fclose(f);
	return n;
}

/* Returns 0 when it is, or is now, at least @need; what is not there limits nothing. */
static int
raise_number(const char *path, unsigned long need)
{
	unsigned long have = read_number(path);
	FILE *f;

	if (have == 0 || have >= need)
		return 0;
	f = fopen(path, "we");
	if (f == NULL)
		return -1;
	(void)fprintf(f, "%lu\n", need);
	return fclose(f);
}

static int
raise_limit(__rlimit_resource_t what, rlim_t need)
{
	struct rlimit limit;

	if (getrlimit(what, &limit) < 0 || limit.rlim_cur >= need)
		return 0;
	if (limit.rlim_max < need)
		limit.rlim_max = need;
	limit.rlim_cur = need;
	return setrlimit(what, &limit);
}

int
room_make(unsigned int processes, unsigned int threads, char *why, size_t size)
{
	rlim_t files = processes + SPARE_FILES;
	unsigned long ids = threads + SPARE_IDS;

	if (raise_limit(RLIMIT_NOFILE, files) < 0)
		(void)snprintf(
			why, size, "RLIMIT_NOFILE below %u", (unsigned int)files);
	else if (raise_limit(RLIMIT_NPROC, threads) < 0)
		(void)snprintf(why, size, "RLIMIT_NPROC below %u", threads);
	else if (raise_number(PID_MAX_PATH, ids) < 0)
		(void)snprintf(why, size, PID_MAX_PATH " below %lu", ids);
	else if (raise_number(THREADS_MAX_PATH, ids) < 0)
		(void)snprintf(why, size, THREADS_MAX_PATH " below %lu", ids);
	else
		return 0;
	return -1;
}

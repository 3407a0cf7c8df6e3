// SPDX-License-Identifier: MIT
/* Three numbers of a thread, and one of a process. Every read is bounded. */
#include "config.h"

#include "vm/schedstat.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "vm/task.h"

/* Three numbers of at most 20 digits. */
#define TEXT_MAX 80u

/* One decimal number and the @stop behind it; *p moves behind that. */
static bool
read_number(const char **p, const char *end, char stop, uint64_t *out)
{
	const char *first = *p;
	uint64_t value = 0;

	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
		uint64_t digit = (uint64_t)(**p - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (*p == first || *p == end || **p != stop)
		return false;
	(*p)++;
	*out = value;
	return true;
}

int
schedstat_parse(const char *text, size_t len, struct schedstat *out)
{
	const char *end = text + len;
	struct schedstat s;

	if (!read_number(&text, end, ' ', &s.run_ns) ||
		!read_number(&text, end, ' ', &s.wait_ns) ||
		!read_number(&text, end, '\n', &s.slices))
		return -EINVAL;
	if (s.run_ns == 0 && s.wait_ns == 0 && s.slices == 0)
		return -ENODATA;
	*out = s;
	return 0;
}

int
schedstat_read(int dirfd, const char *dir, pid_t tid, struct schedstat *out)
{
	char path[64];
	char text[TEXT_MAX];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s%d/schedstat", dir, (int)tid);
	n = task_read_file(dirfd, path, text, sizeof(text));
	return n < 0 ? (int)n : schedstat_parse(text, (size_t)n, out);
}

int
schedstat_process_ns(pid_t pid, uint64_t *out)
{
	/* the kernel's code for all threads of a process; clock_getcpuclockid would ask
	 * it in a call of its own whether there is one */
	clockid_t id = (clockid_t)(~(unsigned int)pid << 3) | 2;
	struct timespec t;

	if (pid <= 0 || clock_gettime(id, &t) < 0)
		return -ESRCH;
	*out = (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
	return 0;
}

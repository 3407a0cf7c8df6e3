// SPDX-License-Identifier: MIT
/*
 * Who has a thread id. /proc/TID exists for each thread, although it is only listed for
 * main threads.
 */
#include "config.h"

#include "act/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "act/affinity.h"
#include "base/str.h"

/* Both numbers are in the first lines; the rest need not fit. */
#define STATUS_TEXT_MAX 512u

/* The number of a line "NAME:\tNUMBER", or -EINVAL. */
static int
find_number(const char *text, const char *name, pid_t *out)
{
	const char *line = strstr(text, name);
	char digits[16];
	uint64_t number;
	size_t len;

	if (line == NULL)
		return -EINVAL;
	line += strlen(name);
	line += strspn(line, "\t ");
	len = strcspn(line, "\n");
	if (line[len] != '\n' || len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, line, len);
	digits[len] = '\0';
	if (str_parse_uint(digits, INT_MAX, &number) < 0)
		return -EINVAL;
	*out = (pid_t)number;
	return 0;
}

int
owner_read(int procfd, pid_t tid, struct owner *out)
{
	struct owner who = {.tid = tid};
	char text[STATUS_TEXT_MAX];
	char path[32];
	auto_close int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%d/status", (int)tid);
	fd = openat(procfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	/* a name cannot hold a line feed: the kernel escapes it */
	if (find_number(text, "\nTgid:", &who.pid) < 0 ||
		find_number(text, "\nPPid:", &who.parent) < 0)
		return -EINVAL;
	*out = who;
	return 0;
}

bool
owner_is_same(const struct owner *a, const struct owner *b)
{
	return a->tid == b->tid && a->pid == b->pid && a->parent == b->parent;
}

int
owner_inherited(const struct owner *who, struct cpuset *out)
{
	return affinity_read(who->pid != who->tid ? who->pid : who->parent, out);
}

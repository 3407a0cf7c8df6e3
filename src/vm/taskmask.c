// SPDX-License-Identifier: MIT
/*
 * One line of a status file. It is found behind a newline: a name has none, the kernel
 * escapes it.
 */
#include "config.h"

#include "vm/taskmask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vm/task.h"

#define KEY "\nCpus_allowed_list:\t"

/* The file has 1.5 KB; masks of 8192 CPUs and nodes add some. */
#define STATUS_TEXT_MAX 16384u

int
taskmask_parse(const char *text, size_t len, struct cpuset *out)
{
	const char *line = memmem(text, len, KEY, strlen(KEY));
	char list[CPUSET_TEXT_MAX];
	const char *end;
	size_t n;

	if (line == NULL)
		return -EINVAL;
	line += strlen(KEY);
	end = memchr(line, '\n', len - (size_t)(line - text));
	if (end == NULL)
		return -EINVAL;
	n = (size_t)(end - line);
	if (n == 0 || n >= sizeof(list) || memchr(line, '\0', n) != NULL)
		return -EINVAL;
	memcpy(list, line, n);
	list[n] = '\0';
	return cpuset_parse(list, out);
}

int
taskmask_read(int procfd, pid_t pid, pid_t tid, struct cpuset *out)
{
	char text[STATUS_TEXT_MAX];
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%d/task/%d/status", (int)pid, (int)tid);
	n = task_read_file(procfd, path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	return taskmask_parse(text, (size_t)n, out);
}

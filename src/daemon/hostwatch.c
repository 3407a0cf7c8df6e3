// SPDX-License-Identifier: MIT
/* Which host CPUs are online, looked at again and again. */
#include "config.h"

#include "daemon/hostwatch.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "topo/cpuset.h"

struct hostwatch {
	char *path;
	char seen[CPUSET_TEXT_MAX];
};

static bool
read_text(const char *path, char *text, size_t size)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return true;
}

bool
hostwatch_changed(struct hostwatch *w)
{
	char now[sizeof(w->seen)];

	if (!read_text(w->path, now, sizeof(now)) || strcmp(now, w->seen) == 0)
		return false;
	str_copy(w->seen, sizeof(w->seen), now);
	return true;
}

struct hostwatch *
hostwatch_new(const char *path)
{
	struct hostwatch *w = xcalloc(1, sizeof(*w));

	w->path = xstrdup(path);
	(void)read_text(path, w->seen, sizeof(w->seen));
	return w;
}

void
hostwatch_free(struct hostwatch *w)
{
	if (w == NULL)
		return;
	free(w->path);
	free(w);
}

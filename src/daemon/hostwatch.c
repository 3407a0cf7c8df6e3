// SPDX-License-Identifier: MIT
/* Which host CPUs are online, looked at again and again. */
#include "config.h"

#include "daemon/hostwatch.h"

#include <event2/event.h>
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
	struct event *tick;
	void (*on_change)(void *owner);
	void *owner;
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

static void
on_hostwatch_tick(evutil_socket_t fd, short what, void *arg)
{
	struct hostwatch *w = arg;
	char now[sizeof(w->seen)];

	(void)fd;
	(void)what;
	if (!read_text(w->path, now, sizeof(now)) || strcmp(now, w->seen) == 0)
		return;
	str_copy(w->seen, sizeof(w->seen), now);
	w->on_change(w->owner);
}

struct hostwatch *
hostwatch_new(struct event_base *base, const char *path, unsigned int interval_ms,
	void (*on_change)(void *owner), void *owner)
{
	struct hostwatch *w = xcalloc(1, sizeof(*w));
	struct timeval tv = {
		interval_ms / 1000, (suseconds_t)(interval_ms % 1000) * 1000};

	w->path = xstrdup(path);
	w->on_change = on_change;
	w->owner = owner;
	(void)read_text(path, w->seen, sizeof(w->seen));
	w->tick = event_new(base, -1, EV_PERSIST, on_hostwatch_tick, w);
	event_add(w->tick, &tv);
	return w;
}

void
hostwatch_free(struct hostwatch *w)
{
	if (w == NULL)
		return;
	event_free(w->tick);
	free(w->path);
	free(w);
}

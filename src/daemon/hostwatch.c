// SPDX-License-Identifier: MIT
/*
 * Files that are compared with what they said before, and two timers for a storm of
 * events: one that each event puts off, and one that nothing puts off.
 */
#include "config.h"

#include "daemon/hostwatch.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "host/uevent.h"
#include "topo/cpuset.h"

static const char *const files[] = {"/sys/devices/system/cpu/online",
	"/sys/devices/system/node/online", "/sys/fs/cgroup/cpuset.cpus.isolated"};

struct look {
	char *path;
	char seen[CPUSET_TEXT_MAX];
};

struct hostwatch {
	struct look looks[ARRAY_LEN(files)];
	bool again; /* no events, and the next look is to tell in any case */
	int fd;	    /* of kernel events; -1: none */
	struct event *readable;
	struct event *settle; /* runs while events are not told yet, as does latest */
	struct event *latest;
	hostwatch_handler *on_event;
	void *owner;
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

static bool
look_at_file(struct look *l)
{
	char now[sizeof(l->seen)];

	if (!read_text(l->path, now, sizeof(now)) || strcmp(now, l->seen) == 0)
		return false;
	str_copy(l->seen, sizeof(l->seen), now);
	return true;
}

static bool
look(struct hostwatch *w)
{
	bool changed = false;

	for (size_t i = 0; i < ARRAY_LEN(w->looks); i++)
		changed |= look_at_file(&w->looks[i]);
	return changed;
}

static void
on_storm_end(evutil_socket_t fd, short what, void *arg)
{
	struct hostwatch *w = arg;

	(void)fd;
	(void)what;
	evtimer_del(w->settle);
	evtimer_del(w->latest);
	(void)look(w);
	w->on_event(w->owner);
}

static void
arm(struct event *timer, unsigned int ms)
{
	struct timeval tv = clock_timeval_ms(ms);

	evtimer_add(timer, &tv);
}

void
hostwatch_heard(struct hostwatch *w)
{
	arm(w->settle, HOSTWATCH_SETTLE_MS);
	if (!evtimer_pending(w->latest, NULL))
		arm(w->latest, HOSTWATCH_LATEST_MS);
}

bool
hostwatch_is_pending(const struct hostwatch *w)
{
	return w->settle != NULL && evtimer_pending(w->settle, NULL) != 0;
}

bool
hostwatch_changed(struct hostwatch *w)
{
	bool changed = look(w);
	bool told = changed || w->again;

	if (w->fd >= 0) {
		if (changed)
			hostwatch_heard(w);
		return false;
	}
	w->again = changed;
	return told;
}

void
hostwatch_again(struct hostwatch *w)
{
	if (w->fd >= 0)
		hostwatch_heard(w);
	else
		w->again = true;
}

static void
on_kernel_event(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	if (uevent_drain(fd))
		hostwatch_heard(arg);
}

int
hostwatch_listen(struct hostwatch *w, struct event_base *base,
	hostwatch_handler *on_event, void *owner, struct err *e)
{
	int fd = uevent_open(e);

	if (fd < 0)
		return fd;
	w->fd = fd;
	w->on_event = on_event;
	w->owner = owner;
	w->settle = evtimer_new(base, on_storm_end, w);
	w->latest = evtimer_new(base, on_storm_end, w);
	w->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_kernel_event, w);
	event_add(w->readable, NULL);
	return 0;
}

struct hostwatch *
hostwatch_new(const char *root)
{
	struct hostwatch *w = xcalloc(1, sizeof(*w));

	w->fd = -1;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		w->looks[i].path = xasprintf("%s%s", root, files[i]);
	(void)look(w);
	return w;
}

void
hostwatch_free(struct hostwatch *w)
{
	if (w == NULL)
		return;
	if (w->fd >= 0) {
		event_free(w->readable);
		event_free(w->settle);
		event_free(w->latest);
		close(w->fd);
	}
	for (size_t i = 0; i < ARRAY_LEN(w->looks); i++)
		free(w->looks[i].path);
	free(w);
}

// SPDX-License-Identifier: MIT
/*
 * Two ways to see a queue behind one interface. The duplicate is watched one event at a
 * time: it stays readable until QEMU accepts, and would keep the loop busy otherwise.
 */
#include "config.h"

#include "qmp/door.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "qmp/backlog.h"
#include "qmp/guard.h"
#include "qmp/listener.h"
#include "qmp/monitor.h"

/* How often the kernel is asked where nothing tells; and as often the guard, which
 * cannot see the queue then, is told that we still look. */
#define POLL_MS 20
#define RENEW_EVERY 16

struct door {
	struct monitor_commons *commons;
	uint64_t key;
	struct door_handlers handlers;
	void *owner;
	struct event_base *base;
	pid_t pid;
	int pidfd;	/* -1: no process is known */
	int listener;	/* -1: none */
	uint32_t inode; /* of the listening socket, when it is polled; 0: it is not */
	struct event waiting;
	struct event gone;
	struct event poll;
	unsigned int polls;
};

static void
ask_again(struct door *d)
{
	static const struct timeval interval = {0, POLL_MS * 1000};

	if (d->listener >= 0)
		(void)event_add(&d->waiting, NULL);
	else if (d->inode != 0)
		(void)event_add(&d->poll, &interval);
}

static void
renew_lease(struct door *d)
{
	const struct guard_terms terms = {.lease_ms = DOOR_LEASE_MS};

	if (d->inode != 0 && ++d->polls % RENEW_EVERY == 0 && d->commons->guard != NULL)
		(void)!guard_renew(d->commons->guard, d->key, &terms);
}

/* Told once; the owner may free the door inside. */
static void
on_door_event(evutil_socket_t fd, short what, void *owner)
{
	struct door *d = owner;

	(void)fd;
	(void)what;
	if (door_is_gone(d))
		return; /* dismissed, and readable for ever: on_process_end comes */
	if (!door_has_waiter(d)) {
		renew_lease(d);
		ask_again(d);
		return;
	}
	d->handlers.on_waiter(d->owner);
}

/* First of all: a copy of ours keeps a dead VM's socket connectable. */
static void
on_process_end(evutil_socket_t fd, short what, void *owner)
{
	struct door *d = owner;

	(void)fd;
	(void)what;
	door_shut(d);
	d->handlers.on_gone(d->owner);
}

struct door *
door_new(struct event_base *base, struct monitor_commons *commons, uint64_t key,
	const struct door_handlers *handlers, void *owner)
{
	struct door *d = xcalloc(1, sizeof(*d));
	int r;

	d->base = base;
	d->commons = commons;
	d->key = key;
	d->handlers = *handlers;
	d->owner = owner;
	d->pidfd = d->listener = -1;
	r = evtimer_assign(&d->poll, base, on_door_event, d);
	assert(r == 0);
	return d;
}

static struct listener_process
process_of(const struct door *d)
{
	return (struct listener_process){
		.procfd = d->commons->procfd, .pid = d->pid, .pidfd = d->pidfd};
}

static int
open_by_duplicate(struct door *d, const char *path, struct err *e)
{
	struct listener_process process = process_of(d);
	int r = listener_duplicate(&process, path, &d->listener, e);

	if (r < 0)
		return r;
	r = event_assign(&d->waiting, d->base, d->listener, EV_READ, on_door_event, d);
	assert(r == 0);
	return 0;
}

/* @e: why no duplicate could be had, which is what can be mended, so it stays the
 * reason; cleared on success. */
static int
open_by_polling(struct door *d, const char *path, struct err *e)
{
	struct err why = *e;
	uint32_t inode;

	if (d->commons->backlog == NULL)
		return -EPERM;
	if (d->commons->n_polled >= BACKLOG_VMS_MAX) {
		err_clear(e);
		return err_set(e, -EPERM, why.source, why.line,
			"%s; %u monitors are polled already", why.text,
			BACKLOG_VMS_MAX);
	}
	if (backlog_find(d->commons->backlog, path, &inode, &why) < 0)
		return -EPERM;
	d->inode = inode;
	d->commons->n_polled++;
	err_clear(e);
	return 0;
}

int
door_open(struct door *d, pid_t pid, int pidfd, const char *path, struct err *e)
{
	int r;

	door_shut(d);
	d->pid = pid;
	d->pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
	if (d->pidfd < 0)
		return err_set(e, -errno, NULL, 0, "too many open files");
	r = event_assign(&d->gone, d->base, d->pidfd, EV_READ, on_process_end, d);
	assert(r == 0);
	(void)event_add(&d->gone, NULL);
	r = open_by_duplicate(d, path, e);
	if (r == -EPERM)
		r = open_by_polling(d, path, e);
	if (r == 0)
		door_introduce(d);
	return r;
}

bool
door_is_gone(const struct door *d)
{
	struct pollfd p = {.fd = d->pidfd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

int
door_listener(const struct door *d)
{
	return d->listener;
}

/* Without a guard there is nothing to tell, and nothing is held. */
void
door_introduce(struct door *d)
{
	if (d->listener >= 0 && d->commons->guard != NULL)
		(void)!guard_watch(d->commons->guard, d->key, d->listener, d->pidfd);
}

void
door_watch(struct door *d, bool on)
{
	if (d->listener >= 0)
		(void)event_del(&d->waiting);
	(void)event_del(&d->poll);
	if (on)
		ask_again(d);
}

bool
door_has_waiter(struct door *d)
{
	if (d->inode != 0)
		return backlog_waiters(d->commons->backlog, d->inode) > 0;
	return listener_has_waiter(d->listener);
}

uint64_t
door_served(struct door *d)
{
	struct listener_process process = process_of(d);
	uint64_t inode;

	if (d->listener < 0 || listener_served(&process, d->listener, &inode) < 0)
		return 0;
	return inode;
}

void
door_shut(struct door *d)
{
	door_watch(d, false);
	if (d->inode != 0)
		d->commons->n_polled--;
	d->inode = 0;
	if (d->listener >= 0) {
		close(d->listener);
		if (d->commons->guard != NULL)
			guard_forget(d->commons->guard, d->key);
	}
	d->listener = -1;
	if (d->pidfd >= 0) {
		(void)event_del(&d->gone);
		close(d->pidfd);
	}
	d->pidfd = -1;
	d->pid = 0;
}

void
door_free(struct door *d)
{
	if (d == NULL)
		return;
	door_shut(d);
	free(d);
}

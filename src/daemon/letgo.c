// SPDX-License-Identifier: MIT
/*
 * Monitors released without a daemon: each VM is visited once, all at the same time. A
 * socket that nobody listens at is of a QEMU that has ended, and nothing is left of it.
 * Of every other VM it is said that it was released, or why it was not.
 */
#include "config.h"

#include "daemon/letgo.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/xalloc.h"
#include "daemon/cmdline.h"
#include "daemon/offline.h"
#include "daemon/release.h"
#include "qmp/dial.h"
#include "qmp/monitor.h"
#include "vm/identity.h"
#include "vm/sockdir.h"

struct letgo {
	const struct cmdline *cmdline;
	struct event_base *base;
	struct monitor_commons commons;
	struct visit *visits;
	size_t n_waiting;
	unsigned int done;
	unsigned int failed;
};

/* One VM. */
struct visit {
	struct visit *next;
	struct letgo *letgo;
	struct monitor *monitor;     /* NULL: the visit has ended */
	struct vm_identity identity; /* empty: nobody has answered yet */
	char *socket_path;
	char *pid_path;
	char id[VM_ID_MAX];
};

static void
say_failed(struct visit *v, const char *why)
{
	v->letgo->failed++;
	(void)fprintf(stderr, "qmpind: VM %s not released: %s\n", v->id, why);
}

static void
end(struct visit *v)
{
	monitor_free(v->monitor);
	v->monitor = NULL;
	identity_fini(&v->identity);
	if (--v->letgo->n_waiting == 0)
		event_base_loopbreak(v->letgo->base);
}

/* A peer that is not proven now will not be at the next attempt; one that hangs up may.
 */
static int
on_peer(void *owner, int fd, const struct ucred *peer)
{
	struct visit *v = owner;
	struct err why = ERR_NONE;
	char text[512];
	int r;

	identity_fini(&v->identity);
	r = identity_prove(v->letgo->commons.procfd, v->socket_path, v->pid_path, true,
		peer, &v->identity, &why);
	if (r == 0)
		r = identity_check_peer(fd, v->socket_path, &why);
	if (r == 0)
		return v->identity.pidfd;
	if (r != -ECONNRESET) {
		say_failed(v, err_format(&why, text, sizeof(text)));
		end(v);
	}
	return r;
}

/* Nothing is left of it: its process is known and has ended, or nobody listens. */
static bool
is_gone(const struct visit *v)
{
	auto_close int fd = -1;
	struct err unused = ERR_NONE;
	struct ucred peer;
	int r;

	if (v->identity.pid != 0)
		return identity_has_ended(&v->identity);
	fd = dial_socket();
	r = fd < 0 ? fd : dial_connect(fd, v->socket_path, &peer, &unused);
	return r == -ECONNREFUSED || r == -ENOENT;
}

static void
on_released(void *owner, int err, const struct err *why)
{
	struct visit *v = owner;
	char text[512];

	if (err == 0 && v->identity.pid != 0) {
		v->letgo->done++;
		(void)printf("released %s\n", v->id);
	} else if (err < 0 && !is_gone(v)) {
		say_failed(v, err_is_set(why) ? err_format(why, text, sizeof(text))
					      : strerror(-err));
	}
	end(v);
}

static const struct monitor_handlers handlers = {
	.on_peer = on_peer,
	.on_released = on_released,
};

static void
on_socket(void *owner, int vmid, const struct sockdir_key *key)
{
	struct letgo *l = owner;
	struct monitor_options options = {.commons = &l->commons, .share = SHARE_BRIEF};
	struct visit *v = xcalloc(1, sizeof(*v));

	(void)key;
	(void)snprintf(v->id, sizeof(v->id), "%d", vmid);
	if (!offline_means(l->cmdline->release, v->id)) {
		free(v);
		return;
	}
	v->letgo = l;
	v->socket_path = xasprintf("%s/%d.qmp", l->cmdline->vm_dir, vmid);
	v->pid_path = xasprintf("%s/%d.pid", l->cmdline->vm_dir, vmid);
	options.path = v->socket_path;
	v->monitor = monitor_new(l->base, &options, &handlers, v);
	v->next = l->visits;
	l->visits = v;
	l->n_waiting++;
	monitor_release(v->monitor);
	monitor_start(v->monitor);
}

static void
end_visits(struct letgo *l)
{
	while (l->visits != NULL) {
		struct visit *v = l->visits;

		l->visits = v->next;
		if (v->monitor != NULL) {
			say_failed(
				v, "no answer: its monitor is in use, or QEMU hangs");
			end(v);
		}
		free(v->socket_path);
		free(v->pid_path);
		free(v);
	}
}

static int
visit_all(struct letgo *l, struct err *e)
{
	const struct timeval limit = clock_timeval_ms(RELEASE_MS);
	int r = sockdir_each(l->cmdline->vm_dir, on_socket, l);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set(
			e, r, l->cmdline->vm_dir, 0, "cannot read: %s", strerror(-r));
	if (l->n_waiting > 0) {
		(void)event_base_loopexit(l->base, &limit);
		(void)event_base_dispatch(l->base);
	}
	return 0;
}

int
letgo_run(const struct cmdline *c)
{
	struct letgo l = {.cmdline = c, .commons.clock = clock_system()};
	struct err why = ERR_NONE;
	auto_close int procfd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int lock = -1;
	int r = offline_lock(c, &lock, &why); /* no daemon starts meanwhile */

	l.commons.procfd = procfd;
	l.base = event_base_new();
	if (r == 0 && (procfd < 0 || l.base == NULL))
		r = err_set(
			&why, -EIO, NULL, 0, "cannot open /proc or wait for events");
	if (r == 0 && lock >= 0) /* else none has run since the boot */
		r = visit_all(&l, &why);
	end_visits(&l);
	if (l.base != NULL)
		event_base_free(l.base);
	if (r < 0)
		offline_say(&why);
	return r < 0 ? OFFLINE_FAILED : offline_exit(l.done, l.failed);
}

// SPDX-License-Identifier: MIT
/*
 * Monitor sockets as they come and go in one directory.
 *
 * Events of the watch are hints: each leads to a look at the name it carries, and what
 * is there is compared with what was told. So lost, repeated and late events cost
 * nothing, and an overflow is answered by comparing the whole directory.
 *
 * Invariant: told[] is exactly what the owner knows; it changes just before each call.
 */
#include "config.h"

#include "vm/discovery.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "vm/sockdir.h"

/* While the directory cannot be watched it is compared this often. */
#define RETRY_S 1

/* Is the path still the directory that is watched? A parent renamed and a mount on top
 * of it make no event. */
#define CHECK_S 5

#define READ_BYTES 16384u

/* Reads per wake-up: a directory that never rests must not hold the loop. */
#define READS_MAX 64u

#define WATCH_MASK                                                              \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | \
		IN_MOVE_SELF | IN_ONLYDIR)

struct entry {
	int vmid;
	struct sockdir_key key;
	bool seen; /* by the scan that runs */
};

struct discovery {
	struct event_base *base;
	char *dir;
	struct discovery_handlers handlers;
	void *owner;

	struct entry *told; /* ascending vmid */
	size_t n_told;
	size_t cap_told;

	int inotify_fd; /* -1: not open */
	int watch;	/* descriptor of the directory's watch, -1: none */
	struct event *on_events;
	struct event *timer;

	int trouble;	   /* negative errno that was told, 0: none */
	bool based;	   /* the directory was compared: what appears now is new */
	bool full;	   /* sockets were left out, and that was told */
	bool again;	   /* compare once more before leaving */
	unsigned int busy; /* depth inside our own functions */
	bool doomed;	   /* free when the last of them leaves */
};

/* The sockets of one scan that are not told yet. */
struct scan {
	struct discovery *d;
	struct entry *found;
	size_t n;
	size_t cap;
	bool left_out;
};

static void
destroy(struct discovery *d)
{
	if (d->on_events != NULL)
		event_free(d->on_events);
	if (d->inotify_fd >= 0)
		close(d->inotify_fd);
	event_free(d->timer);
	free(d->told);
	free(d->dir);
	free(d);
}

static void
enter(struct discovery *d)
{
	d->busy++;
}

static void
leave(struct discovery *d)
{
	if (--d->busy == 0 && d->doomed)
		destroy(d);
}

/* Where @vmid is or belongs. */
static size_t
position_of(const struct discovery *d, int vmid)
{
	size_t low = 0;
	size_t high = d->n_told;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (d->told[mid].vmid < vmid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct entry *
find_told(struct discovery *d, int vmid)
{
	size_t at = position_of(d, vmid);

	return at < d->n_told && d->told[at].vmid == vmid ? &d->told[at] : NULL;
}

static void
tell_trouble(struct discovery *d, int r, const char *what)
{
	struct err why = ERR_NONE;

	(void)err_set(&why, r, d->dir, 0, "%s: %s", what, strerror(-r));
	d->handlers.on_trouble(d->owner, &why);
}

static void
tell_found(struct discovery *d, const struct entry *e, bool fresh)
{
	auto_free char *socket_path = xasprintf("%s/%d.qmp", d->dir, e->vmid);
	auto_free char *pid_path = xasprintf("%s/%d.pid", d->dir, e->vmid);
	auto_free char *id = xasprintf("%d", e->vmid);
	const struct discovered found = {
		.id = id,
		.vmid = e->vmid,
		.socket_path = socket_path,
		.pid_path = pid_path,
		.fresh = fresh,
	};
	size_t at = position_of(d, e->vmid);

	d->told = xgrow(d->told, d->n_told, &d->cap_told, sizeof(*d->told));
	memmove(&d->told[at + 1], &d->told[at], (d->n_told - at) * sizeof(*d->told));
	d->told[at] = *e;
	d->n_told++;
	d->handlers.on_found(d->owner, &found);
}

static void
tell_lost(struct discovery *d, struct entry *e)
{
	auto_free char *id = xasprintf("%d", e->vmid);
	size_t at = (size_t)(e - d->told);

	d->n_told--;
	memmove(e, e + 1, (d->n_told - at) * sizeof(*e));
	if (d->full) /* room for one that was left out */
		d->again = true;
	d->handlers.on_lost(d->owner, id);
}

static void
stop_watching(struct discovery *d)
{
	/* fails when the directory is gone, which took the watch with it */
	if (d->watch >= 0)
		(void)inotify_rm_watch(d->inotify_fd, d->watch);
	d->watch = -1;
}

static void on_inotify_events(int fd, short what, void *owner);

static int
open_inotify(struct discovery *d)
{
	if (d->inotify_fd >= 0)
		return 0;
	d->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (d->inotify_fd < 0)
		return -errno;
	d->on_events = event_new(
		d->base, d->inotify_fd, EV_READ | EV_PERSIST, on_inotify_events, d);
	if (d->on_events == NULL)
		abort();
	if (event_add(d->on_events, NULL) == 0)
		return 0;
	event_free(d->on_events); /* no room in the epoll set: as if not to be had */
	d->on_events = NULL;
	close(d->inotify_fd);
	d->inotify_fd = -1;
	return -ENOSPC;
}

/* Watch what the path leads to now; the same directory again changes nothing. */
static int
watch_dir(struct discovery *d)
{
	int watch;
	int r;

	r = open_inotify(d);
	if (r < 0)
		return r;
	watch = inotify_add_watch(d->inotify_fd, d->dir, WATCH_MASK);
	r = watch < 0 ? -errno : 0;
	if (watch != d->watch)
		stop_watching(d);
	d->watch = watch;
	return r;
}

static void
on_scan_socket(void *owner, int vmid, const struct sockdir_key *key)
{
	struct scan *s = owner;
	struct entry *e = find_told(s->d, vmid);

	if (e != NULL && sockdir_same(&e->key, key)) {
		e->seen = true;
		return;
	}
	if (s->n == DISCOVERY_VMS_MAX) {
		s->left_out = true;
		return;
	}
	s->found = xgrow(s->found, s->n, &s->cap, sizeof(*s->found));
	s->found[s->n++] = (struct entry){.vmid = vmid, .key = *key};
}

static int
compare_entries(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	return (x->vmid > y->vmid) - (x->vmid < y->vmid);
}

/* From the end: what is removed there moves nothing. */
static void
tell_all_lost(struct discovery *d)
{
	for (size_t i = d->n_told; i-- > 0 && !d->doomed;) {
		if (!d->told[i].seen)
			tell_lost(d, &d->told[i]);
	}
}

static void
tell_all_found(struct discovery *d, struct scan *s)
{
	if (s->n > 0)
		qsort(s->found, s->n, sizeof(*s->found), compare_entries);
	for (size_t i = 0; i < s->n && !d->doomed; i++) {
		if (find_told(d, s->found[i].vmid) != NULL)
			continue; /* not all could be seen: an older one is not lost yet
				   */
		if (d->n_told == DISCOVERY_VMS_MAX)
			s->left_out = true;
		else
			tell_found(d, &s->found[i], d->based);
	}
	if (s->left_out && !d->full && !d->doomed)
		tell_trouble(d, -E2BIG, "some monitor sockets are left out");
	d->full = s->left_out;
}

/* Returns 0 or why not all of the directory could be read; then what was told stands.
 */
static int
compare_dir(struct discovery *d)
{
	struct scan s = {.d = d};
	bool whole;
	int r;

	for (size_t i = 0; i < d->n_told; i++)
		d->told[i].seen = false;
	r = sockdir_each(d->dir, on_scan_socket, &s);
	whole = r == 0 || r == -ENOENT || r == -ENOTDIR; /* no directory: no sockets */
	if (whole)
		tell_all_lost(d);
	tell_all_found(d, &s);
	free(s.found);
	d->based = whole;
	return r;
}

static void
arm_timer(struct discovery *d)
{
	struct timeval in = {.tv_sec = d->trouble != 0 ? RETRY_S : CHECK_S};

	if (event_add(d->timer, &in) < 0)
		abort();
}

/* Watch first, then compare: what comes in between is seen twice, never missed. */
static void
sync_dir(struct discovery *d)
{
	do {
		int watched = watch_dir(d);
		int r;

		d->again = false;
		r = compare_dir(d);
		if (watched < 0)
			r = watched;
		if (r != 0 && r != d->trouble && !d->doomed)
			tell_trouble(d, r, "cannot watch the directory");
		d->trouble = r;
	} while (d->again && !d->doomed);
	arm_timer(d);
}

/* A name something happened to: what is there now is what counts. */
static void
look_at_name(struct discovery *d, const char *name)
{
	int vmid = sockdir_parse_name(name);
	struct entry now = {.vmid = vmid};
	struct entry *e;
	int r;

	if (vmid < 0)
		return;
	r = sockdir_look(d->dir, vmid, &now.key);
	e = find_told(d, vmid);
	if (e != NULL &&
		(r == -ENOENT || (r == 0 && !sockdir_same(&e->key, &now.key)))) {
		tell_lost(d, e);
		e = NULL;
	}
	if (r < 0 || e != NULL || d->doomed)
		return;
	if (d->n_told == DISCOVERY_VMS_MAX)
		d->again = true; /* tells that it is left out */
	else
		tell_found(d, &now, true);
}

static void
take_event(struct discovery *d, const struct inotify_event *ev)
{
	if ((ev->mask & IN_Q_OVERFLOW) != 0) {
		d->again = true;
		return;
	}
	if (ev->wd != d->watch)
		return; /* of a directory that is watched no longer */
	if ((ev->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0)
		d->again = true;
	else if (ev->len > 0)
		look_at_name(d, ev->name);
}

/* Returns false when nothing more is there. */
static bool
take_events(struct discovery *d)
{
	_Alignas(struct inotify_event) char buf[READ_BYTES];
	ssize_t n = read(d->inotify_fd, buf, sizeof(buf));

	for (ssize_t at = 0; at < n && !d->doomed;) {
		const struct inotify_event *ev = (const void *)(buf + at);

		take_event(d, ev);
		at += (ssize_t)(sizeof(*ev) + ev->len);
	}
	return n > 0;
}

static void
on_inotify_events(int fd, short what, void *owner)
{
	struct discovery *d = owner;

	(void)fd;
	(void)what;
	enter(d);
	for (unsigned int i = 0; i < READS_MAX && !d->doomed; i++) {
		if (!take_events(d))
			break;
	}
	if (d->again && !d->doomed)
		sync_dir(d);
	leave(d);
}

static void
on_timer(int fd, short what, void *owner)
{
	struct discovery *d = owner;
	int watch = d->watch;

	(void)fd;
	(void)what;
	enter(d);
	if (d->trouble == 0 && watch_dir(d) == 0 && d->watch == watch)
		arm_timer(d);
	else
		sync_dir(d);
	leave(d);
}

struct discovery *
discovery_new(struct event_base *base, const char *dir,
	const struct discovery_handlers *handlers, void *owner)
{
	struct discovery *d = xcalloc(1, sizeof(*d));
	size_t len = strlen(dir);

	while (len > 1 && dir[len - 1] == '/')
		len--;
	d->base = base;
	d->dir = xmemdupz(dir, len);
	d->handlers = *handlers;
	d->owner = owner;
	d->inotify_fd = -1;
	d->watch = -1;
	d->timer = event_new(base, -1, 0, on_timer, d);
	if (d->timer == NULL)
		abort();
	return d;
}

void
discovery_start(struct discovery *d)
{
	discovery_rescan(d);
}

void
discovery_rescan(struct discovery *d)
{
	if (d->busy > 0) {
		d->again = true;
		return;
	}
	enter(d);
	sync_dir(d);
	leave(d);
}

void
discovery_free(struct discovery *d)
{
	if (d == NULL)
		return;
	d->doomed = true;
	enter(d);
	leave(d);
}

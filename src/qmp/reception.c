// SPDX-License-Identifier: MIT
/*
 * The socket that QEMUs dial, and those whom nobody has claimed yet. Invariants: the
 * file is never wider than 0600 and bears the name it was bound to (QEMU reports that
 * name, and ours are known by it); descriptors held are bounded; whatever accept()
 * says, the loop never spins.
 */
#include "config.h"

#include "qmp/reception.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"

#define SOCKET_NAME "monitor.sock"

/* After our restart the QEMUs of a host come back within their reconnect-ms. One that
 * finds the queue full waits in connect() or tries again. */
#define BACKLOG 1024

/* After so many the rest of the loop has its turn. */
#define ACCEPTS_PER_TURN 32u

/* No descriptors, no memory: accepting is tried again after this. */
#define PAUSE_MS 500u

/* One that waits to be claimed. */
struct visitor {
	struct reception *reception;
	int fd;
	struct ucred peer;
	struct event gone; /* it hung up, or its time is over */
};

struct reception {
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	dev_t dev; /* of the file, to remove no other */
	ino_t ino;
	int fd;
	struct event_base *base;
	struct event readable;
	struct event resume;
	const struct reception_handlers *handlers;
	void *owner;
	struct visitor *waiting[RECEPTION_WAITING_MAX]; /* the oldest first */
	unsigned int n_waiting;
	bool busy;   /* inside a callback of libevent */
	bool doomed; /* freed by its owner meanwhile */
};

/* Take the @i-th out of the waiting ones: the caller owns the descriptor. */
static int
let_go(struct reception *r, unsigned int i, struct ucred *peer)
{
	struct visitor *v = r->waiting[i];
	int fd = v->fd;

	*peer = v->peer;
	(void)event_del(&v->gone);
	free(v);
	r->n_waiting--;
	memmove(r->waiting + i, r->waiting + i + 1,
		(r->n_waiting - i) * sizeof(r->waiting[0]));
	return fd;
}

static void
forget(struct reception *r, unsigned int i)
{
	struct ucred peer;

	close(let_go(r, i, &peer));
}

static void
turn_away(struct reception *r, int fd, const struct ucred *peer)
{
	close(fd);
	if (!r->doomed)
		r->handlers->on_stranger(r->owner, peer);
}

static void
turn_away_waiting(struct reception *r, unsigned int i)
{
	struct ucred peer;
	int fd = let_go(r, i, &peer);

	turn_away(r, fd, &peer);
}

static void
destroy(struct reception *r)
{
	struct stat st;

	while (r->n_waiting > 0)
		forget(r, r->n_waiting - 1);
	(void)event_del(&r->readable);
	(void)event_del(&r->resume);
	if (lstat(r->path, &st) == 0 && st.st_dev == r->dev && st.st_ino == r->ino)
		(void)unlink(r->path);
	close(r->fd);
	free(r);
}

static void
enter(struct reception *r)
{
	r->busy = true;
}

static void
leave(struct reception *r)
{
	r->busy = false;
	if (r->doomed)
		destroy(r);
}

static unsigned int
place_of(const struct reception *r, pid_t pid)
{
	unsigned int i = 0;

	while (i < r->n_waiting && r->waiting[i]->peer.pid != pid)
		i++;
	return i;
}

static void
on_gone(evutil_socket_t fd, short what, void *arg)
{
	struct visitor *v = arg;
	struct reception *r = v->reception;
	unsigned int i = place_of(r, v->peer.pid);

	(void)fd;
	assert(i < r->n_waiting && r->waiting[i] == v);
	enter(r);
	if ((what & EV_CLOSED) != 0)
		forget(r, i);
	else
		turn_away_waiting(r, i);
	leave(r);
}

/* EV_CLOSED: that it can be read says nothing, QEMU greets at once. */
static void
let_wait(struct reception *r, int fd, const struct ucred *peer)
{
	const struct timeval patience = {.tv_sec = RECEPTION_WAIT_MS / 1000};
	struct visitor *v;
	int assigned;

	if (r->n_waiting == RECEPTION_WAITING_MAX)
		turn_away_waiting(r, 0);
	if (r->doomed) {
		close(fd);
		return;
	}
	v = xcalloc(1, sizeof(*v));
	v->reception = r;
	v->fd = fd;
	v->peer = *peer;
	assigned = event_assign(&v->gone, r->base, fd, EV_CLOSED, on_gone, v);
	assert(assigned == 0);
	(void)event_add(&v->gone, &patience);
	r->waiting[r->n_waiting++] = v;
}

/* A QEMU has one connection to us: an older one of the same process is dead, even if
 * its end has not been seen yet. */
static void
welcome(struct reception *r, int fd)
{
	struct ucred peer = {.pid = 0};
	socklen_t len = sizeof(peer);
	unsigned int i;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.pid <= 0) {
		turn_away(r, fd, &peer);
		return;
	}
	i = place_of(r, peer.pid);
	if (i < r->n_waiting)
		forget(r, i);
	if (!r->handlers->on_dial_in(r->owner, fd, &peer))
		let_wait(r, fd, &peer);
}

static void
pause_accepting(struct reception *r)
{
	const struct timeval pause = {.tv_usec = PAUSE_MS * 1000};

	(void)event_del(&r->readable);
	(void)event_add(&r->resume, &pause);
}

static void
on_readable(evutil_socket_t listener, short what, void *arg)
{
	struct reception *r = arg;
	int fd;

	(void)what;
	enter(r);
	for (unsigned int i = 0; i < ACCEPTS_PER_TURN && !r->doomed; i++) {
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			welcome(r, fd);
			continue;
		}
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			pause_accepting(r);
		break;
	}
	leave(r);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct reception *r = arg;

	(void)fd;
	(void)what;
	(void)event_add(&r->readable, NULL);
}

/* "@dir/monitor.sock", spelt the same however @dir ends: QEMUs are known by it. */
static int
make_path(const char *dir, char *out, size_t size, struct err *e)
{
	auto_json json_t *json = json_string(dir);
	size_t len = strlen(dir);

	if (dir[0] != '/')
		return err_set(e, -EINVAL, dir, 0, "not an absolute path");
	if (json == NULL)
		return err_set(e, -EILSEQ, dir, 0,
			"not UTF-8: QEMU cannot be told to dial a socket there");
	while (len > 0 && dir[len - 1] == '/')
		len--;
	if (len + strlen("/" SOCKET_NAME) >= size)
		return err_set(e, -ENAMETOOLONG, dir, 0,
			"too long: QEMU cannot dial a socket there");
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the name follows */
	memcpy(out, dir, len);
	str_copy(out + len, size - len, "/" SOCKET_NAME);
	return 0;
}

static int
remove_stale(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, -EEXIST, path, 0, "in the way and not a socket");
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/*
 * The mode set on the descriptor is the one the file is made with, so it is never
 * wider. It is not made under another name and renamed: QEMU would report that other
 * name. In the moment without a file a QEMU gets what the stale file gave it, a
 * refusal.
 */
static int
listen_at(struct reception *r)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_close int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stat st;
	int err;

	memcpy(address.sun_path, r->path, strlen(r->path) + 1);
	if (fd < 0 || fchmod(fd, 0600) < 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (lstat(r->path, &st) < 0 || listen(fd, BACKLOG) < 0) {
		err = errno;
		(void)unlink(r->path);
		return -err;
	}
	r->dev = st.st_dev;
	r->ino = st.st_ino;
	r->fd = take_fd(&fd);
	return 0;
}

int
reception_new(struct event_base *base, const char *dir,
	const struct reception_handlers *handlers, void *owner, struct reception **out,
	struct err *e)
{
	auto_free struct reception *r = xcalloc(1, sizeof(*r));
	int err;

	err = make_path(dir, r->path, sizeof(r->path), e);
	if (err < 0)
		return err;
	err = remove_stale(r->path, e);
	if (err == 0)
		err = listen_at(r);
	if (err < 0)
		return err_set(
			e, err, r->path, 0, "cannot listen here: %s", strerror(-err));
	r->base = base;
	r->handlers = handlers;
	r->owner = owner;
	err = event_assign(
		&r->readable, base, r->fd, EV_READ | EV_PERSIST, on_readable, r);
	err |= event_assign(&r->resume, base, -1, 0, on_resume, r);
	assert(err == 0);
	(void)event_add(&r->readable, NULL);
	*out = take_ptr(&r);
	return 0;
}

const char *
reception_path(const struct reception *r)
{
	return r->path;
}

int
reception_claim(struct reception *r, pid_t pid)
{
	unsigned int i = place_of(r, pid);
	struct ucred peer;

	return i < r->n_waiting ? let_go(r, i, &peer) : -ENOENT;
}

void
reception_free(struct reception *r)
{
	if (r == NULL)
		return;
	if (r->busy)
		r->doomed = true;
	else
		destroy(r);
}

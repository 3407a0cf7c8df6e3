// SPDX-License-Identifier: MIT
/*
 * A blocking varlink client: one connection, one call at a time, everything under a
 * deadline. Invariant: after an error in the stream the connection is closed, so that
 * no call reads another one's reply.
 */
#include "config.h"

#include "ctl/client.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "ctl/address.h"
#include "ctl/remote.h"
#include "ctl/server.h"
#include "ctl/varlink.h"

/* Of the run directory in a message: the advice behind it must not be cut off. */
#define DIR_SHOWN 100

struct ctl_client {
	int fd;	     /* -1: closed after an error */
	int stop_fd; /* readable: give up; -1: none. Borrowed */
	unsigned int timeout_ms;
	bool patient; /* without a deadline */
	struct varlink_framer framer;
};

/* The call that runs. */
struct exchange {
	struct ctl_client *client;
	const char *method;
	uint64_t deadline_us;
	struct err *e;
};

/* Blocking with SO_SNDTIMEO: a full queue is waited for, which a non-blocking connect
 * of a UNIX socket cannot. */
static int
connect_within(int fd, const struct sockaddr_un *address, unsigned int timeout_ms)
{
	struct timeval limit = clock_timeval_ms(timeout_ms);

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

/* A connected descriptor or a negative errno. */
static int
open_socket(const char *run_dir, const char *name, unsigned int timeout_ms)
{
	auto_close int dirfd = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int fd = -1;
	struct sockaddr_un address;
	int r;

	if (dirfd < 0)
		return -errno;
	r = address_fill(dirfd, run_dir, name, &address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = connect_within(fd, &address, timeout_ms);
	return r < 0 ? r : take_fd(&fd);
}

/* Who is refused there may still see whose socket it is. */
static int
explain_refused(const char *run_dir, struct err *e)
{
	auto_free char *path = xasprintf("%s/" CTL_SOCKET_RO, run_dir);
	const struct group *group = NULL;
	struct stat st;

	if (stat(path, &st) == 0 && st.st_gid != 0)
		group = getgrgid(st.st_gid);
	if (group == NULL)
		return err_set(e, -EACCES, NULL, 0,
			"no permission for %.*s/" CTL_SOCKET_RO ": run it as root",
			DIR_SHOWN, run_dir);
	return err_set(e, -EACCES, NULL, 0,
		"no permission for %.*s/" CTL_SOCKET_RO
		": run it as root, or to look only, join group %s (adduser USER %s)",
		DIR_SHOWN, run_dir, group->gr_name, group->gr_name);
}

static int
explain_connect(int r, const char *run_dir, struct err *e)
{
	if (r == -ECONNREFUSED || r == -ENOENT)
		return err_set(e, r, NULL, 0,
			"no daemon at %.*s/" CTL_SOCKET
			": is qmpind running? (systemctl status qmpind)",
			DIR_SHOWN, run_dir);
	if (r == -EACCES)
		return explain_refused(run_dir, e);
	return err_set(e, r, NULL, 0, "cannot connect to %.*s/" CTL_SOCKET ": %s",
		DIR_SHOWN, run_dir, strerror(-r));
}

int
ctl_client_new(const char *run_dir, unsigned int timeout_ms, struct ctl_client **out,
	struct err *e)
{
	struct ctl_client *c;
	int fd = open_socket(run_dir, CTL_SOCKET, timeout_ms);

	if (fd == -EACCES)
		fd = open_socket(run_dir, CTL_SOCKET_RO, timeout_ms);
	if (fd < 0)
		return explain_connect(fd, run_dir, e);
	c = xcalloc(1, sizeof(*c));
	c->fd = fd;
	c->stop_fd = -1;
	c->timeout_ms = timeout_ms;
	varlink_framer_init(&c->framer, VARLINK_REPLY_MAX);
	*out = c;
	return 0;
}

void
ctl_client_stop_on(struct ctl_client *c, int fd)
{
	c->stop_fd = fd;
}

void
ctl_client_be_patient(struct ctl_client *c)
{
	c->patient = true;
}

static void
hang_up(struct ctl_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	varlink_framer_fini(&c->framer);
}

void
ctl_client_free(struct ctl_client *c)
{
	if (c == NULL)
		return;
	hang_up(c);
	free(c);
}

static void
renew_deadline(struct exchange *x)
{
	x->deadline_us =
		clock_now_us(clock_system()) + x->client->timeout_ms * UINT64_C(1000);
}

/* 0: none; -1: for ever. */
static int
time_left_ms(const struct exchange *x)
{
	uint64_t now_us = clock_now_us(clock_system());

	if (x->client->patient)
		return -1;
	if (now_us >= x->deadline_us)
		return 0;
	return (int)((x->deadline_us - now_us + 999) / 1000);
}

/* Returns 0 when the socket is ready, or a negative errno. */
static int
wait_ready(const struct exchange *x, short events)
{
	struct pollfd p[] = {
		{.fd = x->client->fd, .events = events},
		{.fd = x->client->stop_fd, .events = POLLIN}, /* -1 is left out */
	};

	for (;;) {
		int left_ms = time_left_ms(x);
		int n;

		if (left_ms == 0)
			return err_set(x->e, -ETIMEDOUT, NULL, 0,
				"qmpind did not answer %s within %u ms", x->method,
				x->client->timeout_ms);
		n = poll(p, ARRAY_LEN(p), left_ms);
		if (n > 0 && p[1].revents != 0)
			return err_set(
				x->e, -ECANCELED, NULL, 0, "%s cancelled", x->method);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_set(
				x->e, -errno, NULL, 0, "poll: %s", strerror(errno));
	}
}

static int
explain_broken(const struct exchange *x, int r)
{
	if (r == -EPIPE || r == -ECONNRESET)
		return err_set(x->e, -ECONNRESET, NULL, 0,
			"qmpind closed the connection before it answered %s: "
			"stopping or too busy?",
			x->method);
	return err_set(x->e, r, NULL, 0, "talking to qmpind: %s", strerror(-r));
}

static int
send_all(const struct exchange *x, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(x->client->fd, bytes, len, MSG_NOSIGNAL);
		int r = 0;

		if (n < 0 && errno == EAGAIN)
			r = wait_ready(x, POLLOUT);
		else if (n < 0 && errno != EINTR)
			r = explain_broken(x, -errno);
		if (r < 0)
			return r;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int
receive_some(const struct exchange *x)
{
	char chunk[16384];
	ssize_t n = recv(x->client->fd, chunk, sizeof(chunk), 0);

	if (n == 0)
		return explain_broken(x, -ECONNRESET);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return explain_broken(x, -errno);
	if (n < 0)
		return wait_ready(x, POLLIN);
	varlink_framer_add(&x->client->framer, chunk, (size_t)n);
	return 0;
}

static int
receive_reply(const struct exchange *x, struct varlink_reply *out)
{
	struct err why = ERR_NONE;
	const char *text;
	size_t len;
	int r;

	for (;;) {
		r = varlink_framer_next(&x->client->framer, &text, &len);
		if (r != 0)
			break;
		r = receive_some(x);
		if (r < 0)
			return r;
	}
	if (r > 0)
		r = varlink_reply_decode(text, len, out, &why);
	if (r < 0)
		return err_set(x->e, -EPROTO, NULL, 0, "no varlink from qmpind: %s",
			err_is_set(&why) ? why.text : "a reply without end");
	return 0;
}

/* Returns 1 to read on, 0 at the end, or a negative errno; where more might follow that
 * nobody will read, the connection is closed. */
static int
take_reply(struct exchange *x, bool more,
	bool (*on_reply)(void *arg, const json_t *reply), void *arg)
{
	struct varlink_reply reply;
	int r = receive_reply(x, &reply);

	if (r < 0) {
		hang_up(x->client);
		return r;
	}
	if (reply.error != NULL) {
		r = remote_error(x->method, reply.error, reply.parameters, x->e);
	} else if (reply.continues && !more) {
		hang_up(x->client);
		r = err_set(
			x->e, -EPROTO, NULL, 0, "qmpind streams %s unasked", x->method);
	} else {
		bool on = on_reply == NULL || on_reply(arg, reply.parameters);

		r = reply.continues && on;
		if (reply.continues && !on)
			hang_up(x->client);
	}
	varlink_reply_fini(&reply);
	return r;
}

int
ctl_client_call(struct ctl_client *c, const char *method, json_t *params, bool more,
	bool (*on_reply)(void *arg, const json_t *reply), void *arg, struct err *e)
{
	struct exchange x = {.client = c, .method = method, .e = e};
	auto_free char *full = xasprintf(CTL_INTERFACE ".%s", method);
	size_t len;
	auto_free char *text = varlink_request_encode(full, params, more, &len);
	int r;

	if (c->fd < 0)
		return err_set(
			e, -ENOTCONN, NULL, 0, "the connection to qmpind is closed");
	renew_deadline(&x);
	r = send_all(&x, text, len);
	if (r < 0)
		hang_up(c);
	else
		r = 1;
	while (r > 0) {
		r = take_reply(&x, more, on_reply, arg);
		renew_deadline(&x);
	}
	return r;
}

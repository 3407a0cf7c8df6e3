// SPDX-License-Identifier: MIT
/*
 * The control server: two listening sockets in front of the connections. Leaves clients
 * to conn.c and requests to service.c.
 */
#include "config.h"

#include "ctl/server.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "ctl/conn.h"
#include "ctl/idl.h"
#include "ctl/listen.h"
#include "ctl/service.h"
#include "ctl/shapes.h"

/* After accept() fails (no descriptor left) the socket stays readable: wait this long
 * instead of trying in a circle. */
#define PAUSE_MS 500

static const struct ctl_limits default_limits = {
	.clients = 256,
	.idle_ms = 5 * 60 * 1000,
	.half_ms = 30 * 1000,
	.stall_ms = 30 * 1000,
	/* ListVMs of 1000 VMs with 100 threads each is 12 MB, written by one handler.
	 */
	.client_bytes = 64u << 20,
	.total_bytes = 128u << 20,
};

/* One of the two sockets. */
struct door {
	struct ctl_server *server;
	struct listen_socket socket;
	struct evconnlistener *listener;
	struct event *resume; /* after PAUSE_MS */
	bool read_only;
};

struct ctl_server {
	struct listen_place place;
	char *dir;
	char *version;
	struct service service;
	struct conn_set clients;
	struct door doors[2];
};

static void
on_request(void *owner, struct ctl_call *call, const struct varlink_request *request)
{
	struct ctl_server *s = owner;

	service_dispatch(&s->service, call, request);
}

static void
on_door_client(struct evconnlistener *listener, evutil_socket_t fd,
	struct sockaddr *address, int len, void *arg)
{
	struct door *d = arg;

	(void)listener;
	(void)address;
	(void)len;
	conn_accept(&d->server->clients, fd, d->read_only);
}

static void
on_door_error(struct evconnlistener *listener, void *arg)
{
	struct timeval pause = {.tv_usec = PAUSE_MS * 1000};
	struct door *d = arg;

	(void)evconnlistener_disable(listener);
	(void)event_add(d->resume, &pause);
}

/* The kernel may have no room for one more in the epoll set: later, then. */
static void
door_listen(struct door *d)
{
	if (evconnlistener_enable(d->listener) < 0)
		on_door_error(d->listener, d);
}

static void
on_door_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	door_listen(arg);
}

static void
door_close(struct door *d)
{
	if (d->resume != NULL)
		event_free(d->resume);
	if (d->listener != NULL)
		evconnlistener_free(d->listener);
	listen_close(&d->server->place, &d->socket);
}

static int
door_serve(struct door *d, struct event_base *base)
{
	d->resume = evtimer_new(base, on_door_resume, d);
	/* Backlog 0: it listens already. The descriptor stays listen_close's. */
	d->listener = evconnlistener_new(base, on_door_client, d,
		LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED, 0, d->socket.fd);
	if (d->resume == NULL || d->listener == NULL)
		return -ENOMEM;
	evconnlistener_set_error_cb(d->listener, on_door_error);
	door_listen(d);
	return 0;
}

/* What a socket belongs to that is given to no other group. */
static const char *
own_group(void)
{
	const struct group *g = getgrgid(getegid());

	return g != NULL ? g->gr_name : "of qmpind";
}

/* The group's number, or ours with a note. */
static gid_t
find_group(const char *name, struct err *note)
{
	const struct group *g = name != NULL && *name != '\0' ? getgrnam(name) : NULL;

	if (g != NULL)
		return g->gr_gid;
	if (name != NULL && *name != '\0')
		(void)err_set(note, 0, NULL, 0,
			"no group %s: %s stays with group %s (addgroup --system %s)",
			name, CTL_SOCKET_RO, own_group(), name);
	return (gid_t)-1;
}

/* Without the group's right to it the read-only socket is still of use to us. */
static int
open_read_only(struct ctl_server *s, const char *group, struct err *note, struct err *e)
{
	struct listen_socket *socket = &s->doors[1].socket;
	gid_t gid = find_group(group, note);
	struct err why = ERR_NONE;
	int r;

	r = listen_open(&s->place, CTL_SOCKET_RO, 0660, gid, socket, &why);
	if (r == -EPERM && gid != (gid_t)-1) {
		(void)err_set(note, 0, NULL, 0,
			"may not give %s to group %s: it stays with group %s "
			"(qmpind.service needs SupplementaryGroups=%s)",
			CTL_SOCKET_RO, group, own_group(), group);
		return listen_open(
			&s->place, CTL_SOCKET_RO, 0660, (gid_t)-1, socket, e);
	}
	if (r < 0)
		return err_set(e, r, why.source, why.line, "%s", why.text);
	return 0;
}

static int
open_sockets(struct ctl_server *s, const char *group, struct err *note, struct err *e)
{
	auto_close int lock = listen_lock(&s->place, e);
	int r;

	if (lock < 0)
		return lock;
	r = listen_open(&s->place, CTL_SOCKET, 0600, (gid_t)-1, &s->doors[0].socket, e);
	if (r == 0)
		r = open_read_only(s, group, note, e);
	for (size_t i = 0; i < ARRAY_LEN(s->doors) && r == 0; i++)
		r = door_serve(&s->doors[i], s->clients.base);
	return r;
}

static struct ctl_server *
make(struct event_base *base, const struct ctl_server_options *o, void *owner)
{
	struct ctl_server *s = xcalloc(1, sizeof(*s));

	s->dir = xstrdup(o->run_dir);
	s->version = xstrdup(o->version);
	s->place = (struct listen_place){o->run_dirfd, s->dir};
	s->service = (struct service){s->version, o->methods, o->n_methods, owner};
	TAILQ_INIT(&s->clients.conns);
	s->clients.base = base;
	s->clients.limits = o->limits != NULL ? *o->limits : default_limits;
	s->clients.on_request = on_request;
	s->clients.owner = s;
	for (size_t i = 0; i < ARRAY_LEN(s->doors); i++) {
		s->doors[i].server = s;
		s->doors[i].socket.fd = -1;
		s->doors[i].read_only = i == 1;
	}
	return s;
}

int
ctl_server_new(struct event_base *base, const struct ctl_server_options *o, void *owner,
	struct ctl_server **out, struct err *e)
{
	struct err note = ERR_NONE;
	struct ctl_server *s;
	int r;

	for (size_t i = 0; i < o->n_methods; i++)
		assert(idl_has(
			ctl_interface_text(), IDL_METHOD_IN, o->methods[i].name));
	(void)signal(SIGPIPE, SIG_IGN);
	s = make(base, o, owner);
	r = open_sockets(s, o->group, &note, e);
	if (r < 0) {
		ctl_server_free(s);
		return err_set(e, r, o->run_dir, 0, "cannot serve: %s", strerror(-r));
	}
	if (err_is_set(&note))
		(void)err_set(e, 0, NULL, 0, "%s", note.text);
	*out = s;
	return 0;
}

void
ctl_server_free(struct ctl_server *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(s->doors); i++)
		door_close(&s->doors[i]);
	conn_set_fini(&s->clients);
	free(s->version);
	free(s->dir);
	free(s);
}

// SPDX-License-Identifier: MIT
/*
 * Clients of the control server that say anything, in pieces, read when they like and
 * leave when they like, while calls are answered in any order. The input is a list of
 * steps: a byte (what and which client), a length, that many bytes. Whatever comes back
 * is whole, nothing is changed by who may not, and little waits for who does not read.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "ctl/call.h"
#include "ctl/conn.h"
#include "ctl/service.h"

#define CLIENTS 4u
#define HELD_MAX 64u
#define ANSWER_BYTES 3000u
/* What may wait while a request is taken (conn.c). */
#define BACKLOG_MAX (32u * 1024u)

#define SET_MODE                                                         \
	"{\"method\":\"io.qmpin.SetMode\",\"parameters\":{\"id\":\"1\"," \
	"\"mode\":\"off\"}}"

struct client {
	int fd; /* -1: nobody */
	struct varlink_framer heard;
};

struct world {
	struct event_base *base;
	struct conn_set set;
	struct service service;
	struct client clients[CLIENTS];
	struct ctl_call *held[HELD_MAX]; /* to be answered later */
	size_t n_held;
};

static json_t *
make_answer(void)
{
	char text[ANSWER_BYTES + 1] = "";

	memset(text, 'x', ANSWER_BYTES);
	return json_pack("{s:s}", "text", text);
}

static void
answer_now(void *owner, struct ctl_call *call, const json_t *params)
{
	(void)owner;
	assert(json_is_object(params));
	ctl_reply(call, make_answer(), false);
}

static void
answer_later(void *owner, struct ctl_call *call, const json_t *params)
{
	struct world *w = owner;

	assert(json_is_object(params));
	if (w->n_held == HELD_MAX)
		ctl_invalid(call, "id");
	else
		w->held[w->n_held++] = call;
}

static void
change(void *owner, struct ctl_call *call, const json_t *params)
{
	(void)owner;
	(void)params;
	assert(call_may_change(call));
	ctl_reply(call, json_object(), false);
}

static const struct ctl_method methods[] = {
	{"GetStatus", false, answer_now},
	{"Monitor", false, answer_later},
	{"SetMode", true, change},
};

static void
on_request(void *owner, struct ctl_call *call, const struct varlink_request *request)
{
	struct world *w = owner;

	assert(ctl_call_unread(call) <= BACKLOG_MAX);
	service_dispatch(&w->service, call, request);
}

static void
set_up(struct world *w)
{
	(void)signal(SIGPIPE, SIG_IGN); /* as ctl_server_new has it */
	w->base = event_base_new();
	assert(w->base != NULL);
	w->service =
		(struct service){"1", methods, sizeof(methods) / sizeof(methods[0]), w};
	w->set = (struct conn_set){.base = w->base,
		.limits = {.clients = 2 * CLIENTS,
			.idle_ms = 1000000,
			.half_ms = 1000000,
			.stall_ms = 1000000,
			.client_bytes = 1u << 20,
			.total_bytes = 2u << 20},
		.on_request = on_request,
		.owner = w};
	TAILQ_INIT(&w->set.conns);
	for (size_t i = 0; i < CLIENTS; i++)
		w->clients[i].fd = -1;
}

/* Answer one that waits: 0 an error, 1 an end, else one of more where they are wanted.
 */
static void
answer(struct world *w, unsigned int how)
{
	struct ctl_call *call = w->held[0];

	if (how > 1 && ctl_call_more(call)) {
		ctl_reply(call, make_answer(), true);
		return;
	}
	memmove(w->held, w->held + 1, --w->n_held * sizeof(w->held[0]));
	if (how == 0)
		ctl_error(call, "Failed", json_pack("{s:s}", "why", "so"));
	else
		ctl_reply(call, make_answer(), false);
}

/* Everything that happens by itself. */
static void
settle(struct world *w)
{
	struct conn *c;

	for (unsigned int i = 0; i < 4; i++)
		(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
	assert(w->set.n_read_only <= w->set.n && w->set.n <= w->set.limits.clients);
	TAILQ_FOREACH(c, &w->set.conns, link)
	assert(conn_backlog(c) <= w->set.limits.client_bytes);
}

static void
leave(struct client *c)
{
	if (c->fd < 0)
		return;
	(void)close(c->fd);
	c->fd = -1;
	varlink_framer_fini(&c->heard);
}

static void
join(struct world *w, struct client *c, bool read_only)
{
	int fds[2];
	int r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);

	leave(c);
	assert(r == 0);
	c->fd = fds[0];
	varlink_framer_init(&c->heard, 1u << 20);
	conn_accept(&w->set, fds[1], read_only);
}

/* Pieces are what the server reads at a time. */
static void
say(struct world *w, const struct client *c, const char *bytes, size_t len,
	size_t piece)
{
	while (c->fd >= 0 && len > 0) {
		size_t part = len < piece ? len : piece;
		ssize_t n = send(c->fd, bytes, part, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		bytes += n;
		len -= (size_t)n;
		(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
	}
}

static void
hear(struct client *c, size_t most)
{
	auto_free char *chunk = xcalloc(most + 1, 1);
	ssize_t n = c->fd >= 0 ? recv(c->fd, chunk, most, 0) : 0;
	const char *text;
	size_t len;

	if (n <= 0)
		return;
	varlink_framer_add(&c->heard, chunk, (size_t)n);
	while (varlink_framer_next(&c->heard, &text, &len) == 1) {
		struct varlink_reply reply;
		int r = varlink_reply_decode(text, len, &reply, NULL);

		assert(r == 0);
		varlink_reply_fini(&reply);
	}
}

static void
ask(struct world *w, const struct client *c, unsigned int which)
{
	static const char *const requests[] = {
		"{\"method\":\"io.qmpin.GetStatus\"}",
		"{\"method\":\"io.qmpin.Monitor\",\"more\":true}",
		"{\"method\":\"io.qmpin.Monitor\",\"parameters\":{\"id\":\"1\"}}",
		SET_MODE,
		"{\"method\":\"io.qmpin.GetStatus\",\"oneway\":true}",
		"{\"method\":\"org.varlink.service.GetInfo\"}",
	};
	const char *text = requests[which % (sizeof(requests) / sizeof(requests[0]))];

	say(w, c, text, strlen(text) + 1, 64);
}

static void
step(struct world *w, uint8_t op, const uint8_t *bytes, size_t len)
{
	struct client *c = &w->clients[op >> 3 & 3];
	auto_free char *text = xmemdupz((const char *)bytes, len);

	switch (op & 7) {
	case 0:
		join(w, c, (op & 0x20) != 0);
		break;
	case 1:
		say(w, c, text, len, (op >> 5) + 1u);
		break;
	case 2: /* with its end */
		say(w, c, text, len + 1, len + 1);
		break;
	case 3:
		leave(c);
		break;
	case 4:
		if (c->fd >= 0)
			(void)shutdown(c->fd, SHUT_WR);
		break;
	case 5:
		for (size_t i = 0; i < len && w->n_held > 0; i++)
			answer(w, bytes[i] % 8);
		break;
	case 6:
		hear(c, len * 1024 + 1);
		break;
	default:
		for (size_t i = 0; i < len; i++)
			ask(w, c, bytes[i]);
	}
	settle(w);
}

static void
tear_down(struct world *w)
{
	for (size_t i = 0; i < CLIENTS; i++) {
		for (unsigned int k = 0; k < 8; k++)
			hear(&w->clients[i], 1u << 20);
		leave(&w->clients[i]);
	}
	while (w->n_held > 0)
		answer(w, 1);
	settle(w);
	assert(w->set.n == 0);
	conn_set_fini(&w->set);
	event_base_free(w->base);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = xcalloc(1, sizeof(*w));

	set_up(w);
	while (size >= 2) {
		size_t len = data[1] < size - 2 ? data[1] : size - 2;

		step(w, data[0], data + 2, len);
		data += 2 + len;
		size -= 2 + len;
	}
	tear_down(w);
	free(w);
	return 0;
}

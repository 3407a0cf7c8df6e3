// SPDX-License-Identifier: MIT
/*
 * Clients, QEMU and the clock in any order into a mux. The input is a list of steps: a
 * byte (what and for which client), a length, that many bytes. QEMU is played here too,
 * as well as any bytes may come from it. Never may a client see a reply or QEMU a
 * descriptor of somebody else, half an object, or memory grow.
 */
#include "config.h"

#include "fuzz.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "qmp/caller.h"
#include "qmp/mux.h"

#define CLIENTS 4
#define FDS_MAX 4096
#define FD_BASE 1000
/* No object a client is told is longer than its bound and a read. */
#define UNREAD_MAX (CALLER_UNREAD_MAX + (96u << 10))

struct peer {
	struct caller *caller; /* NULL: nobody */
	unsigned int serial;
	unsigned int depth; /* of what it has heard */
	bool quoted;
	bool escaped;
	char last;
	struct strbuf object; /* what it has heard of the last one; cut when long */
};

struct world {
	struct mux *mux;
	struct peer peers[CLIENTS];
	unsigned int serials;
	uint64_t now_us;
	uint32_t secret; /* of the input, so that no input can hold it */
	bool up;
	bool ended;
	unsigned int asker;	      /* serial of whom the last turn was given to */
	struct strbuf command;	      /* what QEMU has heard and not answered */
	unsigned int owners[FDS_MAX]; /* serial of whom it came from; 0: gone */
	unsigned int n_fds;
};

static void
require(bool fact, const char *what)
{
	if (fact)
		return;
	(void)fprintf(stderr, "not so: %s\n", what);
	abort();
}

static unsigned int
owner_of(const struct world *w, int fd)
{
	require(fd >= FD_BASE && fd < FD_BASE + (int)w->n_fds, "a descriptor is ours");
	return w->owners[fd - FD_BASE];
}

static void
close_discards(struct world *w)
{
	int fd;

	while ((fd = mux_next_discard(w->mux)) >= 0) {
		require(owner_of(w, fd) != 0, "a descriptor is closed once");
		w->owners[fd - FD_BASE] = 0;
	}
}

/* A reply of the QEMU played here names whom it is for. */
static void
check_object(struct world *w, struct peer *p)
{
	char mark[32];
	const char *found;

	(void)snprintf(mark, sizeof(mark), "for-%08" PRIx32 "-", w->secret);
	found = strstr(strbuf_text(&p->object), mark);
	require(found == NULL || strtoul(found + strlen(mark), NULL, 10) == p->serial,
		"a reply goes to its asker");
	strbuf_fini(&p->object);
}

static void
hear_byte(struct world *w, struct peer *p, char c)
{
	if (p->depth == 0) {
		require((c == '{' && (p->last == '\0' || p->last == '\n')) ||
				(c == '\r' && p->last == '}') ||
				(c == '\n' && p->last == '\r'),
			"objects and line ends come in turn");
	} else {
		require((unsigned char)c >= 0x20, "an object is one line");
	}
	if (p->object.len < 4096)
		strbuf_add(&p->object, &c, 1);
	if (p->escaped)
		p->escaped = false;
	else if (p->quoted && c == '\\')
		p->escaped = true;
	else if (c == '"')
		p->quoted = !p->quoted;
	else if (!p->quoted && (c == '{' || c == '['))
		p->depth++;
	else if (!p->quoted && (c == '}' || c == ']'))
		p->depth--;
	p->last = c;
	if (c == '\n')
		check_object(w, p);
}

static void
leave(struct world *w, struct peer *p)
{
	mux_leave(w->mux, p->caller);
	strbuf_fini(&p->object);
	*p = (struct peer){0};
	close_discards(w);
}

static void
join(struct world *w, struct peer *p)
{
	if (p->caller != NULL || !mux_is_open(w->mux))
		return;
	p->serial = ++w->serials;
	p->caller = mux_join(w->mux, p->serial % 5 == 0, p);
}

static void
take_all(struct world *w, struct peer *p, size_t most)
{
	struct frame_span out;

	if (p->caller == NULL)
		return;
	out = mux_client_output(p->caller);
	out.len = out.len < most ? out.len : most;
	for (size_t i = 0; i < out.len; i++)
		hear_byte(w, p, out.bytes[i]);
	mux_client_sent(p->caller, out.len);
}

/* What is sent to QEMU is one command, with an id of ours. */
static void
check_command(const struct strbuf *command)
{
	struct frame_span in = {command->s, command->len};
	struct request r = {.given = true};
	char id[64] = "";

	require(request_feed(&r, &in) == REQUEST_COMMAND, "QEMU is sent commands");
	require(in.len == 0, "and one at a time");
	require(r.id.len < sizeof(id), "with an id");
	memcpy(id, r.id.bytes, r.id.len);
	require(str_has_prefix(id, "\"qmpin-proxy:"), "of ours");
	request_fini(&r);
}

static void
hear_upstream(struct world *w)
{
	struct frame_span out;
	int fd;

	while ((out = mux_upstream_output(w->mux, &fd)).len > 0) {
		if (fd >= 0)
			require(owner_of(w, fd) == w->asker,
				"a descriptor is that of the asker");
		out.len = out.len > 5 ? out.len / 2 : out.len;
		strbuf_add(&w->command, out.bytes, out.len);
		mux_upstream_sent(w->mux, out.len);
		close_discards(w);
	}
}

static void
obey(struct world *w, enum mux_tell tell, const struct mux_told *told)
{
	struct peer *p = told->owner;

	switch (tell) {
	case MUX_TURN:
		w->asker = p->serial;
		mux_dispatch(w->mux, told->client);
		close_discards(w);
		break;
	case MUX_DROPPED:
	case MUX_LEFT:
		leave(w, p);
		break;
	case MUX_UP:
		require(!w->up, "it comes up once");
		w->up = true;
		break;
	case MUX_ENDED:
		require(!w->ended, "it ends once");
		w->ended = true;
		break;
	case MUX_CHANGED:
	case MUX_NOTHING:
		break;
	}
}

static void
settle(struct world *w)
{
	enum mux_tell tell;
	struct mux_told told;
	unsigned int most = 100000;

	while ((tell = mux_settle(w->mux, w->now_us, &told)) != MUX_NOTHING) {
		obey(w, tell, &told);
		require(most-- > 0, "it settles");
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		if (w->peers[i].caller != NULL)
			require(mux_client_output(w->peers[i].caller).len <=
						UNREAD_MAX ||
					w->peers[i].caller->own,
				"what waits for a client is bounded");
	}
}

static void
feed_upstream(struct world *w, const char *bytes, size_t len)
{
	if (mux_upstream_wants(w->mux))
		mux_upstream_feed(w->mux, (struct frame_span){bytes, len});
}

/* Answer the command as QEMU would, with @filler bytes more. */
static void
reply(struct world *w, const char *kind, size_t filler)
{
	struct strbuf text = {0};
	const char *id;

	hear_upstream(w);
	if (w->command.len == 0)
		return;
	check_command(&w->command);
	id = strstr(w->command.s, "\"qmpin-proxy:");
	require(id != NULL, "an id of ours is in it");
	strbuf_addf(&text, "{\"%s\": {\"to\": \"for-%08" PRIx32 "-%u", kind, w->secret,
		w->asker);
	for (size_t i = 0; i < filler; i++)
		strbuf_adds(&text, "x");
	strbuf_addf(&text, "\"}, \"id\": %.*s}\r\n", (int)strcspn(id, "},"), id);
	feed_upstream(w, text.s, text.len);
	strbuf_fini(&w->command);
	strbuf_fini(&text);
}

static void
play_qemu(struct world *w, const uint8_t *bytes, size_t len)
{
	static const char greeting[] = "{\"QMP\": {\"version\": {}, \"capabilities\": "
				       "[\"oob\"]}}\r\n";
	static const char event[] = "{\"timestamp\": {\"seconds\": 1}, \"event\": "
				    "\"STOP\"}\r\n";
	unsigned int what = len > 0 ? bytes[0] : 0;

	if (what % 4 == 0)
		feed_upstream(w, greeting, sizeof(greeting) - 1);
	else if (what % 4 == 1)
		reply(w, "return", len > 1 ? bytes[1] * 256u : 0);
	else if (what % 4 == 2)
		reply(w, "error", len > 1 ? bytes[1] : 0);
	else
		for (size_t i = 0; i < (len > 1 ? bytes[1] * 8u : 1); i++)
			feed_upstream(w, event, sizeof(event) - 1);
}

static void
feed_client(struct world *w, struct peer *p, const char *bytes, size_t len, bool pass)
{
	int fd = FD_BASE + (int)w->n_fds;

	if (p->caller == NULL || len == 0 || !mux_client_wants(w->mux, p->caller))
		return;
	pass = pass && w->n_fds < FDS_MAX;
	if (pass)
		w->owners[w->n_fds++] = p->serial;
	mux_client_feed(w->mux, p->caller, (struct frame_span){bytes, len}, &fd, pass);
	close_discards(w);
}

static void
step(struct world *w, uint8_t op, const uint8_t *bytes, size_t len)
{
	auto_free char *copy = xmemdupz((const char *)bytes, len);
	struct peer *p = &w->peers[op >> 3 & 3];

	switch (op & 7) {
	case 0:
		join(w, p);
		break;
	case 1:
	case 2:
		feed_client(w, p, copy, len, (op & 7) == 2);
		break;
	case 3:
		if (p->caller != NULL && (op & 0x80) == 0)
			leave(w, p);
		else if (p->caller != NULL)
			mux_client_eof(p->caller);
		break;
	case 4:
		take_all(w, p, len > 0 ? bytes[0] * 64u : SIZE_MAX);
		break;
	case 5:
		feed_upstream(w, copy, len);
		break;
	case 6:
		play_qemu(w, bytes, len);
		break;
	default:
		w->now_us += len * 20000;
		if (op == 0xff)
			mux_finish(w->mux, w->now_us);
		else if (op == 0xf7)
			mux_upstream_end(w->mux, 0);
	}
	settle(w);
}

static void
finish(struct world *w)
{
	mux_finish(w->mux, w->now_us);
	settle(w);
	for (size_t i = 0; i < CLIENTS; i++)
		take_all(w, &w->peers[i], SIZE_MAX);
	w->now_us += MUX_LINGER_US + 1;
	settle(w);
	if (!w->ended) { /* QEMU owes an answer */
		require(mux_is_busy(w->mux), "it ends in time");
		mux_upstream_end(w->mux, 0);
		settle(w);
	}
	require(w->ended, "it ends with QEMU");
	mux_abandon(w->mux);
	close_discards(w);
	for (unsigned int i = 0; i < w->n_fds; i++)
		require(w->owners[i] == 0, "all descriptors are closed");
	for (size_t i = 0; i < CLIENTS; i++)
		strbuf_fini(&w->peers[i].object);
	strbuf_fini(&w->command);
	mux_free(w->mux);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mux_options options = {
		.session_us = 1000000, .slow_us = 1000000};
	struct world *w = xcalloc(1, sizeof(*w));

	w->secret = 2166136261u;
	for (size_t i = 0; i < size; i++)
		w->secret = (w->secret ^ data[i]) * 16777619u;
	w->mux = mux_new(&options, 0);
	while (size >= 2) {
		size_t len = data[1] < size - 2 ? data[1] : size - 2;

		step(w, data[0], data + 2, len);
		data += 2 + len;
		size -= 2 + len;
	}
	finish(w);
	free(w);
	return 0;
}

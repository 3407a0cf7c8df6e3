// SPDX-License-Identifier: MIT
/*
 * The session with QEMU (greeting, capabilities, then commands one at a time) and the
 * clients in turn. A client that leaves takes only what was not sent with it: a command
 * on its way is answered, and the answer is swallowed. Pure.
 */
#include "config.h"

#include "qmp/mux.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "qmp/answer.h"
#include "qmp/caller.h"
#include "qmp/callers.h"
#include "qmp/reply.h"

#define CAPABILITIES_ID "\"qmpin-proxy:0\""

enum mux_state {
	MUX_GREETING,	  /* the greeting is awaited */
	MUX_CAPABILITIES, /* the reply to qmp_capabilities is awaited */
	MUX_OPEN,
	MUX_CLOSING, /* QEMU is gone, or its session is useless */
	MUX_OVER,    /* and that was told */
};

struct mux {
	enum mux_state state;
	uint64_t slow_us;
	uint64_t session_deadline_us;
	bool tell_up;
	bool tell_changed;

	struct callers clients;
	struct caller_discards discards;

	struct strbuf out; /* to QEMU */
	int out_fd;	   /* with its first byte; -1: none */
	bool out_begun;	   /* some of it was sent */

	/* the command under way */
	bool asking;
	bool may_change;
	struct caller *asker; /* NULL: gone, or nothing is under way */
	uint64_t last_id;
	struct strbuf asker_id; /* what the asker's reply carries; empty: none */

	struct reply reply;	/* being received */
	struct strbuf scratch;	/* an event or the greeting, being received */
	struct strbuf greeting; /* as clients see it */
	bool released;		/* the reply is too long to be held back */
	bool paused;		/* QEMU is not read: the asker is full */
	uint64_t slow_deadline_us;

	bool finishing;
	uint64_t linger_us; /* limit of CLOSING and of finishing; 0: not set yet */
	int end_err;
	struct err why;
};

static void
set_state(struct mux *m, enum mux_state state)
{
	static const unsigned int legal[] = {
		[MUX_GREETING] = 1u << MUX_CAPABILITIES | 1u << MUX_CLOSING,
		[MUX_CAPABILITIES] = 1u << MUX_OPEN | 1u << MUX_CLOSING,
		[MUX_OPEN] = 1u << MUX_CLOSING,
		[MUX_CLOSING] = 1u << MUX_OVER,
		[MUX_OVER] = 0,
	};

	assert((legal[m->state] & 1u << state) != 0);
	m->state = state;
}

/* QEMU's session is over: nothing more is asked, what is whole is still delivered. */
static void
close_down(struct mux *m, int err)
{
	if (m->state >= MUX_CLOSING)
		return;
	set_state(m, MUX_CLOSING);
	m->end_err = err;
	if (m->asker != NULL) {
		caller_forget_held(m->asker);
		caller_answered(m->asker);
	}
	m->asker = NULL;
	m->asking = false;
	m->paused = false;
}

static void
break_down(struct mux *m, const char *why)
{
	(void)err_set(&m->why, -EPROTO, NULL, 0, "%s", why);
	close_down(m, -EPROTO);
}

struct mux *
mux_new(const struct mux_options *options, uint64_t now_us)
{
	struct mux *m = xcalloc(1, sizeof(*m));

	m->slow_us = options->slow_us;
	m->session_deadline_us = now_us + options->session_us;
	m->out_fd = -1;
	return m;
}

static void
discard_out_fd(struct mux *m)
{
	if (m->out_fd >= 0)
		caller_discard(&m->discards, m->out_fd);
	m->out_fd = -1;
}

void
mux_abandon(struct mux *m)
{
	while (m->clients.n > 0)
		mux_leave(m, m->clients.all[0]);
	discard_out_fd(m);
}

int
mux_next_discard(struct mux *m)
{
	return m->discards.n > 0 ? m->discards.fds[--m->discards.n] : -1;
}

void
mux_free(struct mux *m)
{
	if (m == NULL)
		return;
	assert(m->clients.n == 0 && m->discards.n == 0 && m->out_fd < 0);
	callers_fini(&m->clients);
	free(m->discards.fds);
	strbuf_fini(&m->out);
	strbuf_fini(&m->asker_id);
	strbuf_fini(&m->scratch);
	strbuf_fini(&m->greeting);
	free(m);
}

bool
mux_is_open(const struct mux *m)
{
	return m->state == MUX_OPEN && !m->finishing;
}

struct caller *
mux_join(struct mux *m, bool own, void *owner)
{
	struct caller *c;

	assert(mux_is_open(m));
	c = callers_add(&m->clients, own, owner);
	strbuf_add(&c->out, m->greeting.s, m->greeting.len);
	return c;
}

/* Its command is not wanted any more: if QEMU has seen nothing of it, it never will. */
static void
abandon_command(struct mux *m)
{
	m->asker = NULL;
	if (m->out_begun)
		return;
	discard_out_fd(m);
	strbuf_fini(&m->out);
	m->asking = false;
}

void
mux_leave(struct mux *m, struct caller *c)
{
	if (m->asker == c)
		abandon_command(m);
	callers_remove(&m->clients, c, &m->discards);
}

void
mux_client_feed(struct mux *m, struct caller *c, struct frame_span bytes,
	const int *fds, size_t n_fds)
{
	caller_feed(c, bytes, fds, n_fds, &m->discards);
}

void
mux_client_eof(struct caller *c)
{
	c->eof = true;
}

bool
mux_client_wants(const struct mux *m, const struct caller *c)
{
	return m->state == MUX_OPEN && caller_wants_input(c);
}

struct frame_span
mux_client_output(const struct caller *c)
{
	return (struct frame_span){strbuf_text(&c->out), c->out.len - c->held};
}

void
mux_client_sent(struct caller *c, size_t n)
{
	strbuf_drop(&c->out, n);
	if (c->out.len == 0)
		strbuf_fini(&c->out);
}

void
mux_client_drop(struct caller *c, int err, const char *why)
{
	caller_drop(c, err, why);
}

struct frame_span
mux_upstream_output(const struct mux *m, int *fd)
{
	*fd = m->out_fd;
	return (struct frame_span){strbuf_text(&m->out), m->out.len};
}

void
mux_upstream_sent(struct mux *m, size_t n)
{
	if (n == 0)
		return;
	m->out_begun = true;
	discard_out_fd(m);
	strbuf_drop(&m->out, n);
	if (m->out.len == 0)
		strbuf_fini(&m->out);
}

bool
mux_upstream_wants(const struct mux *m)
{
	return !m->paused && m->state < MUX_CLOSING;
}

void
mux_upstream_end(struct mux *m, int err)
{
	const char *awaited = "";

	if (m->state == MUX_GREETING)
		awaited = " (greeting awaited)";
	else if (m->state == MUX_CAPABILITIES)
		awaited = " (the answer to qmp_capabilities awaited)";
	if (m->state < MUX_CLOSING)
		(void)err_set(&m->why, err, NULL, 0, "%s%s",
			err < 0 ? strerror(-err) : "closed by the peer", awaited);
	close_down(m, err < 0 ? err : -ECONNRESET);
}

void
mux_dispatch(struct mux *m, struct caller *c)
{
	char id[48];

	assert(m->state == MUX_OPEN && !m->asking && m->out.len == 0 && c->waiting);
	m->last_id++;
	(void)snprintf(id, sizeof(id), "\"qmpin-proxy:%" PRIu64 "\"", m->last_id);
	m->may_change = request_may_change(&c->request) && !c->own;
	strbuf_fini(&m->asker_id);
	m->out_fd = caller_take(c, id, &m->out, &m->asker_id, &m->discards);
	m->out_begun = false;
	m->asking = true;
	m->asker = c;
}

/* Where the object that is being received goes. */
static struct strbuf *
destination(struct mux *m)
{
	switch (m->reply.kind) {
	case REPLY_GREETING:
		return &m->scratch;
	case REPLY_EVENT:
		return m->state == MUX_OPEN ? &m->scratch : NULL;
	case REPLY_RETURN:
	case REPLY_ERROR:
		return m->asker != NULL ? &m->asker->out : NULL;
	case REPLY_UNKNOWN:
		break;
	}
	return NULL;
}

static void
on_greeting(struct mux *m)
{
	answer_greeting(
		(struct frame_span){m->scratch.s, m->scratch.len}, &m->greeting);
	strbuf_adds(&m->out,
		"{\"execute\":\"qmp_capabilities\",\"id\":" CAPABILITIES_ID "}");
	set_state(m, MUX_CAPABILITIES);
}

static void
on_capabilities_reply(struct mux *m)
{
	if (strcmp(m->reply.id, CAPABILITIES_ID) != 0)
		return;
	if (m->reply.kind == REPLY_ERROR) {
		break_down(m, "qmp_capabilities was refused");
		return;
	}
	set_state(m, MUX_OPEN);
	m->tell_up = true;
}

/* An error without an id is about what could not be read at all: that was the command
 * under way, since there is no other. */
static bool
is_answer(const struct mux *m)
{
	char id[48];

	if (!m->asking)
		return false;
	(void)snprintf(id, sizeof(id), "\"qmpin-proxy:%" PRIu64 "\"", m->last_id);
	return m->reply.has_id ? strcmp(m->reply.id, id) == 0
			       : m->reply.kind == REPLY_ERROR;
}

static void
on_reply(struct mux *m)
{
	if (is_answer(m)) {
		if (m->asker != NULL)
			caller_answered(m->asker);
		m->tell_changed |= m->may_change;
		m->asker = NULL;
		m->asking = false;
	} else if (m->asker != NULL && m->released) {
		break_down(m, "not QMP: a reply to a command that was not sent");
	} else if (m->asker != NULL) {
		caller_forget_held(m->asker);
	}
}

static void
on_object(struct mux *m)
{
	switch (m->reply.kind) {
	case REPLY_GREETING:
		on_greeting(m);
		break;
	case REPLY_EVENT:
		callers_tell_event(
			&m->clients, (struct frame_span){m->scratch.s, m->scratch.len});
		break;
	case REPLY_RETURN:
	case REPLY_ERROR:
		if (m->state == MUX_CAPABILITIES)
			on_capabilities_reply(m);
		else if (m->state == MUX_OPEN)
			on_reply(m);
		break;
	case REPLY_UNKNOWN:
		break;
	}
	strbuf_fini(&m->scratch);
}

/* Look after what was put where. */
static void
watch_destination(struct mux *m, const struct strbuf *to, size_t before)
{
	if (m->scratch.len > MUX_SCRATCH_MAX)
		break_down(m, "not QMP: an event or a greeting that does not end");
	if (to == NULL || m->asker == NULL || to != &m->asker->out || m->released)
		return;
	caller_hold(m->asker, before);
	if (m->asker->held > CALLER_HELD_MAX) {
		caller_release(m->asker);
		m->released = true;
	}
}

static void
on_step(struct mux *m, enum reply_step step)
{
	if (step == REPLY_ENDS)
		on_object(m);
	else if (step == REPLY_BROKEN)
		close_down(m, -EPROTO);
	if (step != REPLY_BEGINS)
		return;
	m->released = false;
	if (m->reply.kind == REPLY_GREETING && m->state != MUX_GREETING)
		break_down(m, "greeted twice");
}

void
mux_upstream_feed(struct mux *m, struct frame_span bytes)
{
	while (bytes.len > 0 && m->state < MUX_CLOSING) {
		const char *id = m->asker_id.len > 0 ? m->asker_id.s : NULL;
		struct strbuf *to = destination(m);
		size_t before = to != NULL ? to->len : 0;
		enum reply_step step = reply_feed(&m->reply, &bytes, id, to, &m->why);

		watch_destination(m, to, before);
		if (m->state < MUX_CLOSING)
			on_step(m, step);
	}
}

void
mux_finish(struct mux *m, uint64_t now_us)
{
	if (m->finishing || m->state >= MUX_CLOSING)
		return;
	m->finishing = true;
	m->linger_us = now_us + MUX_LINGER_US;
	if (m->state != MUX_OPEN) {
		(void)err_set(&m->why, 0, NULL, 0, "let go");
		close_down(m, 0);
	}
}

bool
mux_is_busy(const struct mux *m)
{
	if (m->asking || m->state != MUX_OPEN)
		return m->asking;
	return callers_are_waiting(&m->clients) ||
	       (m->finishing && callers_are_there(&m->clients));
}

/* Nobody has anything to come. */
static bool
is_quiet(const struct mux *m)
{
	if (m->asking || !callers_have_taken_all(&m->clients))
		return false;
	return m->state != MUX_OPEN || !callers_are_waiting(&m->clients);
}

static void
check_session(struct mux *m, uint64_t now_us)
{
	if (m->state >= MUX_OPEN || now_us < m->session_deadline_us)
		return;
	(void)err_set(&m->why, -ETIMEDOUT, NULL, 0, "does not answer (%s awaited)",
		m->state == MUX_GREETING ? "greeting"
					 : "the answer to qmp_capabilities");
	close_down(m, -ETIMEDOUT);
}

/* Once paused, half of what is ready must be taken before QEMU is read again, and in
 * time: who takes a byte now and then holds up all others too. */
static void
check_asker(struct mux *m, uint64_t now_us)
{
	const struct caller *c = m->asker != NULL ? m->asker : NULL;

	if (m->paused && c != NULL && now_us >= m->slow_deadline_us &&
		c->out.len > CALLER_OUT_MAX / 2)
		caller_drop(m->asker, -ETIMEDOUT,
			"does not take its reply, and others wait");
	if (m->paused)
		m->paused = c != NULL && c->out.len > CALLER_OUT_MAX / 2;
	else if (c != NULL && c->out.len >= CALLER_OUT_MAX) {
		m->paused = true;
		m->slow_deadline_us = now_us + m->slow_us;
	}
}

static void
check_end(struct mux *m, uint64_t now_us)
{
	if (m->state == MUX_CLOSING && m->linger_us == 0)
		m->linger_us = now_us + MUX_LINGER_US;
	if (m->state != MUX_OPEN || !m->finishing)
		return;
	if (m->asking || (now_us < m->linger_us &&
				 (!is_quiet(m) || callers_are_there(&m->clients))))
		return;
	(void)err_set(&m->why, 0, NULL, 0, "let go");
	close_down(m, 0);
}

/* A client that must go, is done, or is next. */
static enum mux_tell
find_client(struct mux *m, struct mux_told *told)
{
	bool may_ask = m->state == MUX_OPEN && !m->asking && m->out.len == 0;
	struct caller *c = callers_departed(&m->clients);
	enum mux_tell tell = MUX_LEFT;

	if (c == NULL && may_ask) {
		c = callers_next(&m->clients);
		tell = MUX_TURN;
	}
	if (c == NULL)
		return MUX_NOTHING;
	told->client = c;
	told->owner = c->owner;
	told->err = c->drop_err;
	told->why = c->why;
	return c->dropped ? MUX_DROPPED : tell;
}

static bool
take_flag(bool *flag)
{
	bool was = *flag;

	*flag = false;
	return was;
}

enum mux_tell
mux_settle(struct mux *m, uint64_t now_us, struct mux_told *told)
{
	enum mux_tell tell;

	if (m->state == MUX_OVER)
		return MUX_NOTHING;
	check_session(m, now_us);
	if (take_flag(&m->tell_up))
		return MUX_UP;
	if (take_flag(&m->tell_changed))
		return MUX_CHANGED;
	if (m->state == MUX_OPEN)
		callers_advance(&m->clients, now_us);
	check_asker(m, now_us);
	tell = find_client(m, told);
	if (tell != MUX_NOTHING)
		return tell;
	check_end(m, now_us);
	if (m->state == MUX_CLOSING && (is_quiet(m) || now_us >= m->linger_us)) {
		set_state(m, MUX_OVER);
		told->err = m->end_err;
		told->why = m->why;
		return MUX_ENDED;
	}
	return MUX_NOTHING;
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t
mux_deadline_us(const struct mux *m)
{
	uint64_t at = MUX_NEVER;

	if (m->state == MUX_OVER)
		return MUX_NEVER;
	if (m->state < MUX_OPEN)
		at = m->session_deadline_us;
	if (m->linger_us > 0 && !m->asking)
		at = earlier(at, m->linger_us);
	if (m->paused)
		at = earlier(at, m->slow_deadline_us);
	if (m->state == MUX_OPEN)
		at = earlier(at, callers_deadline_us(&m->clients));
	return at;
}

// SPDX-License-Identifier: MIT
/*
 * Descriptors are kept as QEMU keeps them: those of the latest message that had some.
 * Unlike QEMU, a command that needs one and has none is not simply tried: QEMU would
 * use a descriptor left over from somebody else's command that failed. Pure.
 */
#include "config.h"

#include "qmp/caller.h"

#include <errno.h>
#include <string.h>

#include "base/xalloc.h"
#include "qmp/answer.h"
#include "qmp/jstring.h"

void
caller_discard(struct caller_discards *d, int fd)
{
	d->fds = xgrow(d->fds, d->n, &d->cap, sizeof(d->fds[0]));
	d->fds[d->n++] = fd;
}

static void
discard_fds(struct caller *c, size_t first, struct caller_discards *d)
{
	for (size_t i = first; i < c->n_fds; i++)
		caller_discard(d, c->fds[i]);
	c->n_fds = 0;
}

void
caller_init(struct caller *c, bool own, void *owner)
{
	*c = (struct caller){.own = own, .owner = owner, .why = ERR_NONE};
}

void
caller_fini(struct caller *c, struct caller_discards *d)
{
	discard_fds(c, 0, d);
	request_fini(&c->request);
	strbuf_fini(&c->in);
	strbuf_fini(&c->out);
}

void
caller_drop(struct caller *c, int err, const char *why)
{
	if (c->dropped)
		return;
	c->dropped = true;
	c->drop_err = err;
	(void)err_set(&c->why, err, NULL, 0, "%s", why);
}

bool
caller_awaits_fd(const struct caller *c)
{
	return c->waiting && c->needs_fd && c->n_fds == 0;
}

/* Nothing but blanks behind the command. */
static bool
is_blank(const struct strbuf *in)
{
	return in->len == 0 || strspn(in->s, " \t\r\n") == in->len;
}

static void
answer(struct caller *c, const char *class, const char *desc)
{
	answer_error(c->request.id, class, desc, &c->out);
}

static void
give_up_fd(struct caller *c)
{
	answer(c, "GenericError", "No file descriptor supplied via SCM_RIGHTS");
	c->waiting = false;
	request_fini(&c->request);
}

void
caller_feed(struct caller *c, struct frame_span bytes, const int *fds, size_t n_fds,
	struct caller_discards *d)
{
	if (c->silenced || c->eof)
		bytes.len = 0;
	strbuf_add(&c->in, bytes.bytes, bytes.len);
	if (n_fds == 0)
		return;
	/* With the next command comes its descriptor, not that of the last one. */
	if (caller_awaits_fd(c) && !is_blank(&c->in))
		give_up_fd(c);
	discard_fds(c, 0, d);
	for (size_t i = 0; i < n_fds; i++) {
		if (c->n_fds < CALLER_FDS_MAX)
			c->fds[c->n_fds++] = fds[i];
		else
			caller_discard(d, fds[i]);
	}
}

static void
on_command(struct caller *c, uint64_t now_us)
{
	const char *name = c->request.name;

	if (strcmp(name, "qmp_capabilities") == 0) {
		c->negotiated |=
			answer_capabilities(&c->request, c->negotiated, &c->out);
		return;
	}
	if (!c->negotiated) {
		answer(c, "CommandNotFound",
			"Expecting capabilities negotiation with 'qmp_capabilities'");
		return;
	}
	c->waiting = true;
	c->needs_fd = strcmp(name, "getfd") == 0 || strcmp(name, "add-fd") == 0;
	c->deadline_us = now_us + CALLER_FD_WAIT_US;
}

static void
on_verdict(struct caller *c, enum request_verdict verdict, uint64_t now_us)
{
	switch (verdict) {
	case REQUEST_NONE:
		return;
	case REQUEST_COMMAND:
		on_command(c, now_us);
		break;
	case REQUEST_TOO_LONG:
		c->silenced = true;
		c->deadline_us = now_us + CALLER_SILENCED_US;
		(void)err_set(&c->why, -E2BIG, NULL, 0,
			"a command of more than %u bytes", REQUEST_BYTES_MAX);
		c->drop_err = -E2BIG;
		answer(c, "GenericError", c->request.desc.s);
		break;
	case REQUEST_REFUSED:
		answer(c, "GenericError", c->request.desc.s);
		break;
	}
	if (!c->waiting)
		request_fini(&c->request);
}

static void
take_requests(struct caller *c, uint64_t now_us)
{
	struct frame_span in = {strbuf_text(&c->in), c->in.len};

	while (in.len > 0 && !c->waiting && !c->asking && !c->silenced &&
		c->out.len < CALLER_OUT_MAX)
		on_verdict(c, request_feed(&c->request, &in), now_us);
	if (c->silenced || in.len == 0)
		strbuf_fini(&c->in);
	else
		strbuf_drop(&c->in, c->in.len - in.len);
}

void
caller_advance(struct caller *c, uint64_t now_us)
{
	take_requests(c, now_us);
	while (caller_awaits_fd(c) &&
		(c->eof || now_us >= c->deadline_us || !is_blank(&c->in))) {
		give_up_fd(c);
		take_requests(c, now_us);
	}
	if (c->silenced && (c->out.len == 0 || now_us >= c->deadline_us))
		c->dropped = true;
}

uint64_t
caller_deadline_us(const struct caller *c)
{
	return c->silenced || caller_awaits_fd(c) ? c->deadline_us : CALLER_NEVER;
}

bool
caller_is_ready(const struct caller *c)
{
	return c->waiting && !c->dropped && !caller_awaits_fd(c) &&
	       c->out.len < CALLER_OUT_MAX;
}

bool
caller_wants_input(const struct caller *c)
{
	return !c->eof && !c->silenced && !c->dropped && c->in.len == 0 &&
	       c->out.len < CALLER_OUT_MAX && (!c->waiting || caller_awaits_fd(c));
}

bool
caller_is_done(const struct caller *c)
{
	return c->eof && !c->waiting && !c->asking && c->in.len == 0 && c->out.len == 0;
}

int
caller_take(struct caller *c, const char *id, struct strbuf *out, struct strbuf *own_id,
	struct caller_discards *d)
{
	int fd = -1;

	request_format(&c->request, id, out);
	jstring_lay_out(c->request.id, own_id);
	if (c->needs_fd && c->n_fds > 0) {
		fd = c->fds[0];
		discard_fds(c, 1, d);
	}
	c->waiting = false;
	c->needs_fd = false;
	c->asking = true;
	request_fini(&c->request);
	return fd;
}

void
caller_tell_event(struct caller *c, struct frame_span event)
{
	size_t most = c->own ? CALLER_OWN_UNREAD_MAX : CALLER_UNREAD_MAX;

	if (!c->negotiated || c->silenced || c->dropped)
		return;
	if (c->out.len + event.len > most)
		caller_drop(c, -ENOBUFS, "does not read its events");
	else
		strbuf_add(&c->out, event.bytes, event.len);
}

void
caller_hold(struct caller *c, size_t before)
{
	c->held += c->out.len - before;
}

void
caller_release(struct caller *c)
{
	c->held = 0;
}

void
caller_forget_held(struct caller *c)
{
	if (c->held == 0)
		return;
	c->out.len -= c->held;
	c->out.s[c->out.len] = '\0';
	c->held = 0;
}

void
caller_answered(struct caller *c)
{
	caller_release(c);
	c->asking = false;
}

// SPDX-License-Identifier: MIT
/*
 * Attempts, phases and back-off; the session itself is a link's. Today there is one way
 * of sharing: connect to the VM's socket and hold the session. Other ways come in here:
 * they differ in how a link comes about and when it is let go, not in what owners see.
 */
#include "config.h"

#include "qmp/monitor.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "qmp/backoff.h"
#include "qmp/dial.h"
#include "qmp/link.h"

struct monitor {
	struct event_base *base;
	struct monitor_handlers handlers;
	void *owner;
	char *path;
	struct link_options link_options;
	unsigned int first_delay_ms;
	unsigned int backoff_min_ms;
	unsigned int backoff_max_ms;

	enum monitor_phase phase;
	struct err why;
	struct event attempt;  /* timer of the next one */
	struct link *link;     /* NULL between attempts */
	unsigned int failures; /* since the last facts */
	bool started;
	bool wanted;	   /* an observation, kept while there is no link */
	unsigned int busy; /* callbacks we are inside of */
	bool doomed;	   /* freed by the owner meanwhile */
};

static const char *const phase_names[] = {
	[MONITOR_IDLE] = "idle",
	[MONITOR_CONNECTING] = "connecting",
	[MONITOR_WATCHING] = "watching",
	[MONITOR_YIELDED] = "yielded",
	[MONITOR_STALLED] = "stalled",
	[MONITOR_REFUSED] = "refused",
};

static void
destroy(struct monitor *m)
{
	(void)event_del(&m->attempt);
	link_free(m->link);
	free(m->path);
	free(m);
}

static void
enter(struct monitor *m)
{
	m->busy++;
}

static void
leave(struct monitor *m)
{
	if (--m->busy == 0 && m->doomed)
		destroy(m);
}

/* The same phase for the same reason is not told again. */
static void
set_phase(struct monitor *m, enum monitor_phase phase, const struct err *why)
{
	static const unsigned int legal[] = {
		[MONITOR_IDLE] = ~(1u << MONITOR_WATCHING),
		[MONITOR_CONNECTING] = ~0u,
		[MONITOR_WATCHING] = ~(1u << MONITOR_CONNECTING),
		[MONITOR_STALLED] = ~(1u << MONITOR_CONNECTING),
		[MONITOR_REFUSED] = ~(1u << MONITOR_CONNECTING),
	};
	const struct err none = ERR_NONE;

	if (why == NULL)
		why = &none;
	if (m->doomed || (m->phase == phase && str_equal(m->why.text, why->text)))
		return;
	assert((legal[m->phase] & 1u << phase) != 0);
	m->phase = phase;
	m->why = *why;
	if (err_is_set(why))
		str_escape(
			m->path, strlen(m->path), m->why.source, sizeof(m->why.source));
	m->handlers.on_phase(m->owner, phase, err_is_set(why) ? &m->why : NULL);
}

static void
schedule(struct monitor *m, uint64_t delay_ms)
{
	struct timeval delay = {
		.tv_sec = (time_t)(delay_ms / 1000),
		.tv_usec = (suseconds_t)(delay_ms % 1000 * 1000),
	};

	(void)event_add(&m->attempt, &delay);
}

static uint32_t
roll_dice(void)
{
	uint32_t n;

	evutil_secure_rng_get_bytes(&n, sizeof(n));
	return n;
}

static void
drop_link(struct monitor *m)
{
	if (m->link == NULL)
		return;
	m->wanted = m->wanted || link_wants(m->link);
	link_free(m->link);
	m->link = NULL;
}

/* Try again later. */
static void
fail(struct monitor *m, enum monitor_phase phase, const struct err *why)
{
	drop_link(m);
	if (m->failures < UINT32_MAX)
		m->failures++;
	schedule(m, backoff_ms(m->failures, m->backoff_min_ms, m->backoff_max_ms,
			    roll_dice()));
	set_phase(m, phase, why);
}

static void
tell_facts(struct monitor *m, const struct qmp_facts *facts)
{
	m->failures = 0;
	m->handlers.on_facts(m->owner, facts);
}

static void
tell_no_facts(struct monitor *m, const struct err *why)
{
	struct err named = *why;

	str_escape(m->path, strlen(m->path), named.source, sizeof(named.source));
	m->handlers.on_no_facts(m->owner, &named);
}

static void
on_link(void *owner, enum session_tell tell, const struct session_told *told)
{
	struct monitor *m = owner;

	enter(m);
	if (tell == SESSION_UP)
		set_phase(m, MONITOR_WATCHING, NULL);
	else if (tell == SESSION_EVENT)
		m->handlers.on_event(m->owner, &told->event);
	else if (tell == SESSION_FACTS)
		tell_facts(m, told->facts);
	else if (tell == SESSION_NO_FACTS)
		tell_no_facts(m, &told->why);
	else if (tell == SESSION_STALLED)
		fail(m, MONITOR_STALLED, &told->why);
	else if (tell == SESSION_BROKEN)
		fail(m, MONITOR_REFUSED, &told->why);
	else if (tell == SESSION_CLOSED)
		fail(m, MONITOR_IDLE, &told->why);
	leave(m);
}

/* The peer is proven before a byte is read. */
static void
open_link(struct monitor *m, int connected, const struct ucred *peer)
{
	auto_close int fd = connected;
	struct err why = ERR_NONE;
	bool accepted = m->handlers.on_peer(m->owner, fd, peer) >= 0;

	if (m->doomed)
		return;
	if (!accepted) {
		(void)err_set(&why, -EPERM, NULL, 0,
			"process %d was refused as its peer", (int)peer->pid);
		fail(m, MONITOR_REFUSED, &why);
		return;
	}
	if (m->phase == MONITOR_IDLE)
		set_phase(m, MONITOR_CONNECTING, NULL);
	if (m->doomed)
		return;
	m->link = link_new(m->base, take_fd(&fd), &m->link_options, on_link, m);
	if (m->wanted)
		link_observe(m->link);
	m->wanted = false;
}

/* The socket's queue is full: others are served first, which is no failure. Behind a
 * hanging QEMU it is: then the queue is full of our own attempts that were given up. */
static void
wait_in_line(struct monitor *m, const struct err *why)
{
	if (m->phase == MONITOR_STALLED || m->phase == MONITOR_REFUSED) {
		fail(m, m->phase, &m->why);
		return;
	}
	schedule(m, backoff_queue_ms(roll_dice()));
	set_phase(m, MONITOR_CONNECTING, why);
}

static void
try_to_connect(struct monitor *m)
{
	struct err why = ERR_NONE;
	struct ucred peer;
	int fd;
	int r;

	r = dial_connect(m->path, &fd, &peer, &why);
	if (r == -EAGAIN)
		wait_in_line(m, &why);
	else if (r < 0)
		fail(m, MONITOR_IDLE, &why);
	else
		open_link(m, fd, &peer);
}

static void
on_attempt(evutil_socket_t fd, short what, void *owner)
{
	struct monitor *m = owner;

	(void)fd;
	(void)what;
	enter(m);
	try_to_connect(m);
	leave(m);
}

static unsigned int
or_default(unsigned int value, unsigned int fallback)
{
	return value > 0 ? value : fallback;
}

struct monitor *
monitor_new(struct event_base *base, const struct monitor_options *options,
	const struct monitor_handlers *handlers, void *owner)
{
	struct monitor *m = xcalloc(1, sizeof(*m));
	int r;

	m->base = base;
	m->handlers = *handlers;
	m->owner = owner;
	m->path = xstrdup(options->path);
	m->link_options.clock = options->commons->clock;
	m->link_options.session_ms = or_default(options->session_ms, 5000);
	m->link_options.query_ms = or_default(options->query_ms, 5000);
	m->first_delay_ms = options->first_delay_ms;
	m->backoff_min_ms = or_default(options->backoff_min_ms, 250);
	m->backoff_max_ms = or_default(options->backoff_max_ms, 30000);
	r = evtimer_assign(&m->attempt, base, on_attempt, m);
	assert(r == 0);
	return m;
}

void
monitor_start(struct monitor *m)
{
	if (m->started)
		return;
	m->started = true;
	schedule(m, m->first_delay_ms);
}

void
monitor_observe(struct monitor *m)
{
	if (m->link != NULL)
		link_observe(m->link);
	else
		m->wanted = true;
}

enum monitor_phase
monitor_phase(const struct monitor *m)
{
	return m->phase;
}

const char *
monitor_phase_name(enum monitor_phase phase)
{
	return phase_names[phase];
}

void
monitor_free(struct monitor *m)
{
	if (m == NULL)
		return;
	if (m->busy > 0)
		m->doomed = true;
	else
		destroy(m);
}

enum share
monitor_share(const struct monitor *m)
{
	(void)m;
	return SHARE_NONE;
}

void
monitor_set_share(struct monitor *m, enum share wish)
{
	(void)m;
	(void)wish;
}

void
monitor_release(struct monitor *m)
{
	(void)m;
}

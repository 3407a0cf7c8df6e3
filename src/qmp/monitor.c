// SPDX-License-Identifier: MIT
/*
 * What owners see of a monitor: phases, the way it is shared, facts; and when the next
 * connection is tried. The sessions themselves are in monitor_visit.c (the VM's socket)
 * and monitor_line.c (the private one).
 */
#include "config.h"

#include "qmp/monitor.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "qmp/backoff.h"
#include "qmp/guard.h"
#include "qmp/monitor_state.h"

/* A visit may be cut short on a host that has no time: a release fails only after so
 * many, about a second. */
#define RELEASE_TRIES 3u

static void
destroy(struct monitor *m)
{
	(void)event_del(&m->attempt);
	monitor_line_drop(m);
	monitor_visit_end(m);
	door_free(m->door);
	free(m->path);
	free(m);
}

void
monitor_enter(struct monitor *m)
{
	m->busy++;
}

void
monitor_leave(struct monitor *m)
{
	if (--m->busy == 0 && m->doomed)
		destroy(m);
}

/* The same phase for the same reason is not told again. */
void
monitor_set_phase(struct monitor *m, enum monitor_phase phase, const struct err *why)
{
	static const unsigned int legal[] = {
		[MONITOR_IDLE] = ~0u,
		[MONITOR_CONNECTING] = ~0u,
		[MONITOR_WATCHING] = ~(1u << MONITOR_CONNECTING),
		[MONITOR_YIELDED] = ~(1u << MONITOR_CONNECTING),
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
	if (m->handlers.on_phase != NULL)
		m->handlers.on_phase(m->owner, phase, err_is_set(why) ? &m->why : NULL);
}

void
monitor_schedule(struct monitor *m, uint64_t delay_ms)
{
	struct timeval delay = clock_timeval_ms(delay_ms);

	if (m->started && !m->finishing)
		(void)event_add(&m->attempt, &delay);
}

uint32_t
monitor_roll_dice(void)
{
	uint32_t n;

	evutil_secure_rng_get_bytes(&n, sizeof(n));
	return n;
}

static void
try_later(struct monitor *m)
{
	monitor_schedule(m, backoff_ms(m->failures, m->backoff_min_ms,
				    m->backoff_max_ms, monitor_roll_dice()));
}

void
monitor_fail(struct monitor *m, enum monitor_phase phase, const struct err *why)
{
	monitor_visit_end(m);
	if (monitor_line_serves(m))
		return;
	if (m->failures < UINT32_MAX)
		m->failures++;
	try_later(m);
	monitor_set_phase(m, phase, why);
	if (m->releasing && ++m->release_tries >= RELEASE_TRIES)
		monitor_tell_released(m, -EIO, why);
}

void
monitor_end_stall(struct monitor *m)
{
	if (m->phase == MONITOR_STALLED)
		monitor_set_phase(m, MONITOR_WATCHING, NULL);
}

void
monitor_tell_facts(struct monitor *m, const struct qmp_facts *facts)
{
	m->failures = 0;
	monitor_end_stall(m);
	if (!m->doomed && m->handlers.on_facts != NULL)
		m->handlers.on_facts(m->owner, facts);
}

void
monitor_tell_no_facts(struct monitor *m, const struct err *why)
{
	struct err named = *why;

	str_escape(m->path, strlen(m->path), named.source, sizeof(named.source));
	monitor_end_stall(m);
	if (!m->doomed && m->handlers.on_no_facts != NULL)
		m->handlers.on_no_facts(m->owner, &named);
}

void
monitor_tell_event(struct monitor *m, const struct qmp_event *event)
{
	if (!m->doomed && m->handlers.on_event != NULL)
		m->handlers.on_event(m->owner, event);
}

void
monitor_tell_used(struct monitor *m)
{
	if (!m->doomed && m->handlers.on_used != NULL)
		m->handlers.on_used(m->owner);
}

void
monitor_tell_client_dropped(struct monitor *m, const struct err *why)
{
	if (!m->doomed && m->handlers.on_client_dropped != NULL)
		m->handlers.on_client_dropped(m->owner, why);
}

void
monitor_tell_released(struct monitor *m, int err, const struct err *why)
{
	if (!m->releasing || m->doomed)
		return;
	m->releasing = false;
	if (m->handlers.on_released != NULL)
		m->handlers.on_released(m->owner, err, why);
}

enum share
monitor_choose(const struct monitor *m, struct err *why)
{
	struct share_means means = {.no_private = m->no_private.text,
		.no_hold = m->no_hold.text,
		.no_proxy = door_listener(m->door) < 0};

	if (m->released) {
		(void)err_set(why, 0, NULL, 0, "it was released");
		return SHARE_BRIEF;
	}
	if (m->prepared && monitor_line_wanted(m)) {
		if (m->wish != SHARE_AUTO && m->wish != SHARE_PRIVATE)
			(void)err_set(why, 0, NULL, 0,
				"its private monitor stays until it is released or its "
				"QEMU ends");
		return SHARE_PRIVATE;
	}
	if (m->commons->reception == NULL && !err_is_set(&m->no_private))
		means.no_private = "QEMU has no socket to dial here";
	if (m->commons->guard == NULL || !guard_is_alive(m->commons->guard))
		means.no_hold = "no guard runs";
	return share_choose(m->wish, &means, why);
}

struct link_options
monitor_link_options(const struct monitor *m)
{
	struct link_options options = m->link_options;

	options.last_id = clock_now_us(m->commons->clock);
	options.rota = &m->commons->rota;
	return options;
}

/* A private monitor that is not up yet is no way of sharing. */
void
monitor_announce(struct monitor *m)
{
	struct err why = ERR_NONE;
	enum share share = monitor_choose(m, &why);

	if (m->doomed || (share == SHARE_PRIVATE && !m->line_up) ||
		(share == m->share && str_equal(why.text, m->share_why.text)))
		return;
	m->share = share;
	m->share_why = why;
	if (m->handlers.on_share != NULL)
		m->handlers.on_share(m->owner, share, err_is_set(&why) ? &why : NULL);
}

void
monitor_forget_process(struct monitor *m)
{
	monitor_visit_end(m);
	monitor_line_drop(m);
	door_shut(m->door);
	m->pid = 0;
	m->line_state = LINE_UNTRIED;
	m->line_failures = 0;
	m->prepared = m->line_made = m->away = false;
	m->share = SHARE_NONE;
	err_clear(&m->share_why);
}

static void
on_attempt(evutil_socket_t fd, short what, void *owner)
{
	struct monitor *m = owner;

	(void)fd;
	(void)what;
	monitor_enter(m);
	monitor_visit_begin(m);
	monitor_leave(m);
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
	static const struct door_handlers door_handlers = {
		.on_waiter = monitor_visit_on_waiter,
		.on_gone = monitor_visit_on_gone,
	};
	struct monitor *m = xcalloc(1, sizeof(*m));
	int r;

	m->base = base;
	m->handlers = *handlers;
	m->owner = owner;
	m->path = xstrdup(options->path);
	m->commons = options->commons;
	m->commons->last_key += 2;
	m->key = m->commons->last_key;
	m->wish = options->share;
	m->share = SHARE_NONE;
	m->link_options.clock = m->commons->clock;
	m->link_options.session_ms = or_default(options->session_ms, 5000);
	m->link_options.query_ms = or_default(options->query_ms, 5000);
	m->first_delay_ms = options->first_delay_ms;
	m->backoff_min_ms = or_default(options->backoff_min_ms, 250);
	m->backoff_max_ms = or_default(options->backoff_max_ms, 30000);
	m->door = door_new(base, m->commons, m->key, &door_handlers, m);
	r = evtimer_assign(&m->attempt, base, on_attempt, m);
	r |= evtimer_assign(&m->patience, base, monitor_line_on_patience, m);
	assert(r == 0);
	return m;
}

void
monitor_start(struct monitor *m)
{
	if (m->started)
		return;
	m->started = true;
	monitor_schedule(m, m->first_delay_ms);
}

/* Look at the VM soon, unless that is coming anyway. */
static void
hurry(struct monitor *m)
{
	if (m->away || m->phase == MONITOR_CONNECTING)
		return;
	if (m->failures == 0)
		monitor_schedule(m, 0);
	else if (!evtimer_pending(&m->attempt, NULL))
		try_later(m);
}

static void
observe_here(struct monitor *m)
{
	if (m->up)
		monitor_visit_asks(m);
	link_observe(m->link);
}

void
monitor_observe(struct monitor *m)
{
	m->wanted = m->away;
	if (m->line_up && !m->releasing)
		link_observe(m->line);
	else if (m->link != NULL)
		observe_here(m);
	else if (m->phase == MONITOR_WATCHING)
		hurry(m);
}

void
monitor_set_share(struct monitor *m, enum share wish)
{
	if (m->wish == wish)
		return;
	m->wish = wish;
	if (m->pid != 0)
		hurry(m); /* what is to be taken down or begun is done in a visit */
}

enum share
monitor_share(const struct monitor *m)
{
	return m->share;
}

bool
monitor_dial_in(struct monitor *m, int fd)
{
	return monitor_line_dial_in(m, fd);
}

void
monitor_release(struct monitor *m)
{
	m->released = m->releasing = true;
	m->release_tries = 0;
	if (m->proxy != NULL)
		proxy_finish(m->proxy);
	else
		monitor_schedule(m, 0);
}

void
monitor_guard_changed(struct monitor *m)
{
	door_introduce(m->door);
	monitor_line_introduce(m);
	monitor_visit_introduce(m);
	if (m->proxy != NULL)
		proxy_finish(
			m->proxy); /* and come back: the guard knows nothing of it */
	else if (m->pid != 0 && !m->line_up)
		hurry(m);
}

bool
monitor_is_busy(const struct monitor *m)
{
	if (m->proxy != NULL)
		return proxy_is_busy(m->proxy);
	return m->link != NULL && link_is_busy(m->link);
}

void
monitor_finish(struct monitor *m)
{
	m->finishing = true;
	(void)event_del(&m->attempt);
	if (m->proxy != NULL)
		proxy_finish(m->proxy);
	else if (!monitor_is_busy(m))
		monitor_visit_end(m);
}

enum monitor_phase
monitor_phase(const struct monitor *m)
{
	return m->phase;
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

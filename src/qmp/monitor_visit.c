// SPDX-License-Identifier: MIT
/*
 * The session on the VM's socket, which is everybody's: when to come, when to leave,
 * when to stay. Whoever waits is served before us; the guard sees to it when we cannot.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "qmp/backoff.h"
#include "qmp/dial.h"
#include "qmp/guard.h"
#include "qmp/monitor_state.h"

/* While others come one after the other, we want to see the VM at least so often; and
 * sooner when something else tells that it has changed. */
#define ABSENCE_MAX_US UINT64_C(5000000)
#define ABSENCE_WANTED_US UINT64_C(300000)
/* The shortest time-out of other tools is 3 s: what is in their way when we are stopped
 * ends long before. An answer that nobody reads means that we are. */
#define UNREAD_MS 200
/* Between what tells the guard that we ask and the asking we may be stopped too; then
 * nothing shows it but the time. Short beside those 3 s, and longer than a loaded
 * machine may take from us. */
#define UNASKED_MS 1000
/* A connection that does not come about. */
#define DIAL_LEASE_MS 10000
/* Clients of a proxy are in the middle of something: they wait a little for us. */
#define PROXY_WAIT_MS 1000
/* Through a proxy our questions stand behind what the clients ask. */
#define PROXY_QUERY_MS 60000

/* Nothing has been said. */
static const struct guard_terms dial_terms = {
	.lease_ms = DIAL_LEASE_MS, .drain_ms = UNREAD_MS, .asked = true};
/* Something is about to be asked, or was just now. */
static const struct guard_terms about_to_ask_terms = {
	.lease_ms = UNASKED_MS, .drain_ms = UNREAD_MS, .asked = true};
/* Something is under way: whoever waits, waits for the answers. */
static const struct guard_terms asking_terms = {.drain_ms = UNREAD_MS, .asked = true};

/* Nothing is under way: whoever waits, waits for us alone. */
static struct guard_terms
quiet_terms(const struct monitor *m)
{
	struct guard_terms terms = {.wait_ms = m->commons->guard_ms};

	if (m->proxy != NULL) {
		terms.asked = true;
		if (terms.wait_ms < PROXY_WAIT_MS)
			terms.wait_ms = PROXY_WAIT_MS;
	}
	if (door_listener(m->door) < 0)
		terms.lease_ms = DOOR_LEASE_MS;
	return terms;
}

static struct guard_terms
present_terms(const struct monitor *m)
{
	if (m->proxy != NULL)
		return quiet_terms(m);
	if (link_is_busy(m->link))
		return asking_terms;
	if (m->up && link_is_wanted(m->link))
		return about_to_ask_terms;
	return m->up ? quiet_terms(m) : dial_terms;
}

static void
hold(const struct monitor *m, int fd, const struct guard_terms *terms)
{
	if (m->commons->guard != NULL)
		(void)!guard_hold(m->commons->guard, m->key, fd, terms);
}

static void
renew(const struct monitor *m, const struct guard_terms *terms)
{
	if (m->commons->guard != NULL)
		(void)!guard_renew(m->commons->guard, m->key, terms);
}

/* A polled door is left alone meanwhile: it renews the terms of a quiet session. */
void
monitor_visit_asks(const struct monitor *m)
{
	if (m->proxy != NULL || link_is_busy(m->link))
		return;
	if (door_listener(m->door) < 0)
		door_watch(m->door, false);
	renew(m, &about_to_ask_terms);
}

void
monitor_visit_introduce(struct monitor *m)
{
	struct guard_terms terms;

	if (m->link == NULL || m->proxy != NULL)
		return;
	terms = present_terms(m);
	hold(m, link_fd(m->link), &terms);
}

void
monitor_visit_end(struct monitor *m)
{
	door_watch(m->door, false);
	m->setting_up = m->up = m->leaving = false;
	link_free(m->link);
	m->link = NULL;
	proxy_free(m->proxy);
	m->proxy = NULL;
}

/* For a while in which nobody comes. */
static void
wait_for_quiet(struct monitor *m)
{
	m->disturbed = false;
	door_watch(m->door, true);
	monitor_schedule(m, backoff_queue_ms(monitor_roll_dice()));
}

/* Come back when nobody is there. */
static void
stay_away(struct monitor *m)
{
	m->wanted = m->link != NULL && link_is_wanted(m->link);
	monitor_visit_end(m);
	m->away = true;
	m->left_us = clock_now_us(m->commons->clock);
	m->served = 0;
	wait_for_quiet(m);
}

/* What was asked for while answers came is asked elsewhere, or with the next visit. */
static void
leave(struct monitor *m)
{
	bool wanted = link_is_wanted(m->link);

	monitor_visit_end(m);
	if (wanted)
		monitor_observe(m);
}

static void
yield(struct monitor *m)
{
	struct monitor_commons *commons = m->commons;
	bool waited_for = m->leaving;

	stay_away(m);
	if (waited_for) {
		commons->n_yields++;
		commons->yields_us += m->left_us - m->waiter_us;
	}
	monitor_set_phase(m, MONITOR_YIELDED, NULL);
}

void
monitor_visit_on_waiter(void *owner)
{
	struct monitor *m = owner;

	if (m->link == NULL) {
		m->disturbed = true;
		return;
	}
	if (!m->leaving)
		m->waiter_us = clock_now_us(m->commons->clock);
	m->leaving = true;
	if (m->setting_up || link_is_busy(m->link))
		return; /* within a millisecond or two */
	monitor_enter(m);
	yield(m);
	monitor_leave(m);
}

static void
stay(struct monitor *m, bool watch)
{
	const struct guard_terms terms = present_terms(m);

	renew(m, &terms);
	door_watch(m->door, watch && (door_listener(m->door) >= 0 || !terms.asked));
}

/* The session is up and nothing is under way: stay, go, or begin something else. */
static void
settle(struct monitor *m)
{
	enum share share = monitor_choose(m, NULL);

	if (m->finishing)
		monitor_visit_end(m);
	else if (m->proxy != NULL && share != SHARE_PROXY)
		proxy_finish(m->proxy);
	else if (monitor_line_begin_setup(m))
		return;
	else if (share == SHARE_PRIVATE || share == SHARE_BRIEF)
		leave(m);
	else if (m->leaving || (share == SHARE_PROXY && m->proxy == NULL))
		yield(m); /* or come back with a proxy */
	else
		stay(m, share == SHARE_YIELD);
	monitor_announce(m);
}

static void
settle_if_quiet(struct monitor *m)
{
	if (!m->doomed && m->up && !m->setting_up && !link_is_busy(m->link))
		settle(m);
}

/* Nothing has been said: it is in the queue perhaps, behind somebody who stays. */
static bool
is_silent(const struct monitor *m)
{
	return m->link != NULL && m->proxy == NULL && !m->up && !link_is_busy(m->link);
}

void
monitor_visit_review(struct monitor *m)
{
	if (is_silent(m) && monitor_line_serves(m))
		monitor_visit_end(m);
	else if (m->link != NULL || m->proxy == NULL)
		settle_if_quiet(m);
	else
		proxy_finish(m->proxy);
}

static void
on_up(struct monitor *m)
{
	bool unseen = m->away && m->phase == MONITOR_WATCHING;

	m->away = m->wanted = false;
	m->up = true;
	if (m->proxy == NULL && door_listener(m->door) >= 0 &&
		monitor_choose(m, NULL) == SHARE_YIELD)
		door_watch(m->door, true);
	monitor_set_phase(m, MONITOR_WATCHING, NULL);
	if (unseen)
		monitor_tell_used(m); /* the guard let somebody in */
}

/* @facts: NULL when there are none. */
static void
on_observed(struct monitor *m, const struct qmp_facts *facts, const struct err *why)
{
	if (facts != NULL)
		monitor_tell_facts(m, facts);
	else
		monitor_tell_no_facts(m, why);
	settle_if_quiet(m);
}

static void
on_answer(struct monitor *m, const struct session_told *told)
{
	monitor_end_stall(m);
	if (!m->doomed && m->setting_up && monitor_line_on_answer(m, told))
		settle_if_quiet(m);
}

/* Our own session through a proxy: the others have theirs, and end in order. */
static void
on_ended_in_proxy(struct monitor *m)
{
	link_free(m->link);
	m->link = NULL;
	m->up = m->setting_up = false;
	proxy_finish(m->proxy);
}

/* QEMU is about to end, or the guard has ended the session, for somebody who waited or
 * since nobody greeted us: which of them, the next look tells. */
static void
on_closed(struct monitor *m, const struct err *why)
{
	bool held = m->phase == MONITOR_WATCHING &&
		    (m->share == SHARE_YIELD || m->share == SHARE_PROXY);
	bool gone = door_is_gone(m->door);

	if (gone)
		monitor_forget_process(m);
	if (held && !gone)
		stay_away(m);
	else if (!gone && !m->up && m->phase == MONITOR_STALLED)
		monitor_fail(m, MONITOR_STALLED, &m->why); /* our place in the queue */
	else
		monitor_fail(m, MONITOR_IDLE, why);
}

void
monitor_visit_on_gone(void *owner)
{
	struct monitor *m = owner;
	struct err why = ERR_NONE;

	(void)err_set(&why, -ESRCH, NULL, 0, "its process has ended");
	monitor_enter(m);
	monitor_forget_process(m);
	monitor_tell_released(m, 0, NULL); /* nothing is left of it */
	if (!m->doomed)
		monitor_fail(m, MONITOR_IDLE, &why);
	monitor_leave(m);
}

static void
on_ended(struct monitor *m, enum session_tell how, const struct err *why)
{
	if (m->proxy != NULL)
		on_ended_in_proxy(m);
	else if (how == SESSION_BROKEN)
		monitor_fail(m, MONITOR_REFUSED, why);
	else
		on_closed(m, why);
}

/* The private monitor tells of itself. */
static void
on_stalled(struct monitor *m, const struct err *why)
{
	if (!monitor_line_serves(m))
		monitor_set_phase(m, MONITOR_STALLED, why);
}

static void
on_link(void *owner, enum session_tell tell, const struct session_told *told)
{
	struct monitor *m = owner;

	monitor_enter(m);
	if (tell == SESSION_GREETED && m->proxy == NULL)
		renew(m, &about_to_ask_terms);
	else if (tell == SESSION_ASKED && m->proxy == NULL)
		renew(m, &asking_terms);
	else if (tell == SESSION_UP)
		on_up(m);
	else if (tell == SESSION_EVENT)
		monitor_tell_event(m, &told->event);
	else if (tell == SESSION_FACTS || tell == SESSION_NO_FACTS)
		on_observed(m, tell == SESSION_FACTS ? told->facts : NULL, &told->why);
	else if (tell == SESSION_ANSWER)
		on_answer(m, told);
	else if (tell == SESSION_STALLED)
		on_stalled(m, &told->why);
	else if (tell == SESSION_BROKEN || tell == SESSION_CLOSED)
		on_ended(m, tell, &told->why);
	monitor_leave(m);
}

static void
begin_link(struct monitor *m, int fd)
{
	struct link_options options = monitor_link_options(m);

	if (m->proxy != NULL)
		options.query_ms = PROXY_QUERY_MS;
	m->link = link_new(m->base, fd, &options, on_link, m);
	link_observe(m->link);
}

static void
join_proxy(struct monitor *m)
{
	struct err why = ERR_NONE;
	int fd = proxy_join(m->proxy);

	if (fd >= 0) {
		begin_link(m, fd);
		return;
	}
	(void)err_set(&why, fd, NULL, 0, "cannot join the proxy: %s", strerror(-fd));
	monitor_fail(m, MONITOR_IDLE, &why);
}

static void
on_proxy_up(void *owner)
{
	struct monitor *m = owner;

	monitor_enter(m);
	stay(m, false);
	join_proxy(m);
	monitor_leave(m);
}

static void
on_proxy_changed(void *owner)
{
	struct monitor *m = owner;

	monitor_enter(m);
	monitor_tell_used(m);
	monitor_leave(m);
}

static void
on_proxy_dropped(void *owner, const struct err *why)
{
	struct monitor *m = owner;

	monitor_enter(m);
	monitor_tell_client_dropped(m, why);
	monitor_leave(m);
}

/* It is not us who keep waiting, so at the guard their time begins anew: it goes on
 * only when we hang. */
static void
on_proxy_no_room(void *owner)
{
	static const struct guard_terms nobody_waits = {
		.lease_ms = PROXY_WAIT_MS, .asked = true};
	const struct monitor *m = owner;
	const struct guard_terms terms = quiet_terms(m);

	renew(m, &nobody_waits);
	renew(m, &terms);
}

static void
on_proxy_end(void *owner, int err, const struct err *why)
{
	struct monitor *m = owner;

	monitor_enter(m);
	if (err == -ETIMEDOUT)
		monitor_fail(m, MONITOR_STALLED, why);
	else if (err == -EPROTO)
		monitor_fail(m, MONITOR_REFUSED, why);
	else if (m->finishing)
		monitor_visit_end(m);
	else if (err == 0) {
		monitor_visit_end(m); /* retired: another way was chosen */
		monitor_schedule(m, 0);
	} else
		on_closed(m, why);
	monitor_leave(m);
}

static const struct proxy_handlers proxy_handlers = {
	.on_up = on_proxy_up,
	.on_changed = on_proxy_changed,
	.on_client_dropped = on_proxy_dropped,
	.on_no_room = on_proxy_no_room,
	.on_end = on_proxy_end,
};

static void
begin_proxy(struct monitor *m, int fd)
{
	const struct proxy_options options = {.clock = m->commons->clock,
		.session_ms = m->link_options.session_ms,
		.rota = &m->commons->rota};

	m->proxy = proxy_new(
		m->base, fd, door_listener(m->door), &options, &proxy_handlers, m);
}

/* Another process than before, or the first one. What the guard has of the one before
 * is forgotten, the session with it. */
static void
learn_process(struct monitor *m, const struct ucred *peer, int pidfd, int session)
{
	bool is_first = m->pid == 0;

	if (m->pid == peer->pid)
		return;
	monitor_forget_process(m);
	m->pid = peer->pid;
	err_clear(&m->no_hold);
	err_clear(&m->no_private);
	if (peer->uid != 0 && peer->uid != geteuid()) {
		m->line_state = LINE_IMPOSSIBLE;
		(void)err_set(&m->no_private, -EACCES, NULL, 0,
			"QEMU runs as another user, who may not dial in");
	}
	(void)!door_open(m->door, m->pid, pidfd, m->path, &m->no_hold);
	if (!is_first)
		hold(m, session, &dial_terms);
	monitor_line_claim(m);
}

/* The peer is proven before a byte is read. */
static void
open_session(struct monitor *m, int connected, const struct ucred *peer)
{
	auto_close int fd = connected;
	struct err why = ERR_NONE;
	int pidfd = m->handlers.on_peer(m->owner, fd, peer);

	if (pidfd < 0 || m->doomed)
		(void)shutdown(fd, SHUT_RDWR); /* the guard has a copy */
	if (m->doomed)
		return;
	if (pidfd < 0) {
		(void)err_set(&why, -EPERM, NULL, 0,
			"process %d was refused as its peer", (int)peer->pid);
		monitor_fail(m, MONITOR_REFUSED, &why);
		return;
	}
	learn_process(m, peer, pidfd, fd);
	if (m->phase == MONITOR_IDLE)
		monitor_set_phase(m, MONITOR_CONNECTING, NULL);
	if (m->doomed)
		(void)shutdown(fd, SHUT_RDWR);
	else if (monitor_choose(m, NULL) == SHARE_PROXY)
		begin_proxy(m, take_fd(&fd));
	else
		begin_link(m, take_fd(&fd));
}

/* The socket's queue is full: others are served first, which is no failure. */
static void
wait_in_line(struct monitor *m, const struct err *why)
{
	if (m->away)
		wait_for_quiet(m);
	else
		monitor_schedule(m, backoff_queue_ms(monitor_roll_dice()));
	if (m->phase == MONITOR_IDLE || m->phase == MONITOR_CONNECTING)
		monitor_set_phase(m, MONITOR_CONNECTING, why);
}

/* Coming back: not while somebody is there. One who stays is not disturbed; but where
 * one follows another, we stand in line like everybody, soon when there is reason to
 * look. */
static bool
must_stay_away(struct monitor *m)
{
	uint64_t limit_us = m->wanted ? ABSENCE_WANTED_US : ABSENCE_MAX_US;
	uint64_t away_us = clock_now_us(m->commons->clock) - m->left_us;
	uint64_t served;
	bool same;

	if (!m->away)
		return false;
	served = door_served(m->door);
	same = served != 0 && served == m->served;
	m->served = served;
	if (served == 0 && !m->disturbed && !door_has_waiter(m->door))
		return false;
	if (!same && away_us >= limit_us)
		return false;
	wait_for_quiet(m);
	monitor_set_phase(m, MONITOR_YIELDED, NULL);
	return true;
}

static void
connect_to(struct monitor *m)
{
	struct err why = ERR_NONE;
	auto_close int fd = dial_socket();
	struct ucred peer;
	int r = fd;

	door_watch(m->door, false); /* we are about to queue ourselves */
	if (fd >= 0) {
		hold(m, fd, &dial_terms); /* after connect() we may be stopped */
		r = dial_connect(fd, m->path, &peer, &why);
		if (r < 0)
			(void)shutdown(fd, SHUT_RDWR); /* the guard has a copy */
	} else {
		(void)err_set(&why, fd, NULL, 0, "no socket: %s", strerror(-fd));
	}
	if (r == -EAGAIN)
		wait_in_line(m, &why);
	else if (r < 0)
		monitor_fail(m, MONITOR_IDLE, &why);
	else
		open_session(m, take_fd(&fd), &peer);
}

void
monitor_visit_begin(struct monitor *m)
{
	if (m->finishing)
		return;
	if (m->link != NULL)
		settle_if_quiet(m);
	else if (monitor_line_serves(m))
		monitor_announce(m);
	else if (m->proxy == NULL && !must_stay_away(m))
		connect_to(m);
}

// SPDX-License-Identifier: MIT
/*
 * A private monitor: made over a visit to the shared socket, used when QEMU dials in.
 * Until then the VM is visited. What is cut short is gone through again by the next
 * visit; when QEMU does not dial in or does not greet, the VM is shared in another way
 * and the private monitor tried again, ever more seldom.
 *
 * Once made it stays, whatever is wished for later, until monitor_release(): QEMU 11.1
 * has crashed when monitors were removed while something was under way on them. So
 * nothing is when that has to be.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <unistd.h>

#include "qmp/backoff.h"
#include "qmp/guard.h"
#include "qmp/monitor_state.h"
#include "qmp/reception.h"

/* QEMU dials every 5 s. */
#define PATIENCE_S 8
/* QEMU buffers what we do not read without limit. */
#define DRAIN_MS 5000
/* What was asked there is answered in a millisecond or two. */
#define LINE_ANSWERS_MS 10
/* One that failed is tried again after so many times what visits wait: 5 s, doubled up
 * to 10 minutes. The shared monitor is visited for it. */
#define RETRY_FACTOR 20

bool
monitor_line_wanted(const struct monitor *m)
{
	if (m->released || m->commons->reception == NULL ||
		m->line_state == LINE_IMPOSSIBLE)
		return false;
	return m->prepared || m->wish == SHARE_AUTO || m->wish == SHARE_PRIVATE;
}

bool
monitor_line_serves(const struct monitor *m)
{
	return m->line_up && monitor_line_wanted(m);
}

static void
expect(struct monitor *m)
{
	static const struct timeval patience = {PATIENCE_S, 0};

	m->line_state = LINE_EXPECTED;
	(void)event_add(&m->patience, &patience);
}

/* QEMU may have had no time; a connection that is there is kept, it may greet late. */
static void
try_later(struct monitor *m, const struct err *why)
{
	struct timeval delay;
	uint64_t delay_ms;

	if (m->line_failures < UINT32_MAX)
		m->line_failures++;
	delay_ms = backoff_ms(m->line_failures, RETRY_FACTOR * m->backoff_min_ms,
		RETRY_FACTOR * m->backoff_max_ms, monitor_roll_dice());
	delay = clock_timeval_ms(delay_ms);
	m->line_state = LINE_FAILED;
	m->prepared = m->line_made = false;
	m->no_private = *why;
	(void)event_add(&m->patience, &delay);
}

static void
look_soon(struct monitor *m)
{
	if (m->failures == 0 && !m->away)
		monitor_schedule(m, 0);
}

static void
give_up(struct monitor *m, const char *text)
{
	struct err why = ERR_NONE;

	(void)err_set(&why, -ETIMEDOUT, NULL, 0, "%s", text);
	try_later(m, &why);
	look_soon(m);
}

static void
try_again(struct monitor *m)
{
	m->line_state = m->line != NULL ? LINE_UP : LINE_UNTRIED;
	if (monitor_line_wanted(m))
		look_soon(m);
}

void
monitor_line_on_patience(evutil_socket_t fd, short what, void *owner)
{
	struct monitor *m = owner;

	(void)fd;
	(void)what;
	if (m->line_state == LINE_EXPECTED)
		give_up(m, "QEMU does not dial in to its private monitor");
	else if (m->line_state == LINE_FAILED)
		try_again(m);
}

/* What has to be done in QEMU. False: nothing. That it has dialled in does not say that
 * there is a monitor: the visit that was to make it may have been cut short. */
static bool
has_goal(const struct monitor *m, enum private_goal *goal)
{
	*goal = m->releasing ? PRIVATE_REMOVE : PRIVATE_ADD;
	return m->releasing || (monitor_line_wanted(m) && !m->line_made &&
				       m->line_state != LINE_FAILED);
}

static const char *
path_to_dial(const struct monitor *m)
{
	return m->commons->reception != NULL ? reception_path(m->commons->reception)
					     : "";
}

bool
monitor_line_begin_setup(struct monitor *m)
{
	enum private_goal goal;

	if (!has_goal(m, &goal))
		return false;
	if (m->line != NULL && link_is_busy(m->line)) {
		monitor_schedule(m, LINE_ANSWERS_MS);
		return true;
	}
	private_init(&m->setup, goal, path_to_dial(m));
	m->setting_up = true;
	monitor_visit_asks(m);
	link_command(m->link, private_next(&m->setup), path_to_dial(m));
	return true;
}

static void
hang_up(struct monitor *m)
{
	if (m->line == NULL)
		return;
	link_free(m->line);
	m->line = NULL;
	m->line_up = false;
	if (m->commons->guard != NULL)
		guard_forget(m->commons->guard, m->key + 1);
}

void
monitor_line_drop(struct monitor *m)
{
	(void)event_del(&m->patience);
	hang_up(m);
}

/* It has dialled in before the answer perhaps, or even greeted. One that was there and
 * silent all the time greets anew when QEMU dials again. */
static void
end_made(struct monitor *m, bool is_new)
{
	m->prepared = m->line_made = true;
	if (m->line_up)
		return;
	if (!is_new && m->line_failures > 0)
		monitor_line_drop(m);
	expect(m);
	if (m->line == NULL)
		monitor_line_claim(m);
}

static void
end_setup(struct monitor *m, enum private_outcome outcome)
{
	const struct err *why = private_why(&m->setup);

	switch (outcome) {
	case PRIVATE_BUSY:
		return;
	case PRIVATE_ADDED:
	case PRIVATE_THERE:
		end_made(m, outcome == PRIVATE_ADDED);
		return;
	case PRIVATE_REMOVED:
		m->prepared = m->line_made = false;
		m->line_state = LINE_UNTRIED;
		monitor_line_drop(m);
		monitor_tell_released(m, 0, NULL);
		return;
	case PRIVATE_FAILED:
		if (!m->releasing && !m->line_up)
			try_later(m, why);
		if (!m->releasing)
			return;
		break;
	case PRIVATE_UNSUPPORTED:
	case PRIVATE_TAKEN:
		break;
	}
	m->prepared = false; /* nothing that could be taken down */
	m->line_state = LINE_IMPOSSIBLE;
	m->no_private = *why;
	monitor_tell_released(m, -EIO, why);
}

bool
monitor_line_on_answer(struct monitor *m, const struct session_told *told)
{
	enum private_outcome outcome = private_answer(&m->setup, told->ret, told->desc);

	if (outcome == PRIVATE_BUSY) {
		monitor_visit_asks(m);
		link_command(m->link, private_next(&m->setup), path_to_dial(m));
		return false;
	}
	m->setting_up = false;
	end_setup(m, outcome);
	return true;
}

/* Its session is up: what is held of the shared socket is not needed any more. */
static void
begin_to_use(struct monitor *m)
{
	(void)event_del(&m->patience);
	m->line_state = LINE_UP;
	m->line_up = m->line_made = m->prepared = true;
	m->line_failures = m->failures = 0;
	err_clear(&m->no_private); /* it was late */
	m->away = false;
	monitor_visit_review(m);
	if (m->link == NULL && monitor_line_serves(m))
		(void)event_del(&m->attempt);
	monitor_set_phase(m, MONITOR_WATCHING, NULL);
	monitor_announce(m);
}

/* A real loss: look at the VM another way meanwhile. Or we are just taking it down, or
 * at the VM already: what was asked there is to be answered. */
static void
lose(struct monitor *m, enum monitor_phase phase, const struct err *why)
{
	bool gone = door_is_gone(m->door);

	if (!gone && m->line_state == LINE_FAILED) {
		hang_up(m); /* it was not in use */
		return;
	}
	monitor_line_drop(m);
	if (gone)
		monitor_forget_process(m);
	else if (m->setting_up || !m->line_made)
		m->line_state = LINE_UNTRIED; /* the steps go on */
	else
		expect(m);
	if (gone || (m->link == NULL && m->proxy == NULL))
		monitor_fail(m, phase, why);
}

/* One that does not greet has no monitor behind it, or QEMU has no time. */
static void
on_line_stalled(struct monitor *m, const struct err *why)
{
	if (m->line_up) {
		monitor_set_phase(m, MONITOR_STALLED, why);
	} else if (m->line_state != LINE_FAILED) {
		give_up(m, "QEMU does not greet on its private monitor");
	}
}

static void
on_line(void *owner, enum session_tell tell, const struct session_told *told)
{
	struct monitor *m = owner;

	monitor_enter(m);
	if (tell == SESSION_UP)
		begin_to_use(m);
	else if (tell == SESSION_EVENT)
		monitor_tell_event(m, &told->event);
	else if (tell == SESSION_FACTS)
		monitor_tell_facts(m, told->facts);
	else if (tell == SESSION_NO_FACTS)
		monitor_tell_no_facts(m, &told->why);
	else if (tell == SESSION_STALLED)
		on_line_stalled(m, &told->why);
	else if (tell == SESSION_BROKEN)
		lose(m, MONITOR_REFUSED, &told->why);
	else if (tell == SESSION_CLOSED)
		lose(m, MONITOR_IDLE, &told->why);
	monitor_leave(m);
}

void
monitor_line_introduce(struct monitor *m)
{
	static const struct guard_terms terms = {.drain_ms = DRAIN_MS};

	if (m->line != NULL && m->commons->guard != NULL)
		(void)!guard_hold(
			m->commons->guard, m->key + 1, link_fd(m->line), &terms);
}

static void
take_line(struct monitor *m, int fd)
{
	struct link_options options = monitor_link_options(m);

	hang_up(m); /* QEMU has one connection: an older one is dead */
	if (m->line_state != LINE_FAILED) { /* else it shows what it is by greeting */
		(void)event_del(&m->patience);
		m->line_state = LINE_UP;
		m->prepared = true;
	}
	m->line = link_new(m->base, fd, &options, on_line, m);
	monitor_line_introduce(m);
	link_observe(m->line);
}

void
monitor_line_claim(struct monitor *m)
{
	int fd;

	if (m->commons->reception == NULL || m->released)
		return;
	fd = reception_claim(m->commons->reception, m->pid);
	if (fd >= 0)
		take_line(m, fd);
}

bool
monitor_line_dial_in(struct monitor *m, int fd)
{
	if (m->pid == 0 || m->finishing || m->released ||
		(m->line_state == LINE_IMPOSSIBLE && !m->prepared))
		return false;
	take_line(m, fd);
	return true;
}

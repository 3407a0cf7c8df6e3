// SPDX-License-Identifier: MIT
/*
 * A private monitor: made over a visit to the shared socket, used when QEMU dials in.
 * Until then the VM is visited; when QEMU does not dial in, it is given up.
 *
 * Once made it stays, whatever is wished for later, until monitor_release(): QEMU 11.1
 * has crashed when monitors were removed while something was under way on them. So
 * nothing is when that has to be.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <unistd.h>

#include "qmp/guard.h"
#include "qmp/monitor_state.h"
#include "qmp/reception.h"

/* QEMU dials every 5 s. */
#define PATIENCE_S 8
/* QEMU buffers what we do not read without limit. */
#define DRAIN_MS 5000
/* What was asked there is answered in a millisecond or two. */
#define LINE_ANSWERS_MS 10

bool
monitor_line_wanted(const struct monitor *m)
{
	if (m->released || m->commons->reception == NULL ||
		m->line_state == LINE_IMPOSSIBLE)
		return false;
	return m->prepared || m->wish == SHARE_AUTO || m->wish == SHARE_PRIVATE;
}

static void
expect(struct monitor *m)
{
	static const struct timeval patience = {PATIENCE_S, 0};

	m->line_state = LINE_EXPECTED;
	(void)event_add(&m->patience, &patience);
}

static void
give_up(struct monitor *m, const char *why)
{
	m->line_state = LINE_IMPOSSIBLE;
	(void)err_set(&m->no_private, -ETIMEDOUT, NULL, 0, "%s", why);
	if (m->failures == 0)
		monitor_schedule(m, 0);
}

void
monitor_line_on_patience(evutil_socket_t fd, short what, void *owner)
{
	struct monitor *m = owner;

	(void)fd;
	(void)what;
	if (m->line_state != LINE_EXPECTED)
		return;
	give_up(m, "QEMU does not dial in to its private monitor");
}

/* What has to be done in QEMU. False: nothing. */
static bool
has_goal(const struct monitor *m, enum private_goal *goal)
{
	*goal = m->releasing ? PRIVATE_REMOVE : PRIVATE_ADD;
	return m->releasing || (monitor_line_wanted(m) && m->line == NULL &&
				       m->line_state == LINE_UNTRIED);
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

void
monitor_line_tell_released(struct monitor *m, int err, const struct err *why)
{
	if (!m->releasing || m->doomed)
		return;
	m->releasing = false;
	m->handlers.on_released(m->owner, err, why);
}

static void
end_setup(struct monitor *m, enum private_outcome outcome)
{
	switch (outcome) {
	case PRIVATE_BUSY:
		return;
	case PRIVATE_ADDED:
	case PRIVATE_THERE:
		m->prepared = true;
		if (m->line == NULL) { /* else it was quicker than the answer */
			expect(m);
			monitor_line_claim(m);
		}
		return;
	case PRIVATE_REMOVED:
		m->prepared = false;
		m->line_state = LINE_UNTRIED;
		monitor_line_drop(m);
		monitor_line_tell_released(m, 0, NULL);
		return;
	case PRIVATE_UNSUPPORTED:
	case PRIVATE_TAKEN:
	case PRIVATE_FAILED:
		break;
	}
	m->prepared = false; /* nothing that could be taken down */
	m->line_state = LINE_IMPOSSIBLE;
	m->no_private = *private_why(&m->setup);
	monitor_line_tell_released(m, -EIO, private_why(&m->setup));
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

void
monitor_line_drop(struct monitor *m)
{
	(void)event_del(&m->patience);
	if (m->line == NULL)
		return;
	link_free(m->line);
	m->line = NULL;
	m->line_up = false;
	if (m->commons->guard != NULL)
		guard_forget(m->commons->guard, m->key + 1);
}

/* Its session is up: what is held of the shared socket is not needed any more. */
static void
begin_to_use(struct monitor *m)
{
	m->line_up = true;
	m->failures = 0;
	m->away = false;
	monitor_visit_review(m);
	if (m->link == NULL && monitor_line_wanted(m))
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

	monitor_line_drop(m);
	if (gone)
		monitor_forget_process(m);
	else if (m->setting_up)
		m->line_state = LINE_UNTRIED; /* the steps go on */
	else
		expect(m);
	if (gone || (m->link == NULL && m->proxy == NULL))
		monitor_fail(m, phase, why);
}

/* One that has never greeted has no monitor behind it. */
static void
on_line_stalled(struct monitor *m, const struct err *why)
{
	if (m->line_up) {
		monitor_set_phase(m, MONITOR_STALLED, why);
		return;
	}
	m->prepared = false;
	give_up(m, "QEMU does not greet on its private monitor");
	monitor_line_drop(m);
}

static void
on_line(void *owner, enum session_tell tell, const struct session_told *told)
{
	struct monitor *m = owner;

	monitor_enter(m);
	if (tell == SESSION_UP)
		begin_to_use(m);
	else if (tell == SESSION_EVENT)
		m->handlers.on_event(m->owner, &told->event);
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

	monitor_line_drop(m); /* QEMU has one connection: an older one is dead */
	m->line_state = LINE_UP;
	m->prepared = true;
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
	err_clear(&m->no_private); /* it was late */
	take_line(m, fd);
	return true;
}

// SPDX-License-Identifier: MIT
/*
 * Timers in a heap, by time and then by the order in which they were set, so that a
 * seed always gives the same run; what was activated comes first.
 */
#include "config.h"

#include "loop.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define NOWHERE ((size_t)-1)
#define REALTIME_US UINT64_C(1790000000000000)

struct loop_clock {
	struct clock clock;
	struct event_base *base;
};

struct event_base {
	struct loop_clock clock;
	uint64_t now_us;
	unsigned int step_us;
	uint64_t n_set;
	size_t n;
	size_t cap;
	struct event **heap;
	struct event *first_active;
	struct event **last_active;
	struct event *readers; /* those that wait for descriptors */
	void (*between)(void *owner);
	void *owner;
	unsigned int n_events;
	bool broken;
};

struct event {
	struct event_base *base;
	int fd;
	short events;
	event_callback_fn callback;
	void *arg;
	size_t at; /* in the heap; NOWHERE: no timer runs */
	uint64_t due_us;
	uint64_t order;
	uint64_t period_us;
	bool active;
	short result;
	struct event *next_active;
	bool reads; /* among the readers */
	struct event *next_reader;
};

/* ---- clock ---- */

static uint64_t
now_us(const struct clock *c)
{
	struct event_base *b = ((const struct loop_clock *)c)->base;

	b->now_us += b->step_us;
	return b->now_us;
}

static uint64_t
real_us(const struct clock *c)
{
	return REALTIME_US + now_us(c);
}

const struct clock *
loop_clock(struct event_base *base)
{
	return &base->clock.clock;
}

void
loop_set_step(struct event_base *base, unsigned int step_us)
{
	base->step_us = step_us;
}

uint64_t
loop_now_us(const struct event_base *base)
{
	return base->now_us;
}

/* ---- heap ---- */

static bool
is_before(const struct event *a, const struct event *b)
{
	return a->due_us < b->due_us || (a->due_us == b->due_us && a->order < b->order);
}

static void
put(struct event_base *b, struct event *ev, size_t at)
{
	b->heap[at] = ev;
	ev->at = at;
}

static void
rise(struct event_base *b, struct event *ev, size_t at)
{
	while (at > 0 && is_before(ev, b->heap[(at - 1) / 2])) {
		put(b, b->heap[(at - 1) / 2], at);
		at = (at - 1) / 2;
	}
	put(b, ev, at);
}

static void
sink(struct event_base *b, struct event *ev, size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < b->n && is_before(b->heap[child + 1], b->heap[child]))
			child++;
		if (child >= b->n || !is_before(b->heap[child], ev))
			break;
		put(b, b->heap[child], at);
		at = child;
	}
	put(b, ev, at);
}

static void
unset(struct event *ev)
{
	struct event_base *b = ev->base;
	size_t at = ev->at;
	struct event *last;

	if (at == NOWHERE)
		return;
	ev->at = NOWHERE;
	last = b->heap[--b->n];
	if (last == ev)
		return;
	if (at > 0 && is_before(last, b->heap[(at - 1) / 2]))
		rise(b, last, at);
	else
		sink(b, last, at);
}

static void
set(struct event *ev, uint64_t due_us)
{
	struct event_base *b = ev->base;

	unset(ev);
	ev->due_us = due_us;
	ev->order = b->n_set++;
	b->heap = xgrow(b->heap, b->n, &b->cap, sizeof(struct event *));
	rise(b, ev, b->n++);
}

void
loop_after(struct event *ev, uint64_t after_us)
{
	set(ev, ev->base->now_us + after_us);
}

/* ---- libevent ---- */

struct event_base *
event_base_new(void)
{
	struct event_base *b = xcalloc(1, sizeof(*b));

	b->clock = (struct loop_clock){{now_us, real_us}, b};
	b->now_us = SECOND_US; /* 0 is "never" to many */
	b->last_active = &b->first_active;
	return b;
}

void
event_base_free(struct event_base *b)
{
	assert(b->n_events == 0);
	free(b->heap);
	free(b);
}

struct event *
event_new(struct event_base *b, evutil_socket_t fd, short events,
	event_callback_fn callback, void *arg)
{
	struct event *ev = xcalloc(1, sizeof(*ev));

	ev->base = b;
	ev->fd = fd;
	ev->events = events;
	ev->callback = callback;
	ev->arg = arg;
	ev->at = NOWHERE;
	b->n_events++;
	return ev;
}

int
event_add(struct event *ev, const struct timeval *tv)
{
	if (tv != NULL) {
		uint64_t us = (uint64_t)tv->tv_sec * SECOND_US + (uint64_t)tv->tv_usec;

		ev->period_us = (ev->events & EV_PERSIST) != 0 ? us : 0;
		set(ev, ev->base->now_us + us);
	}
	if (ev->fd >= 0 && !ev->reads) {
		ev->reads = true;
		ev->next_reader = ev->base->readers;
		ev->base->readers = ev;
	}
	return 0;
}

static void
deactivate(struct event *ev)
{
	struct event **at = &ev->base->first_active;

	while (ev->active && *at != ev)
		at = &(*at)->next_active;
	if (!ev->active)
		return;
	*at = ev->next_active;
	if (ev->base->last_active == &ev->next_active)
		ev->base->last_active = at;
	ev->active = false;
}

int
event_del(struct event *ev)
{
	struct event **at = &ev->base->readers;

	unset(ev);
	deactivate(ev);
	while (ev->reads && *at != ev)
		at = &(*at)->next_reader;
	if (ev->reads)
		*at = ev->next_reader;
	ev->reads = false;
	return 0;
}

void
event_free(struct event *ev)
{
	(void)event_del(ev);
	ev->base->n_events--;
	free(ev);
}

int
event_pending(const struct event *ev, short what, struct timeval *tv)
{
	assert(tv == NULL);
	if (ev->active && (ev->result & what) != 0)
		return 1;
	return (what & EV_TIMEOUT) != 0 && ev->at != NOWHERE;
}

void
event_active(struct event *ev, int result, short ncalls)
{
	(void)ncalls;
	if (ev->active)
		return;
	ev->active = true;
	ev->result = (short)result;
	ev->next_active = NULL;
	*ev->base->last_active = ev;
	ev->base->last_active = &ev->next_active;
}

/* ---- running ---- */

void
loop_readable(struct event_base *base, int fd)
{
	for (struct event *ev = base->readers; ev != NULL; ev = ev->next_reader) {
		if (ev->fd == fd)
			event_active(ev, EV_READ, 0);
	}
}

void
loop_set_between(struct event_base *base, void (*between)(void *owner), void *owner)
{
	base->between = between;
	base->owner = owner;
}

/* As libevent does: one that does not persist is no longer pending in its callback. */
static void
call(struct event *ev, short result)
{
	if ((ev->events & EV_PERSIST) == 0)
		(void)event_del(ev);
	else if (ev->period_us > 0)
		set(ev, ev->base->now_us + ev->period_us);
	ev->callback(ev->fd, result, ev->arg);
}

static bool
step(struct event_base *b, uint64_t until_us)
{
	struct event *ev = b->first_active;

	if (ev != NULL) {
		deactivate(ev);
		call(ev, ev->result);
		return true;
	}
	if (b->n == 0 || b->heap[0]->due_us > until_us)
		return false;
	ev = b->heap[0];
	unset(ev);
	if (ev->due_us > b->now_us)
		b->now_us = ev->due_us;
	call(ev, EV_TIMEOUT);
	return true;
}

void
loop_run(struct event_base *base, uint64_t until_us)
{
	base->broken = false;
	while (!base->broken && step(base, until_us)) {
		if (base->between != NULL)
			base->between(base->owner);
	}
	if (!base->broken && base->now_us < until_us)
		base->now_us = until_us;
}

void
loop_break(struct event_base *base)
{
	base->broken = true;
}

unsigned int
loop_n_events(const struct event_base *base)
{
	return base->n_events;
}

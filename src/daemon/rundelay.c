// SPDX-License-Identifier: MIT
/* Windows between samples. */
#include "config.h"

#include "daemon/rundelay.h"

#include <string.h>

/* Shorter windows are mostly noise: ticks and balancing take some milliseconds. */
#define WINDOW_MIN_US UINT64_C(400000)

/* A thread runs no longer than time passes; but what it ran is counted at a tick, which
 * a nohz_full CPU has once a second. */
#define TICK_US UINT64_C(1100000)

void
rundelay_restart(struct rundelay *r)
{
	r->known = false;
	r->n = 0;
}

static void
begin(struct rundelay *r, const struct schedstat *s, uint64_t now_us)
{
	r->known = true;
	r->last = *s;
	r->at_us = now_us;
}

static uint64_t
at_most(uint64_t value, uint64_t max)
{
	return value < max ? value : max;
}

void
rundelay_add(struct rundelay *r, const struct schedstat *s, uint64_t now_us)
{
	uint64_t span_us = now_us - r->at_us;
	uint64_t run_us;

	if (r->known && now_us >= r->at_us && span_us < WINDOW_MIN_US)
		return;
	if (!r->known || now_us < r->at_us || s->run_ns < r->last.run_ns ||
		s->wait_ns < r->last.wait_ns ||
		(s->run_ns - r->last.run_ns) / 1000 > span_us + TICK_US) {
		r->n = 0;
		begin(r, s, now_us);
		return;
	}
	memmove(&r->windows[1], &r->windows[0],
		(RUNDELAY_WINDOWS - 1) * sizeof(r->windows[0]));
	run_us = at_most((s->run_ns - r->last.run_ns) / 1000, span_us);
	/* a wait counts when it ends, and may have begun long before */
	r->windows[0] = (struct rundelay_window){.run_us = run_us,
		.wait_us = at_most(
			(s->wait_ns - r->last.wait_ns) / 1000, span_us - run_us),
		.span_us = span_us};
	r->n = r->n < RUNDELAY_WINDOWS ? r->n + 1 : RUNDELAY_WINDOWS;
	begin(r, s, now_us);
}

double
rundelay_share(const struct rundelay *r, size_t n)
{
	uint64_t runnable = 0;
	uint64_t wait = 0;
	bool known = false;

	for (size_t i = 0; i < n; i++) {
		for (unsigned int k = 0; k < r[i].n; k++) {
			runnable += r[i].windows[k].run_us + r[i].windows[k].wait_us;
			wait += r[i].windows[k].wait_us;
			known = true;
		}
	}
	if (!known)
		return -1;
	return runnable > 0 ? (double)wait / (double)runnable : 0;
}

/* @wait_us is more than @share of the runnable time, and more than nothing. */
static bool
exceeds(uint64_t run_us, uint64_t wait_us, uint64_t span_us, double share)
{
	return (double)wait_us > share * (double)(run_us + wait_us) &&
	       (double)wait_us >= RUNDELAY_MIN_CPUS * (double)span_us;
}

static bool
is_above_in(const struct rundelay *r, size_t n, unsigned int window, double max)
{
	struct rundelay_window all = {0};
	bool one = false;

	for (size_t i = 0; i < n; i++) {
		const struct rundelay_window *w = &r[i].windows[window];

		if (r[i].n <= window)
			continue;
		all.run_us += w->run_us;
		all.wait_us += w->wait_us;
		all.span_us = w->span_us > all.span_us ? w->span_us : all.span_us;
		one = one ||
		      exceeds(w->run_us, w->wait_us, w->span_us, RUNDELAY_ONE * max);
	}
	return one || exceeds(all.run_us, all.wait_us, all.span_us, max);
}

bool
rundelay_is_above(const struct rundelay *r, size_t n, double max)
{
	for (unsigned int k = 0; k < RUNDELAY_WINDOWS; k++) {
		if (!is_above_in(r, n, k, max))
			return false;
	}
	return true;
}

double
rundelay_busy(const struct rundelay *r)
{
	return r->n > 0 ? (double)r->windows[0].run_us / (double)r->windows[0].span_us
			: 0;
}

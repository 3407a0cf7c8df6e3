// SPDX-License-Identifier: MIT
/*
 * The loop, turn by turn: libevent returns when all that was due has been served. The
 * clock of this thread stands still while it waits.
 */
#include "config.h"

#include "daemon/turns.h"

#include <event2/event.h>
#include <time.h>

static const uint64_t bounds_us[TURNS_CLASSES - 1] = {TURNS_BOUNDS_US};

uint64_t
turns_bound_us(unsigned int class)
{
	return class < TURNS_CLASSES - 1 ? bounds_us[class] : 0;
}

void
turns_add(struct turns *t, uint64_t us)
{
	unsigned int at = 0;

	while (at < TURNS_CLASSES - 1 && us > bounds_us[at])
		at++;
	t->counts[at]++;
	t->total_us += us;
	if (us > t->longest_us)
		t->longest_us = us;
}

static uint64_t
busy_us(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void
turns_run(struct turns *t, struct event_base *base)
{
	uint64_t before_us = busy_us();

	while (event_base_loop(base, EVLOOP_ONCE) == 0 && !event_base_got_break(base)) {
		uint64_t now_us = busy_us();

		turns_add(t, now_us - before_us);
		t->number++;
		before_us = now_us;
	}
}

// SPDX-License-Identifier: MIT
/*
 * Time as an argument: code that waits or measures gets a struct clock, so that tests
 * run hours in milliseconds.
 */
#ifndef QMPIN_BASE_CLOCK_H
#define QMPIN_BASE_CLOCK_H

#include <stdint.h>
#include <sys/time.h>

struct clock {
	/* Microseconds that never step back; the zero point means nothing. */
	uint64_t (*monotonic_us)(const struct clock *c);
	/* Microseconds since 1970, for people and for the control interface. */
	uint64_t (*realtime_us)(const struct clock *c);
};

/** The kernel's clocks. Static; never freed. */
const struct clock *clock_system(void);

static inline uint64_t
clock_now_us(const struct clock *c)
{
	return c->monotonic_us(c);
}

static inline uint64_t
clock_real_us(const struct clock *c)
{
	return c->realtime_us(c);
}

/** A span of time as libevent and socket options want it. */
static inline struct timeval
clock_timeval_us(uint64_t us)
{
	return (struct timeval){(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
}

static inline struct timeval
clock_timeval_ms(uint64_t ms)
{
	return clock_timeval_us(ms * 1000);
}

#endif

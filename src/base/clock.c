// SPDX-License-Identifier: MIT
/* The kernel's clocks behind struct clock. */
#include "config.h"

#include "base/clock.h"

#include <time.h>

static uint64_t
read_us(clockid_t id)
{
	struct timespec ts = {0};

	(void)clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static uint64_t
system_monotonic(const struct clock *c)
{
	(void)c;
	return read_us(CLOCK_MONOTONIC);
}

static uint64_t
system_realtime(const struct clock *c)
{
	(void)c;
	return read_us(CLOCK_REALTIME);
}

const struct clock *
clock_system(void)
{
	static const struct clock system_clock = {system_monotonic, system_realtime};

	return &system_clock;
}

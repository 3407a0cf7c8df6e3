// SPDX-License-Identifier: MIT
/*
 * Visits one pair of CPUs for some seconds as fast as the probe may, which is what it
 * does to a CPU at worst; a small host is known too soon to show it.
 *
 *     probe_pair CPU_A CPU_B SECONDS COLD_SECONDS
 *
 * Prints how many visits there were, how many with a result, and which part of the time
 * of the two CPUs they took, in per cent.
 */
#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "probe/crew.h"
#include "probe/pace.h"
#include "probe/rally.h"

struct tally {
	unsigned int visits;
	unsigned int good;
	uint64_t cpu_us[2];
};

static uint64_t
now_us(void)
{
	return rally_now_ns() / 1000u;
}

static void
take_report(struct crew *c, struct pace *p, struct tally *t)
{
	struct crew_report r;

	if (!crew_take(c, &r))
		return;
	t->visits++;
	t->good += r.visit.outcome == METER_OK ? 1 : 0;
	t->cpu_us[0] += r.visit.cpu_us[0];
	t->cpu_us[1] += r.visit.cpu_us[1];
	pace_spend(p, r.cpu_a, r.visit.cpu_us[0] + METER_SWITCHING_US, now_us());
	pace_spend(p, r.cpu_b, r.visit.cpu_us[1] + METER_SWITCHING_US, now_us());
}

/* Until a CPU may work again. Looking more often would itself take from them. */
static int
rest_ms(struct pace *p)
{
	uint64_t now = now_us();
	uint64_t next = pace_next_us(p, now);

	return next == UINT64_MAX ? 100 : 1 + (int)((next - now) / 1000u);
}

static void
visit_until(struct crew *c, struct pace *p, const unsigned int cpus[2], uint64_t end_us,
	struct tally *t)
{
	struct pollfd fd = {.fd = crew_fd(c), .events = POLLIN};

	while (now_us() < end_us || crew_at_work(c) > 0) {
		struct cpuset resting = pace_resting(p, now_us());

		if (crew_at_work(c) == 0 && now_us() < end_us &&
			!cpuset_has(&resting, cpus[0]) &&
			!cpuset_has(&resting, cpus[1]) &&
			!crew_start(c, cpus[0], cpus[1]))
			return;
		(void)poll(&fd, 1, rest_ms(p));
		take_report(c, p, t);
	}
}

int
main(int argc, char **argv)
{
	struct cpuset set = CPUSET_NONE;
	struct tally t = {0};
	struct err e = ERR_NONE;
	unsigned int cpus[2];
	struct crew *crew;
	struct pace *pace;
	double seconds;
	uint64_t from_us;

	if (argc != 5)
		return 2;
	for (unsigned int i = 0; i < 2; i++) {
		cpus[i] = (unsigned int)strtoul(argv[1 + i], NULL, 10);
		cpuset_add(&set, cpus[i] % CPUSET_CAP);
	}
	seconds = strtod(argv[3], NULL);
	if (crew_new(1, &crew, &e) < 0) {
		(void)fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	from_us = now_us();
	pace = pace_new(&set, strtod(argv[4], NULL), from_us);
	visit_until(crew, pace, cpus, from_us + (uint64_t)(seconds * 1e6), &t);
	seconds = (double)(now_us() - from_us);
	(void)printf("%u %u %.3f %.3f\n", t.visits, t.good,
		100.0 * (double)t.cpu_us[0] / seconds,
		100.0 * (double)t.cpu_us[1] / seconds);
	pace_free(pace);
	crew_free(crew);
	return 0;
}

// SPDX-License-Identifier: MIT
/* Which VMs' vCPUs are read at an audit. No threads: what was read is made up. */
#include "config.h"

#include "daemon/delays.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/attr.h"

#define VCPUS 8u

struct sample {
	struct rundelay threads[VCPUS];
	struct delays delays;
};

/* All windows known, in which each vCPU waited so much of a second. */
static void
fill(struct sample *s, double use, unsigned int wait_ms)
{
	*s = (struct sample){.delays = {.n = VCPUS,
				     .threads = s->threads,
				     .use = use,
				     .read_use = use}};
	for (unsigned int i = 0; i < VCPUS; i++) {
		s->threads[i] =
			(struct rundelay){.tid = (pid_t)i + 1, .n = RUNDELAY_WINDOWS};
		for (unsigned int k = 0; k < RUNDELAY_WINDOWS; k++)
			s->threads[i].windows[k] = (struct rundelay_window){
				100000, wait_ms * 1000, 2000000};
	}
}

/* So many audits pass until it is due. */
static unsigned int
audits_until_due(struct delays *d, bool helpless, unsigned int room)
{
	d->skipped = 0;
	while (d->skipped < 100 && !delays_are_due(d, helpless, room))
		d->skipped++;
	return d->skipped;
}

static void
who_idles_is_read_seldom_who_runs_at_once_while_there_is_room(void **state)
{
	static const struct {
		const char *what;
		double use;
		unsigned int wait_ms;
		bool helpless;
		unsigned int room;
		unsigned int audits;
	} cases[] = {
		{"idle", 0.001, 0, false, VCPUS, 15},
		{"idle, no room", 0.001, 0, false, 0, 15},
		{"busy", 0.5, 0, false, VCPUS, 0},
		{"busy, too little room", 0.5, 0, false, VCPUS - 1, 3},
		{"busy and waits", 0.5, 50, false, 0, 0},
		{"hardly runs and waits", 0.001, 50, false, 0, 0},
		{"waits where nothing idles", 0.5, 50, true, VCPUS, 0},
		{"waits where nothing idles, no room", 0.5, 50, true, 0, 3},
		{"hardly runs where nothing idles, no room", 0.001, 50, true, 0, 3},
		{"use is not known", -1, 0, false, VCPUS, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sample s;

		fill(&s, cases[i].use, cases[i].wait_ms);
		if (audits_until_due(&s.delays, cases[i].helpless, cases[i].room) !=
			cases[i].audits)
			fail_msg("%s: %u", cases[i].what, s.delays.skipped);
	}
}

static void
who_idled_is_read_as_soon_as_it_runs_more(void **state)
{
	struct sample s;

	(void)state;
	fill(&s, 0.005, 0);
	s.delays.use = 0.015;
	assert_false(delays_are_due(&s.delays, false, VCPUS));
	s.delays.use = 0.028;
	assert_true(delays_are_due(&s.delays, false, VCPUS));
	/* and the other way: it ran when it was read */
	fill(&s, 0.4, 0);
	s.delays.use = 0.01;
	assert_true(delays_are_due(&s.delays, false, VCPUS));
}

static void
two_windows_are_read_before_anything_is_left_out(void **state)
{
	struct sample s;

	(void)state;
	fill(&s, 0.001, 0);
	s.threads[VCPUS - 1].n = RUNDELAY_WINDOWS - 1;
	assert_true(delays_are_due(&s.delays, true, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			who_idles_is_read_seldom_who_runs_at_once_while_there_is_room),
		cmocka_unit_test(who_idled_is_read_as_soon_as_it_runs_more),
		cmocka_unit_test(two_windows_are_read_before_anything_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

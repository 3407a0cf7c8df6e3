// SPDX-License-Identifier: MIT
/* Lines that go to and fro between two real threads, wherever these run. */
#include "config.h"

#include "probe/rally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "base/attr.h"

#define MS UINT64_C(1000000)
/* Both threads may have to share a CPU with others. */
#define PLENTY (60000 * MS)

static _Alignas(RALLY_LINE_BYTES) unsigned char lines[RALLY_LINES * RALLY_LINE_BYTES];

struct player {
	struct rally_court court;
	_Atomic uint32_t *meeting;
	uint64_t until_ns;
	bool met;
	bool well;
};

static void *
return_it(void *arg)
{
	struct player *p = arg;

	p->met = rally_meet(p->meeting, p->until_ns);
	p->well = p->met && rally_return(&p->court, p->until_ns);
	return NULL;
}

/* Returns how many batches were timed. */
static unsigned int
play(unsigned int first, uint64_t enough_ns, uint32_t *batches)
{
	_Atomic uint32_t meeting = 0;
	struct player p = {.court = {lines, first},
		.meeting = &meeting,
		.until_ns = rally_now_ns() + PLENTY};
	pthread_t other;
	unsigned int n;

	rally_clear(&p.court);
	assert_int_equal(pthread_create(&other, NULL, return_it, &p), 0);
	assert_true(rally_meet(&meeting, p.until_ns));
	n = rally_serve(&p.court, rally_now_ns() + enough_ns, p.until_ns, batches);
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_true(p.met);
	assert_true(p.well);
	return n;
}

static void
a_rally_times_all_its_batches(void **state)
{
	(void)state;
	for (unsigned int first = 0; first < RALLY_LINES; first += 5) {
		uint32_t batches[RALLY_BATCHES] = {0};

		assert_int_equal(play(first, PLENTY, batches), RALLY_BATCHES);
		for (unsigned int i = 0; i < RALLY_BATCHES; i++)
			assert_true(batches[i] > 0);
	}
}

static void
a_slow_rally_still_times_one_batch(void **state)
{
	uint32_t batches[RALLY_BATCHES] = {0};

	(void)state;
	assert_int_equal(play(3, 0, batches), 1);
	assert_true(batches[0] > 0);
	assert_int_equal(batches[1], 0);
}

static void
nobody_waits_for_ever_for_the_other(void **state)
{
	struct rally_court c = {lines, 0};
	uint32_t batches[RALLY_BATCHES];
	_Atomic uint32_t meeting = 0;
	uint64_t from = rally_now_ns();

	(void)state;
	rally_clear(&c);
	assert_false(rally_meet(&meeting, rally_now_ns() + MS));
	assert_int_equal(
		rally_serve(&c, from + PLENTY, rally_now_ns() + MS, batches), 0);
	rally_clear(&c);
	assert_false(rally_return(&c, rally_now_ns() + MS));
	assert_true(rally_now_ns() - from < PLENTY);
}

static void
who_comes_too_late_is_told(void **state)
{
	_Atomic uint32_t meeting = 0;

	(void)state;
	assert_false(rally_meet(&meeting, rally_now_ns()));
	assert_false(rally_meet(&meeting, rally_now_ns() + PLENTY));
}

static void
who_is_left_alone_leaves_at_once(void **state)
{
	struct rally_court c = {lines, 0};
	uint32_t batches[RALLY_BATCHES];
	uint64_t from = rally_now_ns();

	(void)state;
	rally_clear(&c);
	assert_false(rally_return(&c, from + MS));
	assert_int_equal(rally_serve(&c, from + PLENTY, from + PLENTY, batches), 0);
	assert_true(rally_now_ns() - from < PLENTY / 2);
}

static void
a_meeting_is_for_both_or_for_none(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 200; i++) {
		_Atomic uint32_t meeting = 0;
		uint64_t until_ns = rally_now_ns() + (uint64_t)i * 1000;
		struct player p = {
			.court = {lines, 0}, .meeting = &meeting, .until_ns = until_ns};
		pthread_t other;
		bool met;

		memset(lines, 0xff, sizeof(lines)); /* nothing to return: it is over */
		assert_int_equal(pthread_create(&other, NULL, return_it, &p), 0);
		met = rally_meet(&meeting, until_ns);
		assert_int_equal(pthread_join(other, NULL), 0);
		assert_int_equal(met, p.met);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rally_times_all_its_batches),
		cmocka_unit_test(a_slow_rally_still_times_one_batch),
		cmocka_unit_test(nobody_waits_for_ever_for_the_other),
		cmocka_unit_test(who_comes_too_late_is_told),
		cmocka_unit_test(who_is_left_alone_leaves_at_once),
		cmocka_unit_test(a_meeting_is_for_both_or_for_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

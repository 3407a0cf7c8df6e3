// SPDX-License-Identifier: MIT
/* Changes of the file that lists the online CPUs are told, and nothing else is. */
#include "config.h"

#include "daemon/hostwatch.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

#define TICK_MS 5

struct world {
	char path[64];
	struct event_base *base;
	unsigned int changes;
};

static void
on_change(void *owner)
{
	((struct world *)owner)->changes++;
}

static void
write_online(const struct world *w, const char *text)
{
	FILE *file = fopen(w->path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Let the loop turn for some ticks, or until @changes were told. */
static void
turn(struct world *w, unsigned int ticks, unsigned int changes)
{
	uint64_t end_us =
		clock_now_us(clock_system()) + ticks * TICK_MS * UINT64_C(1000);

	while (clock_now_us(clock_system()) < end_us && w->changes < changes)
		assert_true(event_base_loop(w->base, EVLOOP_ONCE) >= 0);
}

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int fd;

	assert_non_null(w);
	(void)snprintf(w->path, sizeof(w->path), "/tmp/qmpin-online-XXXXXX");
	fd = mkstemp(w->path);
	assert_true(fd >= 0);
	close(fd);
	write_online(w, "0-3\n");
	w->base = event_base_new();
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	event_base_free(w->base);
	(void)unlink(w->path);
	free(w);
	return 0;
}

static void
each_change_is_told_once(void **state)
{
	struct world *w = *state;
	struct hostwatch *watch =
		hostwatch_new(w->base, w->path, TICK_MS, on_change, w);

	turn(w, 4, 1);
	assert_int_equal(w->changes, 0);
	write_online(w, "0-2\n");
	turn(w, 1000, 1);
	turn(w, 4, 2);
	assert_int_equal(w->changes, 1);
	write_online(w, "0-3\n");
	turn(w, 1000, 2);
	assert_int_equal(w->changes, 2);
	hostwatch_free(watch);
}

static void
a_file_that_vanishes_is_no_change(void **state)
{
	struct world *w = *state;
	struct hostwatch *watch =
		hostwatch_new(w->base, w->path, TICK_MS, on_change, w);

	assert_int_equal(unlink(w->path), 0);
	turn(w, 4, 1);
	write_online(w, "0-3\n");
	turn(w, 4, 1);
	assert_int_equal(w->changes, 0);
	hostwatch_free(watch);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			each_change_is_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_file_that_vanishes_is_no_change, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

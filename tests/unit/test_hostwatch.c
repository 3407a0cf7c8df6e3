// SPDX-License-Identifier: MIT
/* Changes of the file that lists the online CPUs are told once, and nothing else is. */
#include "config.h"

#include "daemon/hostwatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/xalloc.h"

static void
write_online(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int
set_up(void **state)
{
	char *path = xstrdup("/tmp/qmpin-online-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	write_online(path, "0-3\n");
	*state = path;
	return 0;
}

static int
tear_down(void **state)
{
	(void)unlink(*state);
	free(*state);
	return 0;
}

static void
each_change_is_told_once(void **state)
{
	struct hostwatch *w = hostwatch_new(*state);

	assert_false(hostwatch_changed(w));
	write_online(*state, "0-2\n");
	assert_true(hostwatch_changed(w));
	assert_false(hostwatch_changed(w));
	write_online(*state, "0-3\n");
	assert_true(hostwatch_changed(w));
	hostwatch_free(w);
}

static void
a_file_that_vanishes_or_is_empty_is_no_change(void **state)
{
	struct hostwatch *w = hostwatch_new(*state);

	assert_int_equal(unlink(*state), 0);
	assert_false(hostwatch_changed(w));
	write_online(*state, "");
	assert_false(hostwatch_changed(w));
	write_online(*state, "0-3\n");
	assert_false(hostwatch_changed(w));
	hostwatch_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			each_change_is_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_file_that_vanishes_or_is_empty_is_no_change, set_up,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Allocation and scope cleanup: nothing is NULL, nothing leaks, nothing is freed twice.
 */
#include "config.h"

#include "base/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
nothing_allocated_is_still_something(void **state)
{
	char *a = xcalloc(0, 8);
	char *b = xcalloc(8, 0);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	a = xrealloc(a, 0, 8);
	assert_non_null(a);
	free(a);
	free(b);
}

static void
arrays_grow_by_doubling_and_keep_their_items(void **state)
{
	unsigned int *items = NULL;
	size_t cap = 0;
	unsigned int grown = 0;

	(void)state;
	for (unsigned int n = 0; n < 1000; n++) {
		size_t before = cap;

		items = xgrow(items, n, &cap, sizeof(*items));
		assert_true(cap > n);
		grown += cap != before ? 1 : 0;
		items[n] = n;
	}
	assert_int_equal(grown, 8); /* 8, 16, ... 1024 */
	for (unsigned int n = 0; n < 1000; n++)
		assert_int_equal(items[n], n);
	free(items);
}

static void
copies_end_where_they_are_told(void **state)
{
	auto_free char *a = xstrdup("text");
	auto_free char *b = xmemdupz("text", 2);
	auto_free char *c = xmemdupz(NULL, 0);
	auto_free char *d = xasprintf("%s-%d", "n", 5);

	(void)state;
	assert_string_equal(a, "text");
	assert_string_equal(b, "te");
	assert_string_equal(c, "");
	assert_string_equal(d, "n-5");
}

/* Returns what it was given, through a variable that would free it. */
static char *
hand_over(char *s)
{
	auto_free char *mine = s;

	return take_ptr(&mine);
}

static void
what_is_taken_is_not_cleaned_up(void **state)
{
	char *s = hand_over(xstrdup("alive"));
	int fd;

	(void)state;
	assert_string_equal(s, "alive");
	free(s);
	{
		auto_close int mine = open("/dev/null", O_RDONLY | O_CLOEXEC);

		fd = take_fd(&mine);
		assert_int_equal(mine, -1);
	}
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	{
		auto_close int mine = fd;

		assert_int_equal(mine, fd);
		errno = ENOTTY;
	}
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_allocated_is_still_something),
		cmocka_unit_test(arrays_grow_by_doubling_and_keep_their_items),
		cmocka_unit_test(copies_end_where_they_are_told),
		cmocka_unit_test(what_is_taken_is_not_cleaned_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Run delay: texts by hand, and of this very thread. */
#include "config.h"

#include "vm/schedstat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "procs.h"

static void
three_numbers_and_nothing_else(void **state)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{"468143340 300847760 130\n", 0},
		{"18446744073709551615 1 1\n", 0},
		{"0 0 1\n", 0},
		{"0 0 0\n", -ENODATA},
		{"18446744073709551616 1 1\n", -EINVAL},
		{"1 2\n", -EINVAL},
		{"1 2 3", -EINVAL},
		{"1  2 3\n", -EINVAL},
		{"-1 2 3\n", -EINVAL},
		{"1 2 x\n", -EINVAL},
		{"", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct schedstat s = {7, 7, 7};
		int r = schedstat_parse(cases[i].text, strlen(cases[i].text), &s);

		if (r != cases[i].r || (r < 0 && s.run_ns != 7))
			fail_msg("%s: %d", cases[i].text, r);
	}
}

static void
of_this_thread_and_of_none(void **state)
{
	struct schedstat s;
	struct schedstat later;
	uint64_t used_ns = 0;
	char dir[32];
	int procfd = procs_open_proc();

	(void)state;
	(void)snprintf(dir, sizeof(dir), "%d/task/", (int)getpid());
	if (schedstat_read(procfd, dir, getpid(), &s) == -ENODATA) {
		close(procfd);
		skip();
	}
	do {
		for (volatile unsigned int i = 0; i < 1000000; i++)
			continue;
		assert_int_equal(schedstat_read(procfd, dir, getpid(), &later), 0);
	} while (later.run_ns <= s.run_ns);
	assert_true(later.wait_ns >= s.wait_ns);
	assert_int_equal(schedstat_read(procfd, dir, 1, &s), -ESRCH);
	assert_int_equal(schedstat_process_ns(getpid(), &used_ns), 0);
	assert_true(used_ns > 0);
	assert_int_equal(schedstat_process_ns(0x3ffffff, &used_ns), -ESRCH);
	close(procfd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_numbers_and_nothing_else),
		cmocka_unit_test(of_this_thread_and_of_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

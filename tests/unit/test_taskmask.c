// SPDX-License-Identifier: MIT
/* The line of a status file that has a thread's CPUs. */
#include "config.h"

#include "vm/taskmask.h"

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
#include "base/xalloc.h"
#include "expect.h"
#include "procs.h"

/* What is around it, on Linux 6.12. */
#define STATUS(list)                                                                \
	"Name:\tkvm\nUmask:\t0027\nState:\tS (sleeping)\nTgid:\t4711\n"             \
	"Cpus_allowed:\t6\nCpus_allowed_list:\t" list "\nMems_allowed_list:\t0-1\n" \
	"voluntary_ctxt_switches:\t1\n"

static void
the_line_is_read_among_the_others(void **state)
{
	static const char *const lists[] = {"1-2", "0", "0-3,8,64-1023"};
	static const char *const texts[] = {
		STATUS("1-2"), STATUS("0"), STATUS("0-3,8,64-1023")};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct cpuset got = CPUSET_NONE;

		assert_int_equal(taskmask_parse(texts[i], strlen(texts[i]), &got), 0);
		expect_cpus(&got, lists[i], texts[i]);
	}
}

static void
what_is_no_such_line_leaves_the_output_alone(void **state)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{"", -EINVAL},
		{"Name:\tkvm\n", -EINVAL},
		{"Cpus_allowed_list:\t1\n", -EINVAL}, /* a name, if it is the first */
		{"\nCpus_allowed_list:\t1", -EINVAL}, /* cut off */
		{"\nCpus_allowed_list:\t\n", -EINVAL},
		{"\nCpus_allowed_list:\t1-\n", -EINVAL},
		{"\nCpus_allowed_list:\tffff\n", -EINVAL},
		{"\nCpus_allowed_list:\t0-100000\n", -ERANGE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cpuset got = cpuset_of(7);
		int r = taskmask_parse(cases[i].text, strlen(cases[i].text), &got);

		if (r != cases[i].r)
			fail_msg("%s: %d", cases[i].text, r);
		expect_cpus(&got, "7", cases[i].text);
	}
}

static void
a_zero_in_the_list_is_no_list(void **state)
{
	static const char text[] = "\nCpus_allowed_list:\t1\0002\n";
	struct cpuset got;

	(void)state;
	assert_int_equal(taskmask_parse(text, sizeof(text) - 1, &got), -EINVAL);
}

static void
the_kernel_tells_that_of_a_real_thread(void **state)
{
	auto_close int procfd = procs_open_proc();
	struct cpuset got = CPUSET_NONE;

	(void)state;
	assert_int_equal(taskmask_read(procfd, getpid(), getpid(), &got), 0);
	assert_false(cpuset_empty(&got));
	assert_int_equal(taskmask_read(procfd, getpid(), 1, &got), -ESRCH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_is_read_among_the_others),
		cmocka_unit_test(what_is_no_such_line_leaves_the_output_alone),
		cmocka_unit_test(a_zero_in_the_list_is_no_list),
		cmocka_unit_test(the_kernel_tells_that_of_a_real_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

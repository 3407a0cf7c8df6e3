// SPDX-License-Identifier: MIT
/* Facts of a host from its files, and from files that are not as they should be. */
#include "config.h"

#include "host/hostfacts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

#include "trees.h"

#define CLOCK "sys/devices/system/clocksource/clocksource0/current_clocksource"

static void
all_that_files_say_is_known(void **state)
{
	const char *dir = *state;
	struct hostfacts f = {0};
	struct cpuset slice = cpuset_below(2);

	trees_write_host(dir);
	trees_write(dir, CLOCK, "hpet\n");
	trees_write(dir, "sys/devices/system/cpu/smt/control", "on\n");
	trees_write(dir, "proc/sys/kernel/numa_balancing", "1\n");
	trees_write(dir, "proc/self/schedstat", "0 0 0\n");
	trees_write(dir, "sys/fs/cgroup/cgroup.controllers", "cpuset\n");
	trees_write(dir, "sys/fs/cgroup/qemu.slice/cpuset.cpus.effective", "0-1\n");
	hostfacts_read(dir, &f);
	hostfacts_read_topology(dir, &f);
	assert_string_equal(f.clocksource, "hpet");
	assert_string_equal(f.smt, "on");
	assert_string_equal(f.numa_balancing, "1");
	assert_int_equal(f.schedstat, HOSTFACTS_NO);
	assert_int_equal(f.unified, HOSTFACTS_YES);
	assert_true(f.has_slice);
	assert_true(cpuset_equal(&f.slice, &slice));
	assert_true(f.has_topology);
	assert_int_equal(f.n_nodes, 2);
	assert_int_equal(cpuset_count(&f.online), 4);
	assert_string_equal(f.kernel, ""); /* of that host nothing tells */
}

static void
an_empty_tree_says_nothing(void **state)
{
	struct hostfacts f = {0};

	hostfacts_read(*state, &f);
	hostfacts_read_topology(*state, &f);
	hostfacts_read_programs(*state, &f);
	assert_string_equal(f.clocksource, "");
	assert_int_equal(f.schedstat, HOSTFACTS_UNKNOWN);
	assert_int_equal(f.unified, HOSTFACTS_NO);
	assert_false(f.has_slice || f.has_topology);
	assert_int_equal(f.programs[HOSTFACTS_NUMAD], HOSTFACTS_UNKNOWN);
}

static void
hostile_files_are_unknown_or_harmless(void **state)
{
	const char *dir = *state;
	auto_free char *fifo = trees_path(dir, "proc/sys/kernel/numa_balancing");
	auto_free char *big = xcalloc(100001, 1);
	struct hostfacts f = {0};

	assert_int_equal(mkfifo(fifo, 0600), 0);
	memset(big, '1', 100000);
	trees_write(dir, "sys/devices/system/cpu/smt/control", big);
	trees_write(dir, CLOCK, "\033[2Jtsc\n");
	hostfacts_read(dir, &f);
	assert_string_equal(f.numa_balancing, "");
	assert_string_equal(f.smt, "");
	assert_string_equal(f.clocksource, "\\x1b[2Jtsc");
}

static void
programs_are_found_by_their_names(void **state)
{
	const char *dir = *state;
	struct hostfacts f = {0};

	trees_write(dir, "proc/1/comm", "systemd\n");
	trees_write(dir, "proc/77/comm", "numad\n");
	trees_write(dir, "proc/78/comm", "irqbalance-ui\n");
	trees_write(dir, "proc/79/comm", "virtqemud\n");
	trees_write(dir, "proc/self/comm", "tuned\n");
	hostfacts_read_programs(dir, &f);
	assert_int_equal(f.programs[HOSTFACTS_NUMAD], HOSTFACTS_YES);
	assert_int_equal(f.programs[HOSTFACTS_IRQBALANCE], HOSTFACTS_NO);
	assert_int_equal(f.programs[HOSTFACTS_TUNED], HOSTFACTS_NO);
	assert_int_equal(f.programs[HOSTFACTS_LIBVIRT], HOSTFACTS_YES);
}

static void
this_machine_can_be_asked(void **state)
{
	struct hostfacts f = {0};

	(void)state;
	hostfacts_read("", &f);
	assert_string_not_equal(f.kernel, "");
	assert_true(f.pidfd && f.pidfd_getfd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			all_that_files_say_is_known, trees_setup, trees_teardown),
		cmocka_unit_test_setup_teardown(
			an_empty_tree_says_nothing, trees_setup, trees_teardown),
		cmocka_unit_test_setup_teardown(hostile_files_are_unknown_or_harmless,
			trees_setup, trees_teardown),
		cmocka_unit_test_setup_teardown(
			programs_are_found_by_their_names, trees_setup, trees_teardown),
		cmocka_unit_test(this_machine_can_be_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

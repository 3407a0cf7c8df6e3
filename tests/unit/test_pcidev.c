// SPDX-License-Identifier: MIT
/* NUMA nodes of devices, in trees like sysfs. */
#include "config.h"

#include "host/pcidev.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "base/attr.h"
#include "trees.h"

#define DEVICES "sys/bus/pci/devices/"

static int
set_up(void **state)
{
	*state = trees_new();
	trees_write(*state, DEVICES "0000:01:00.0/numa_node", "1\n");
	trees_write(*state, DEVICES "0000:01:00.3/numa_node", "4\n");
	trees_write(*state, DEVICES "0000:02:00.0/numa_node", "-1\n");
	trees_write(*state, DEVICES "0000:03:00.0/numa_node", "99999\n");
	trees_write(*state, DEVICES "0000:04:00.0/vendor", "1\n");
	trees_write(*state, "sys/devices/gpu/numa_node", "3\n");
	trees_write(*state, "sys/devices/gpu/abc-1/name", "x\n");
	trees_write(*state, "sys/bus/mdev/devices/x", "\n");
	trees_write(*state, "sys/numa_node", "7\n");
	return 0;
}

static void
expect(const char *root, const char *name, const char *want)
{
	struct cpuset nodes = CPUSET_NONE;
	char text[CPUSET_TEXT_MAX];

	pcidev_add_nodes(root, name, &nodes);
	cpuset_format(&nodes, text, sizeof(text));
	if (strcmp(text, want) != 0)
		fail_msg("%s: %s", name, text);
}

static void
a_device_has_the_node_of_its_function(void **state)
{
	expect(*state, "0000:01:00.0", "1");
	expect(*state, "0000:01:00.3", "4");
	expect(*state, "0000:01:00", "1,4");
}

static void
without_a_node_nothing_is_added(void **state)
{
	static const char *const names[] = {"0000:02:00.0", "0000:03:00.0",
		"0000:04:00.0", "0000:05:00.0", "0000:05:00", "", "..", "../..",
		"abc-2", "0000:01:00.0/../0000:01:00.0"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		expect(*state, names[i], "");
}

static void
a_mediated_device_is_where_its_parent_is(void **state)
{
	auto_free char *link = trees_path(*state, "sys/bus/mdev/devices/abc-1");

	assert_int_equal(symlink("../../../devices/gpu/abc-1", link), 0);
	expect(*state, "abc-1", "3");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, trees_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_device_has_the_node_of_its_function),
		TEST(without_a_node_nothing_is_added),
		TEST(a_mediated_device_is_where_its_parent_is),
	};

	return cmocka_run_group_tests_name("pcidev", tests, NULL, NULL);
}

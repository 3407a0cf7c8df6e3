// SPDX-License-Identifier: MIT
/* Mount points by the kernel's list. */
#include "config.h"

#include "host/mounts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/attr.h"

static const char list[] =
	"22 28 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"
	"23 28 0:22 / /proc rw,nosuid shared:13 - proc proc rw\n"
	"301 28 0:50 / /etc/pve rw,relatime shared:99 - fuse /dev/fuse rw,user_id=0\n"
	"302 28 0:51 / /mnt/a\\040b\\134c rw - tmpfs tmpfs rw\n"
	"303 28\n"
	"304 28 0:51 / /short";

static const struct {
	const char *path;
	bool listed;
} cases[] = {
	{"/sys", true},
	{"/etc/pve", true},
	{"/mnt/a b\\c", true},
	{"/short", true},
	{"/etc", false},
	{"/etc/pve2", false},
	{"/etc/pve/nodes", false},
	{"/", false}, /* which is what is mounted, not where */
	{"fuse", false},
	{"28", false},
};

static void
only_mount_points_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (mounts_listed(list, cases[i].path) != cases[i].listed)
			fail_msg("case %zu: %s", i, cases[i].path);
	}
	assert_false(mounts_listed("", "/etc/pve"));
	assert_false(mounts_listed("1 2 3 4 \\0", "\\"));
}

static void
those_of_this_process_are_known(void **state)
{
	(void)state;
	assert_true(mounts_has("/proc"));
	assert_false(mounts_has("/proc/self"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_mount_points_are_found),
		cmocka_unit_test(those_of_this_process_are_known),
	};

	return cmocka_run_group_tests_name("mounts", tests, NULL, NULL);
}

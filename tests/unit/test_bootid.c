// SPDX-License-Identifier: MIT
/* The boot's id, from the kernel's file and from the unit's variable. */
#include "config.h"

#include "act/bootid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"

static void
dashes_make_no_difference(void **state)
{
	char id[BOOTID_MAX];

	(void)state;
	assert_int_equal(bootid_parse("3f2a1b4c-0000-4111-8222-0123456789ab\n", id), 0);
	assert_string_equal(id, "3f2a1b4c0000411182220123456789ab");
	assert_int_equal(bootid_parse("3f2a1b4c0000411182220123456789ab", id), 0);
	assert_string_equal(id, "3f2a1b4c0000411182220123456789ab");
}

static void
what_is_no_id_is_refused(void **state)
{
	static const char *const texts[] = {"", "\n", "-", "3f2a1b4c",
		"3f2a1b4c0000411182220123456789a", "3f2a1b4c0000411182220123456789abc",
		"3F2A1B4C0000411182220123456789AB", "3f2a1b4c0000411182220123456789a ",
		"3f2a1b4c0000411182220123456789ag",
		"3f2a1b4c0000411182220123456789ab\n\n"};
	char id[BOOTID_MAX] = "untouched";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (bootid_parse(texts[i], id) != -EINVAL)
			fail_msg("\"%s\" was accepted", texts[i]);
	}
	assert_string_equal(id, "untouched");
}

static void
this_boot_has_an_id(void **state)
{
	char first[BOOTID_MAX];
	char second[BOOTID_MAX];

	(void)state;
	assert_int_equal(bootid_read(first), 0);
	assert_int_equal(strlen(first), 32);
	/* the kernel's word counts more than the unit's */
	setenv("QMPIN_BOOT_ID", "ffffffffffffffffffffffffffffffff", 1);
	assert_int_equal(bootid_read(second), 0);
	unsetenv("QMPIN_BOOT_ID");
	assert_string_equal(first, second);
}

/* Exit status of a child whose /proc shows processes only, as ProcSubset=pid makes it.
 */
static int
read_behind_subset_pid(void)
{
	char id[BOOTID_MAX];

	if (unshare(CLONE_NEWNS) < 0 ||
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("proc", "/proc", "proc", 0, "subset=pid") < 0)
		return 77;
	unsetenv("QMPIN_BOOT_ID");
	if (bootid_read(id) != -ENODATA)
		return 1;
	setenv("QMPIN_BOOT_ID", "nonsense", 1);
	if (bootid_read(id) != -ENODATA)
		return 2;
	setenv("QMPIN_BOOT_ID", "3f2a1b4c0000411182220123456789ab", 1);
	if (bootid_read(id) != 0 || strcmp(id, "3f2a1b4c0000411182220123456789ab") != 0)
		return 3;
	return 0;
}

static void
the_units_variable_stands_in_where_proc_hides_it(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(read_behind_subset_pid());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: cannot mount here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dashes_make_no_difference),
		cmocka_unit_test(what_is_no_id_is_refused),
		cmocka_unit_test(this_boot_has_an_id),
		cmocka_unit_test(the_units_variable_stands_in_where_proc_hides_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

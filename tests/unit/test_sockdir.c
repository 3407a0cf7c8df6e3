// SPDX-License-Identifier: MIT
/* Names of monitor sockets, and which file in a directory is one. */
#include "config.h"

#include "vm/sockdir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/xalloc.h"
#include "procs.h"
#include "vm/discovery.h"

struct found {
	unsigned int n;
	unsigned int sum; /* of the VM numbers */
};

static void
only_names_of_vms_are_names(void **state)
{
	static const char *const bad[] = {"", ".", "..", ".qmp", "1.qmp", "12.qmp",
		"-1.qmp", "012.qmp", "0123.qmp", "000.qmp", "1000000000.qmp",
		"99999999999999999999.qmp", "103", "103.", "103.qm", "103.qmpx",
		"103.qmp.", "103.QMP", "103.pid", "103qmp", " 103.qmp", "103 .qmp",
		"+103.qmp", "1e3.qmp", "103.qmp\n", "x103.qmp", "103x.qmp",
		"10\xb3.qmp"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (sockdir_parse_name(bad[i]) != -1)
			fail_msg("\"%s\" was accepted", bad[i]);
	}
	assert_int_equal(sockdir_parse_name("100.qmp"), 100);
	assert_int_equal(sockdir_parse_name("103.qmp"), 103);
	assert_int_equal(sockdir_parse_name("999999999.qmp"), 999999999);
}

static void
on_socket(void *owner, int vmid, const struct sockdir_key *key)
{
	struct found *found = owner;

	assert_true(key->ino != 0);
	found->n++;
	found->sum += (unsigned int)vmid;
}

static void
make(const char *dir, const char *name, mode_t type)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);

	assert_int_equal(mknod(path, type | 0600, 0), 0);
}

static void
only_sockets_are_listed(void **state)
{
	char *dir = procs_make_dir();
	auto_free char *link = xasprintf("%s/107.qmp", dir);
	struct found found = {0};

	(void)state;
	assert_int_equal(symlink("100.qmp", link), 0);
	make(dir, "100.qmp", S_IFSOCK);
	make(dir, "103.qmp", S_IFSOCK);
	make(dir, "104.qmp", S_IFREG);
	make(dir, "105.qmp", S_IFIFO);
	make(dir, "106.pid", S_IFSOCK);
	make(dir, "-1.qmp", S_IFSOCK);
	assert_int_equal(sockdir_each(dir, on_socket, &found), 0);
	assert_int_equal(found.n, 2);
	assert_int_equal(found.sum, 203);
	procs_remove_dir(dir);
}

static void
a_directory_that_cannot_be_read_is_told(void **state)
{
	char *dir = procs_make_dir();
	auto_free char *none = xasprintf("%s/none", dir);
	auto_free char *file = xasprintf("%s/100.qmp", dir);
	struct found found = {0};

	(void)state;
	make(dir, "100.qmp", S_IFREG);
	assert_int_equal(sockdir_each(none, on_socket, &found), -ENOENT);
	assert_int_equal(sockdir_each(file, on_socket, &found), -ENOTDIR);
	assert_int_equal(found.n, 0);
	procs_remove_dir(dir);
}

static void
a_file_has_a_key_of_its_own(void **state)
{
	char *dir = procs_make_dir();
	auto_free char *none = xasprintf("%s/none", dir);
	auto_free char *path = xasprintf("%s/100.qmp", dir);
	struct sockdir_key first;
	struct sockdir_key again;

	(void)state;
	make(dir, "100.qmp", S_IFSOCK);
	make(dir, "101.qmp", S_IFREG);
	assert_int_equal(sockdir_look(dir, 100, &first), 0);
	assert_int_equal(sockdir_look(dir, 101, &again), -ENOENT);
	assert_int_equal(sockdir_look(dir, 102, &again), -ENOENT);
	assert_int_equal(sockdir_look(none, 100, &again), -ENOENT);
	/* neither its mode nor its owner is the file */
	assert_int_equal(chmod(path, 0777), 0);
	assert_int_equal(sockdir_look(dir, 100, &again), 0);
	assert_true(sockdir_same(&first, &again));
	/* on ext4 it gets the same inode number, but is younger */
	procs_wait_tick();
	assert_int_equal(unlink(path), 0);
	make(dir, "100.qmp", S_IFSOCK);
	assert_int_equal(sockdir_look(dir, 100, &again), 0);
	assert_false(sockdir_same(&first, &again));
	procs_remove_dir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_names_of_vms_are_names),
		cmocka_unit_test(only_sockets_are_listed),
		cmocka_unit_test(a_directory_that_cannot_be_read_is_told),
		cmocka_unit_test(a_file_has_a_key_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

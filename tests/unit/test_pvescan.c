// SPDX-License-Identifier: MIT
/*
 * Looking through VM configurations: what is told of them, and that neither a file
 * system that hangs nor what is in the files can do harm.
 */
#include "config.h"

#include "cli/pvescan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "checklist.h"
#include "trees.h"

#define PATIENCE_MS 60000
#define CONFIGS "etc/pve/qemu-server/"

static struct checks
look(const char *dir)
{
	struct checks c = {0};

	pvescan_run(dir, pvescan_read, PATIENCE_MS, &c);
	return c;
}

static void
a_host_without_proxmox_is_not_spoken_of(void **state)
{
	struct checks c = look(*state);

	assert_int_equal(c.n, 0);
	checks_fini(&c);
}

static void
configurations_without_other_pinners_are_well(void **state)
{
	const char *dir = *state;
	struct checks c;

	trees_write(dir, CONFIGS "100.conf", "cores: 2\n");
	trees_write(dir, CONFIGS "101.conf", "hookscript: local:snippets/a.sh\n");
	trees_write(dir, CONFIGS "101.conf.tmp.1", "pinning: 1\n");
	trees_write(dir, CONFIGS "x.conf", "pinning: 1\n");
	trees_write(dir, "var/lib/vz/snippets/a.sh", "#!/bin/sh\nexit 0\n");
	c = look(dir);
	assert_int_equal(c.n, 1);
	assert_true(
		checklist_is(&c, "pinners", CHECKS_OK, "none in 2 VM configurations"));
	checks_fini(&c);
}

static void
vms_with_the_same_script_share_a_line(void **state)
{
	const char *dir = *state;
	struct checks c;

	trees_write(dir, "etc/pve/storage.cfg", "dir: tank\n\tpath /tank\n");
	trees_write(dir, "tank/snippets/pin.sh", "taskset -acp 0 $1\n");
	trees_write(dir, CONFIGS "1000.conf", "hookscript: tank:snippets/pin.sh\n");
	trees_write(dir, CONFIGS "102.conf", "hookscript: tank:snippets/pin.sh\n");
	trees_write(dir, CONFIGS "103.conf", "pinning: 0-3\nargs: taskset\n");
	c = look(dir);
	assert_int_equal(c.n, 3);
	assert_true(checklist_is(&c, "pinners", CHECKS_WARNING,
		"VMs 102, 1000: hookscript tank:snippets/pin.sh has taskset in it"));
	assert_true(checklist_is(
		&c, "pinners", CHECKS_WARNING, "VM 103: configured with 'pinning:'"));
	assert_true(checklist_is(
		&c, "pinners", CHECKS_WARNING, "VM 103: 'args:' has taskset in it"));
	checks_fini(&c);
}

static void
hostile_files_are_told_and_harmless(void **state)
{
	const char *dir = *state;
	auto_free char *fifo = trees_path(dir, CONFIGS "100.conf");
	auto_free char *script = trees_path(dir, "var/lib/vz/snippets/fifo.sh");
	auto_free char *big = xcalloc(2000001, 1);
	struct checks c;

	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(mkfifo(script, 0600), 0);
	memset(big, 'x', 2000000);
	trees_write(dir, CONFIGS "101.conf", "hookscript: local:snippets/fifo.sh\n");
	trees_write(dir, CONFIGS "102.conf", "hookscript: \033]0;x\007\n");
	trees_write(dir, CONFIGS "103.conf", big);
	c = look(dir);
	assert_int_equal(c.n, 4);
	assert_true(checklist_is(&c, "pinners", CHECKS_NOTE,
		"VM 100: configuration is not read: not a regular file"));
	assert_true(checklist_is(&c, "pinners", CHECKS_NOTE,
		"VM 101: hookscript local:snippets/fifo.sh cannot be read"));
	assert_true(checklist_is(&c, "pinners", CHECKS_NOTE,
		"VM 102: hookscript \\x1b]0;x\\x07 cannot be read"));
	assert_true(checklist_is(&c, "pinners", CHECKS_NOTE,
		"VM 103: configuration is not read: more than"));
	checks_fini(&c);
}

/* As a file system does whose server has died. */
static void
hang(const char *root, int fd)
{
	(void)root;
	(void)fd;
	for (;;)
		(void)pause();
}

static void
find_one_and_hang(const char *root, int fd)
{
	pvescan_read(root, fd);
	hang(root, fd);
}

static void
die_without_a_word(const char *root, int fd)
{
	(void)root;
	(void)fd;
	_exit(0);
}

static void
a_file_system_that_hangs_is_not_waited_for(void **state)
{
	struct checks c = {0};

	pvescan_run(*state, hang, 50, &c);
	assert_int_equal(c.n, 1);
	assert_true(checklist_is(&c, "pinners", CHECKS_WARNING,
		"VM configurations could not be read within 1 s"));
	assert_non_null(c.list[0].advice);
	checks_fini(&c);
}

static void
what_is_done_need_not_end(void **state)
{
	struct checks c = {0};

	trees_write(*state, CONFIGS "100.conf", "pinning: 1\n");
	pvescan_run(*state, find_one_and_hang, PATIENCE_MS, &c);
	assert_int_equal(c.n, 1);
	assert_true(checklist_is(&c, "pinners", CHECKS_WARNING, "VM 100: configured"));
	checks_fini(&c);
}

static void
a_reader_that_dies_is_told(void **state)
{
	struct checks c = {0};

	pvescan_run(*state, die_without_a_word, PATIENCE_MS, &c);
	assert_true(checklist_is(&c, "pinners", CHECKS_NOTE, "VM configurations can"));
	checks_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_host_without_proxmox_is_not_spoken_of,
			trees_setup, trees_teardown),
		cmocka_unit_test_setup_teardown(
			configurations_without_other_pinners_are_well, trees_setup,
			trees_teardown),
		cmocka_unit_test_setup_teardown(vms_with_the_same_script_share_a_line,
			trees_setup, trees_teardown),
		cmocka_unit_test_setup_teardown(hostile_files_are_told_and_harmless,
			trees_setup, trees_teardown),
		cmocka_unit_test_setup_teardown(
			a_file_system_that_hangs_is_not_waited_for, trees_setup,
			trees_teardown),
		cmocka_unit_test_setup_teardown(
			what_is_done_need_not_end, trees_setup, trees_teardown),
		cmocka_unit_test_setup_teardown(
			a_reader_that_dies_is_told, trees_setup, trees_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

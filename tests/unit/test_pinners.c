// SPDX-License-Identifier: MIT
/* What of a VM's configuration and hookscript tells of somebody else who pins. */
#include "config.h"

#include "pve/pinners.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "pve/vmconf.h"

static struct vmconf
read_conf(const char *text)
{
	struct vmconf c;

	assert_int_equal(vmconf_parse(text, strlen(text), &c), 0);
	return c;
}

static void
only_the_main_section_counts(void **state)
{
	struct vmconf c = read_conf("#hookscript: local:snippets/in-a-description.sh\n"
				    "cores: 4\n"
				    "hookscript: local:snippets/pin.sh \r\n"
				    "[PENDING]\n"
				    "pinning: 1\n"
				    "[snap]\n"
				    "args: -foo taskset\n");

	(void)state;
	assert_string_equal(c.hookscript, "local:snippets/pin.sh");
	assert_false(c.pinning);
	assert_null(c.args);
	vmconf_fini(&c);
}

static void
properties_and_arguments_of_other_pinners_are_seen(void **state)
{
	struct vmconf c = read_conf("pinning: 0-3\nargs: -name x; taskset -c 1");

	(void)state;
	assert_true(c.pinning);
	assert_string_equal(pinners_in_args(c.args), "taskset");
	vmconf_fini(&c);
	c = read_conf("args: -cpu host,mytaskset=1\nmypinning: 1\n");
	assert_false(c.pinning);
	assert_null(pinners_in_args(c.args));
	vmconf_fini(&c);
}

static void
a_name_that_is_too_long_is_no_name(void **state)
{
	auto_free char *text = xcalloc(100020, 1);
	struct vmconf c;

	(void)state;
	(void)snprintf(text, 20, "hookscript: ");
	memset(text + strlen(text), 'x', 100000);
	c = read_conf(text);
	assert_null(c.hookscript);
	vmconf_fini(&c);
}

static const struct {
	const char *script;
	const char *word; /* NULL: none */
} scripts[] = {
	{"#!/bin/sh\ntaskset -a -p -c 0-3 $PID\n", "taskset"},
	{"#!/bin/sh\n# no taskset here\n  # nor cset\necho hello\n", NULL},
	{"os.sched_setaffinity(tid, cpus)", "sched_setaffinity"},
	{"cset proc -m", "cset"},
	{"echo 0-3 > $d/cpuset.cpus", "cpuset"},
	{"systemctl set-property $1.scope AllowedCPUs=0-3", "AllowedCPUs"},
	{"my_taskset_log=1; tasksets; basset", NULL},
	{"", NULL},
	{"\n\n\n", NULL},
};

static void
scripts_that_pin_are_known_by_their_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		const char *word = pinners_in_script(scripts[i].script);

		if (!str_equal(word, scripts[i].word))
			fail_msg("case %zu: %s", i, word != NULL ? word : "nothing");
	}
}

static const struct {
	const char *volume;
	const char *path; /* NULL: refused */
} volumes[] = {
	{"local:snippets/a.sh", "/srv/vz/snippets/a.sh"},
	{"tank:snippets/a.pl", "/tank/pve/snippets/a.pl"},
	{"share:snippets/a.sh", "/mnt/pve/share/snippets/a.sh"},
	{"unknown:snippets/a.sh", "/mnt/pve/unknown/snippets/a.sh"},
	{"local:../../etc/shadow", NULL},
	{"..:snippets/a.sh", NULL},
	{"a/b:snippets/a.sh", NULL},
	{":snippets/a.sh", NULL},
	{"/etc/shadow", NULL},
	{"", NULL},
};

static const char storage[] = "dir: local\n"
			      "\tpath /srv/vz\n"
			      "\tcontent snippets\n"
			      "\n"
			      "nfs: share\n"
			      "\texport /path /x\n"
			      "\n"
			      "dir: tank\n"
			      "\tcontent snippets\n"
			      "\tpath  /tank/pve \n";

static void
a_script_is_where_its_storage_is(void **state)
{
	char path[PINNERS_PATH_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(volumes); i++) {
		bool found = pinners_script_path(storage, volumes[i].volume, path);

		if (found != (volumes[i].path != NULL) ||
			(found && strcmp(path, volumes[i].path) != 0))
			fail_msg("case %zu: %s", i, found ? path : "refused");
	}
	assert_true(pinners_script_path("", "local:snippets/a.sh", path));
	assert_string_equal(path, "/var/lib/vz/snippets/a.sh");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_main_section_counts),
		cmocka_unit_test(properties_and_arguments_of_other_pinners_are_seen),
		cmocka_unit_test(a_name_that_is_too_long_is_no_name),
		cmocka_unit_test(scripts_that_pin_are_known_by_their_words),
		cmocka_unit_test(a_script_is_where_its_storage_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* The command line of qmpind: defaults, implications, errors that name the argument. */
#include "config.h"

#include "daemon/cmdline.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MAX_ARGS 8

/* Parse "qmpind" and the given words, NULL-terminated. */
static int
parse(struct cmdline *c, struct err *e, const char *const *words)
{
	char storage[MAX_ARGS][64] = {"qmpind"};
	char *argv[MAX_ARGS + 1] = {storage[0]};
	int argc = 1;

	for (; words[argc - 1] != NULL; argc++) {
		strncpy(storage[argc], words[argc - 1], sizeof(storage[argc]) - 1);
		argv[argc] = storage[argc];
	}
	*e = (struct err)ERR_NONE;
	return cmdline_parse(c, argc, argv, e);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
nothing_given_means_the_documented_defaults(void **state)
{
	struct cmdline c;
	struct err e;

	(void)state;
	assert_int_equal(parse(&c, &e, (const char *const[]){NULL}), 0);
	assert_string_equal(c.vm_dir, "/run/qemu-server");
	assert_string_equal(c.run_dir, "/run/qmpin");
	assert_string_equal(c.state_dir, "/var/lib/qmpin");
	assert_false(c.run_dir_given);
	assert_false(c.dry_run);
	assert_null(c.config);
}

static void
both_forms_of_a_value_are_read(void **state)
{
	struct cmdline c;
	struct err e;

	(void)state;
	assert_int_equal(parse(&c, &e, WORDS("--vm-dir=/a", "--run-dir", "/b")), 0);
	assert_memory_equal(&c.run_dir_given, &(bool){true}, sizeof(bool));
}

static void
a_foreign_host_implies_a_dry_run(void **state)
{
	struct cmdline c;
	struct err e;

	(void)state;
	assert_int_equal(parse(&c, &e, WORDS("--topology", "tree")), 0);
	assert_true(c.dry_run);
	assert_int_equal(parse(&c, &e, WORDS("--root", "tree")), 0);
	assert_true(c.dry_run);
	assert_int_equal(parse(&c, &e, WORDS("--foreground")), 0);
	assert_false(c.dry_run);
}

static void
mistakes_are_named(void **state)
{
	static const struct {
		const char *word;
		const char *named;
	} cases[] = {
		{"--bogus", "--bogus"},
		{"stray", "stray"},
		{"--config", "--config needs a value"},
		{"--forget", "--forget is for --restore only"},
		{"-x", "-x"},
	};
	struct cmdline c;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("case %s\n", cases[i].word);
		assert_int_equal(parse(&c, &e, WORDS(cases[i].word)), -EINVAL);
		assert_non_null(strstr(e.text, cases[i].named));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_given_means_the_documented_defaults),
		cmocka_unit_test(both_forms_of_a_value_are_read),
		cmocka_unit_test(a_foreign_host_implies_a_dry_run),
		cmocka_unit_test(mistakes_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Which CPUs can be measured, and what the user is told about the others. */
#include "config.h"

#include "probe/usable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

static struct cpuset
set_of(const char *text)
{
	struct cpuset s = CPUSET_NONE;

	assert_int_equal(cpuset_parse(text, &s), 0);
	return s;
}

static const struct {
	const char *asked; /* NULL: all */
	const char *online;
	const char *allowed;
	const char *cpus; /* NULL: refused */
	const char *text; /* note or error */
} table[] = {
	{NULL, "0-3", "0-3", "0-3", ""},
	{NULL, "0-3", "0-2047", "0-3", ""},
	{"0-2", "0-3", "0-3", "0-2", ""},
	{"0-3", "0-7", "2-9", "2-3",
		"left out, since they are offline or not allowed here: CPUs 0-1"},
	{NULL, "0-7", "2-9", "2-7",
		"left out, since they are not allowed here: CPUs 0-1 (measured: 2-7)"},
	{"8-9", "0-3", "0-1", NULL,
		"none of the CPUs asked for, 8-9, is online and allowed (online: 0-3; allowed: 0-1)"},
	{NULL, "0-3", "8", NULL, "no CPU may be used here (online: 0-3; allowed: 8)"},
	{NULL, "0-3", "", NULL, "no CPU may be used here (online: 0-3; allowed: none)"},
	{"1,9", "0-3", "0-3", NULL,
		"CPU 1 is the only one that can be measured, and a pair is needed (online: 0-3; allowed: 0-3)"},
};

static void
cpus_are_chosen_and_the_rest_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct cpuset asked =
			set_of(table[i].asked != NULL ? table[i].asked : "");
		struct cpuset online = set_of(table[i].online);
		struct cpuset allowed = set_of(table[i].allowed);
		struct usable out = {.note = "untouched"};
		struct err e = ERR_NONE;
		int r = usable_choose(table[i].asked != NULL ? &asked : NULL, &online,
			&allowed, &out, &e);
		struct cpuset want = set_of(table[i].cpus != NULL ? table[i].cpus : "");

		if (r != (table[i].cpus != NULL ? 0 : -EINVAL) ||
			!cpuset_equal(&out.cpus, &want))
			fail_msg("case %zu: %d", i, r);
		assert_string_equal(r < 0 ? e.text : out.note, table[i].text);
		if (r < 0)
			assert_string_equal(out.note, "untouched");
	}
}

static void
long_lists_are_cut_in_the_text_only(void **state)
{
	struct cpuset online = cpuset_below(CPUSET_CAP);
	struct cpuset allowed = CPUSET_NONE;
	struct err e = ERR_NONE;
	struct usable out;

	(void)state;
	for (unsigned int cpu = 0; cpu < CPUSET_CAP; cpu += 2)
		cpuset_add(&allowed, cpu);
	assert_int_equal(usable_choose(NULL, &online, &allowed, &out, &e), 0);
	assert_true(cpuset_equal(&out.cpus, &allowed));
	assert_non_null(strstr(out.note, "..."));
	online = cpuset_of(3);
	assert_int_equal(usable_choose(&allowed, &online, &allowed, &out, &e), -EINVAL);
	assert_non_null(strstr(e.text, "allowed: 0,2,4"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpus_are_chosen_and_the_rest_is_told),
		cmocka_unit_test(long_lists_are_cut_in_the_text_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

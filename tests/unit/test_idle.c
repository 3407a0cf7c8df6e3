// SPDX-License-Identifier: MIT
/* Which CPUs idle when threads with these masks use so much. */
#include "config.h"

#include "daemon/idle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/attr.h"
#include "expect.h"

struct use {
	const char *cpus;
	double busy;
	unsigned int n;
};

/* Sixteen CPUs; the VM that waits has 0-3. */
static const struct {
	const char *what;
	struct use uses[3];
	double background; /* on each of 4-15 */
	const char *idle;  /* NULL: none */
} cases[] = {
	{"nobody else", {{"0-3", 1, 4}}, 0, "4-15"},
	{"a half idle host", {{"0-3", 1, 4}, {"4-7", 1, 4}}, 0, "8-15"},
	{"all are busy", {{"0-3", 1, 4}, {"4-15", 1, 12}}, 0, NULL},
	{"wide threads fill all", {{"0-3", 1, 4}, {"0-15", 1, 12}}, 0, NULL},
	{"wide threads leave some", {{"0-3", 1, 4}, {"0-15", 1, 8}}, 0, "4-15"},
	{"all could be on the last ones",
		{{"12-15", 0.7, 4}, {"4-11", 1, 8}, {"0-15", 0.8, 1}}, 0, NULL},
	{"pinned ones", {{"4", 1, 1}, {"5", 0.5, 1}, {"6-15", 1, 10}}, 0, "5"},
	{"others", {{"0-3", 1, 4}}, 0.9, NULL},
	{"others leave some", {{"0-3", 1, 4}}, 0.5, "4-15"},
};

static void
what_idles_is_outside_and_sure(void **state)
{
	struct cpuset where = cpus("4-15");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct idle idle = idle_new();
		struct cpuset got = CPUSET_NONE;
		struct cpuset want = cpus(cases[i].idle != NULL ? cases[i].idle : "");
		char text[128];
		bool found;

		for (size_t u = 0; u < 3 && cases[i].uses[u].cpus != NULL; u++) {
			struct cpuset on = cpus(cases[i].uses[u].cpus);

			for (unsigned int k = 0; k < cases[i].uses[u].n; k++)
				idle_add(&idle, &on, cases[i].uses[u].busy);
		}
		for (unsigned int cpu = 4; cpu < 16; cpu++)
			idle_add_background(&idle, cpu, cases[i].background);
		idle_settle(&idle);
		found = idle_find(&idle, &where, &got);
		if (found != (cases[i].idle != NULL) || !cpuset_equal(&got, &want))
			fail_msg("%s: %s", cases[i].what,
				cpuset_format(&got, text, sizeof(text)));
		idle_fini(&idle);
	}
}

static void
nowhere_nothing_idles(void **state)
{
	struct idle idle = idle_new();
	struct cpuset where = CPUSET_NONE;
	struct cpuset out = cpuset_of(7);

	(void)state;
	idle_settle(&idle);
	assert_false(idle_find(&idle, &where, &out));
	assert_true(cpuset_has(&out, 7));
	idle_fini(&idle);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_idles_is_outside_and_sure),
		cmocka_unit_test(nowhere_nothing_idles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

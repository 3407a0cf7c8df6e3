// SPDX-License-Identifier: MIT
/* CPU sets: text in, text out, and the algebra between. */
#include "config.h"

#include "topo/cpuset.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"

struct text_case {
	const char *text;
	int result;
	const char *canonical;
};

static struct cpuset
parsed(const char *text)
{
	struct cpuset s;

	assert_int_equal(cpuset_parse(text, &s), 0);
	return s;
}

static void
check_texts(const struct text_case *cases, size_t n,
	int (*parse)(const char *, struct cpuset *))
{
	for (size_t i = 0; i < n; i++) {
		char text[CPUSET_TEXT_MAX];
		struct cpuset s;
		int r = parse(cases[i].text, &s);

		if (r != cases[i].result)
			fail_msg("\"%s\": %d", cases[i].text, r);
		if (r == 0)
			assert_string_equal(cpuset_format(&s, text, sizeof(text)),
				cases[i].canonical);
	}
}

static void
lists_are_read_as_the_kernel_writes_them(void **state)
{
	static const struct text_case cases[] = {
		{"", 0, ""},
		{"\n", 0, ""},
		{"0", 0, "0"},
		{"0-3,8\n", 0, "0-3,8"},
		{"8,0-3", 0, "0-3,8"},
		{"1-2,2-3,0", 0, "0-3"},
		{"2047", 0, "2047"},
		{"007", 0, "7"},
		{"2048", -ERANGE, NULL},
		{"0-99999999999999999999", -ERANGE, NULL},
		{"3-1", -EINVAL, NULL},
		{"0,", -EINVAL, NULL},
		{",0", -EINVAL, NULL},
		{"0,,1", -EINVAL, NULL},
		{"0-", -EINVAL, NULL},
		{"-1", -EINVAL, NULL},
		{" 0", -EINVAL, NULL},
		{"0 ", -EINVAL, NULL},
		{"0\n\n", -EINVAL, NULL},
		{"0-3:2/4", -EINVAL, NULL},
		{"all", -EINVAL, NULL},
		{"0x3", -EINVAL, NULL},
	};

	(void)state;
	check_texts(cases, ARRAY_LEN(cases), cpuset_parse);
}

static void
maps_are_read_from_the_right(void **state)
{
	static const struct text_case cases[] = {
		{"f\n", 0, "0-3"},
		{"0", 0, ""},
		{"00000000,0000ff0f", 0, "0-3,8-15"},
		{"1,00000000", 0, "32"},
		{"3,1", 0, "0,32-33"},
		{"Ff", 0, "0-7"},
		{"80000000,00000000", 0, "63"},
		{"", -EINVAL, NULL},
		{"\n", -EINVAL, NULL},
		{",f", -EINVAL, NULL},
		{"f,", -EINVAL, NULL},
		{"f,,f", -EINVAL, NULL},
		{"123456789", -EINVAL, NULL},
		{"0xff", -EINVAL, NULL},
		{"f f", -EINVAL, NULL},
	};

	(void)state;
	check_texts(cases, ARRAY_LEN(cases), cpuset_parse_map);
}

static void
maps_wider_than_the_cap_need_only_be_empty_up_there(void **state)
{
	char text[2000] = "00000000";
	struct cpuset s;

	(void)state;
	for (unsigned int word = 0; word < CPUSET_CAP / 32; word++)
		strcat(text, ",00000001");
	assert_int_equal(cpuset_parse_map(text, &s), 0);
	assert_int_equal(cpuset_count(&s), CPUSET_CAP / 32);
	text[7] = '1';
	assert_int_equal(cpuset_parse_map(text, &s), -ERANGE);
}

static void
failed_parse_leaves_the_output_alone(void **state)
{
	const struct cpuset before = cpuset_of(5);
	struct cpuset s = before;

	(void)state;
	assert_int_equal(cpuset_parse("0-3,x", &s), -EINVAL);
	assert_int_equal(cpuset_parse("0-3,4000", &s), -ERANGE);
	assert_int_equal(cpuset_parse_map("f,g", &s), -EINVAL);
	assert_true(cpuset_equal(&s, &before));
}

/* Every second CPU makes the most items, two of three the longest text. */
static void
the_longest_lists_fit_their_buffer(void **state)
{
	(void)state;
	for (unsigned int step = 2; step < 5; step++) {
		struct cpuset s = cpuset_below(CPUSET_CAP);
		char text[CPUSET_TEXT_MAX];
		struct cpuset again;

		for (unsigned int cpu = step - 1; cpu < CPUSET_CAP; cpu += step)
			cpuset_remove(&s, cpu);
		again = parsed(cpuset_format(&s, text, sizeof(text)));
		assert_true(cpuset_equal(&s, &again));
	}
}

static void
a_short_buffer_gets_whole_items_and_dots(void **state)
{
	static const char whole[] = "0-3,8,100-200,2000";
	const struct cpuset s = parsed(whole);

	(void)state;
	for (size_t size = 8; size < 32; size++) {
		char text[33];
		size_t len;

		memset(text, '#', sizeof(text));
		(void)cpuset_format(&s, text, size);
		len = strlen(text);
		assert_true(len < size);
		assert_int_equal(text[size], '#');
		if (size > strlen(whole)) {
			assert_string_equal(text, whole);
			continue;
		}
		assert_string_equal(text + len - 3, "...");
		assert_memory_equal(text, whole, len - 3);
		assert_true(len == 3 || text[len - 4] == ',');
	}
}

static void
next_walks_every_cpu_once(void **state)
{
	const struct cpuset s = parsed("0,63-64,127,2047");
	const struct cpuset none = CPUSET_NONE;
	const unsigned int expected[] = {0, 63, 64, 127, 2047};
	unsigned int n = 0;

	(void)state;
	cpuset_foreach (cpu, &s)
		assert_int_equal(cpu, expected[n++]);
	assert_int_equal(n, ARRAY_LEN(expected));
	assert_int_equal(cpuset_next(&s, CPUSET_CAP), CPUSET_CAP);
	assert_int_equal(cpuset_next(&s, 128), 2047);
	assert_int_equal(cpuset_next(&none, 0), CPUSET_CAP);
}

static void
sets_behave_as_sets(void **state)
{
	const struct cpuset a = parsed("0-3,100");
	const struct cpuset b = parsed("2-5");
	const struct cpuset none = CPUSET_NONE;
	const struct cpuset four = cpuset_below(4);
	const struct cpuset both = cpuset_or(&a, &b);
	const struct cpuset common = cpuset_and(&a, &b);
	struct cpuset s = cpuset_minus(&a, &b);

	(void)state;
	assert_int_equal(cpuset_count(&common), 2);
	assert_true(cpuset_has(&common, 2) && cpuset_has(&common, 3));
	assert_int_equal(cpuset_count(&s), 3);
	assert_int_equal(cpuset_count(&both), 7);
	assert_true(cpuset_within(&a, &both) && cpuset_within(&b, &both));
	assert_false(cpuset_within(&both, &a));
	assert_true(cpuset_within(&none, &none));
	assert_true(cpuset_overlap(&a, &b));
	assert_false(cpuset_overlap(&a, &none));
	assert_true(cpuset_empty(&none));
	assert_false(cpuset_empty(&a));
	assert_false(cpuset_has(&a, CPUSET_CAP));
	assert_false(cpuset_has(&a, UINT32_MAX));
	s = a;
	cpuset_remove(&s, CPUSET_CAP + 100);
	cpuset_remove(&s, 100);
	assert_true(cpuset_equal(&s, &four));
}

static void
below_gives_the_first_cpus(void **state)
{
	static const unsigned int counts[] = {0, 1, 63, 64, 65, 2047, 2048};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		const struct cpuset s = cpuset_below(counts[i]);

		assert_int_equal(cpuset_count(&s), counts[i]);
		assert_false(cpuset_has(&s, counts[i]));
	}
}

static void
compare_orders_by_the_lowest_difference(void **state)
{
	const struct cpuset a = parsed("0-3");
	const struct cpuset b = parsed("4-7");
	const struct cpuset c = parsed("0,200");

	(void)state;
	assert_int_equal(cpuset_compare(&a, &a), 0);
	assert_int_equal(cpuset_compare(&a, &b), -1);
	assert_int_equal(cpuset_compare(&b, &a), 1);
	assert_int_equal(cpuset_compare(&a, &c), -1);
	assert_int_equal(cpuset_compare(&c, &b), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_read_as_the_kernel_writes_them),
		cmocka_unit_test(maps_are_read_from_the_right),
		cmocka_unit_test(maps_wider_than_the_cap_need_only_be_empty_up_there),
		cmocka_unit_test(failed_parse_leaves_the_output_alone),
		cmocka_unit_test(the_longest_lists_fit_their_buffer),
		cmocka_unit_test(a_short_buffer_gets_whole_items_and_dots),
		cmocka_unit_test(next_walks_every_cpu_once),
		cmocka_unit_test(sets_behave_as_sets),
		cmocka_unit_test(below_gives_the_first_cpus),
		cmocka_unit_test(compare_orders_by_the_lowest_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Unions of neighbours that VMs have, and what they ask of the domain tree. */
#include "config.h"

#include "place/unions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "topo/cpuset.h"

static struct cpuset
set(const char *text)
{
	struct cpuset s;

	assert_int_equal(cpuset_parse(text, &s), 0);
	return s;
}

static void
add(struct unions *u, const char *text)
{
	struct cpuset s = set(text);

	unions_add(u, &s);
}

static void
what_overlaps_an_earlier_one_is_not_taken(void **state)
{
	struct unions u = {0};

	(void)state;
	add(&u, "0-3");
	add(&u, "4-7");
	add(&u, "0-7");
	add(&u, "0-3"); /* is there */
	add(&u, "2-5"); /* overlaps */
	add(&u, "0-1");
	assert_int_equal(u.n, 4);
	unions_fini(&u);
	assert_int_equal(u.n, 0);
}

static void
a_set_closes_over_what_it_overlaps(void **state)
{
	struct unions u = {0};
	struct cpuset s = set("1,4");
	struct cpuset part = set("0-1");
	struct cpuset wanted = set("0-1,4");

	(void)state;
	add(&u, "0-1");
	add(&u, "0-9");
	add(&u, "6-7");
	unions_close(&u, &s);
	assert_true(cpuset_equal(&s, &wanted));
	unions_close(&u, &part);
	assert_int_equal(cpuset_count(&part), 2);
	unions_fini(&u);
}

static void
only_unions_of_whole_parts_count_in_a_domain(void **state)
{
	struct cpuset parts[] = {set("0-1"), set("2-3"), set("4-5"), set("6-7")};
	const struct cpuset *const list[] = {
		&parts[0], &parts[1], &parts[2], &parts[3]};
	const struct cpuset *out[6];
	struct unions u = {0};

	(void)state;
	add(&u, "0-3");
	add(&u, "0-1");	      /* one part is no union */
	add(&u, "0-7");	      /* all of them are the domain */
	add(&u, "8-9");	      /* elsewhere */
	add(&u, "4");	      /* inside a part */
	add(&u, "0-7,10-11"); /* more than the domain */
	assert_int_equal(unions_of_parts(&u, list, 4, out), 1);
	assert_true(cpuset_equal(out[0], &u.sets[0]));
	unions_fini(&u);
}

static void
the_smallest_around_a_part_is_what_it_has_to_complete(void **state)
{
	struct cpuset small = set("0-3");
	struct cpuset large = set("0-7");
	struct cpuset part = set("0-1");
	struct cpuset other = set("8-9");
	const struct cpuset *const sets[] = {&large, &small};

	(void)state;
	assert_ptr_equal(unions_around(sets, 2, &part), &small);
	assert_ptr_equal(unions_around(sets, 2, &small), &large);
	assert_null(unions_around(sets, 2, &large));
	assert_null(unions_around(sets, 2, &other));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_overlaps_an_earlier_one_is_not_taken),
		cmocka_unit_test(a_set_closes_over_what_it_overlaps),
		cmocka_unit_test(only_unions_of_whole_parts_count_in_a_domain),
		cmocka_unit_test(the_smallest_around_a_part_is_what_it_has_to_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

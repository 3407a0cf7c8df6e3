// SPDX-License-Identifier: MIT
/* The ring of decisions: numbers stay, the oldest go, bytes are bounded. */
#include "config.h"

#include "daemon/feed.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static int
set_up(void **state)
{
	*state = xcalloc(1, sizeof(struct feed));
	return 0;
}

static int
tear_down(void **state)
{
	feed_fini(*state);
	free(*state);
	return 0;
}

/* The number of a decision is its text. */
static void
add(struct feed *f, const char *id)
{
	feed_add(f, id, xasprintf("%llu", (unsigned long long)f->next));
}

static void
check_whole(const struct feed *f)
{
	size_t bytes = 0;

	for (uint64_t i = f->first; i < f->next; i++) {
		const struct feed_item *item = feed_at(f, i);

		assert_int_equal(strlen(item->text), item->len);
		bytes += item->len;
	}
	assert_int_equal(f->bytes, bytes);
}

static void
an_empty_one_has_nothing_to_tell(void **state)
{
	const struct feed *f = *state;

	assert_int_equal(f->first, f->next);
	assert_int_equal(feed_find(f, NULL, 10), f->next);
	assert_int_equal(feed_find(f, "100", 10), f->next);
}

static void
a_decision_keeps_its_number_until_it_is_forgotten(void **state)
{
	struct feed *f = *state;

	for (unsigned int i = 0; i < 3 * FEED_MAX + 5; i++) {
		char text[24];

		add(f, "100");
		(void)snprintf(text, sizeof(text), "%u", i);
		assert_string_equal(feed_at(f, i)->text, text);
		assert_true(f->next - f->first <= FEED_MAX);
	}
	assert_int_equal(f->next, 3 * FEED_MAX + 5);
	assert_int_equal(f->first, 2 * FEED_MAX + 5);
	assert_string_equal(feed_at(f, f->first)->text, "1029");
	check_whole(f);
}

static void
the_last_of_one_vm_are_found_among_others(void **state)
{
	struct feed *f = *state;

	for (unsigned int i = 0; i < 9; i++)
		add(f, i % 3 == 0 ? "100" : "1000");
	assert_int_equal(feed_find(f, NULL, 0), 9);
	assert_int_equal(feed_find(f, NULL, 1), 8);
	assert_int_equal(feed_find(f, NULL, 100), 0);
	assert_int_equal(feed_find(f, "100", 0), 9);
	assert_int_equal(feed_find(f, "100", 1), 6);
	assert_int_equal(feed_find(f, "100", 2), 3);
	assert_int_equal(feed_find(f, "100", UINT64_MAX), 0);
	assert_int_equal(feed_find(f, "10", 1), 9);
}

static void
large_ones_push_out_more_and_the_last_one_stays(void **state)
{
	struct feed *f = *state;
	char *large = xcalloc(FEED_BYTES_MAX + 2, 1);

	for (unsigned int i = 0; i < 100; i++)
		add(f, "100");
	memset(large, 'x', FEED_BYTES_MAX - 10);
	feed_add(f, "101", xstrdup(large));
	assert_true(f->first > 90 && f->first < 101);
	assert_true(f->bytes <= FEED_BYTES_MAX);
	check_whole(f);
	memset(large, 'x', FEED_BYTES_MAX + 1);
	feed_add(f, "102", large);
	assert_int_equal(f->first, 101);
	assert_int_equal(f->next, 102);
	add(f, "103");
	assert_int_equal(f->first, 102);
	check_whole(f);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_empty_one_has_nothing_to_tell),
		CASE(a_decision_keeps_its_number_until_it_is_forgotten),
		CASE(the_last_of_one_vm_are_found_among_others),
		CASE(large_ones_push_out_more_and_the_last_one_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

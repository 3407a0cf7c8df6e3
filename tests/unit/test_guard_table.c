// SPDX-License-Identifier: MIT
/* When a guard gives a session up, in virtual time. */
#include "config.h"

#include "qmp/guard_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#define MS UINT64_C(1000)
#define KEY 103u
#define START (5 * MS)

static const struct guard_terms waits = {.wait_ms = 20};
static const struct guard_terms leased = {.lease_ms = 100};
static const struct guard_terms drained = {.drain_ms = 5000};
static const struct guard_terms none;

struct fixture {
	struct guard_table t;
	struct guard_vm *vm; /* of KEY, watched */
	uint64_t now_us;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	f->now_us = START;
	f->vm = guard_table_watch(&f->t, KEY, 8, 9);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	guard_table_fini(&f->t);
	free(f);
	return 0;
}

static struct guard_session *
hold(struct fixture *f, const struct guard_terms *terms)
{
	return guard_table_hold(&f->t, KEY, 10, terms, f->now_us);
}

/* Until @ms from now nothing is to be done but to look at who waits, and somebody does.
 */
static void
pass(struct fixture *f, uint64_t ms)
{
	uint64_t then_us = f->now_us + ms * MS;

	while (f->now_us < then_us) {
		struct guard_todo todo = guard_table_next(&f->t, f->now_us);

		if (todo.step == GUARD_LOOK) {
			guard_table_waits_on(todo.session->vm, f->now_us);
			continue;
		}
		assert_int_equal(todo.step, GUARD_SLEEP);
		assert_null(todo.session);
		assert_true(todo.until_us > f->now_us);
		f->now_us = todo.until_us < then_us ? todo.until_us : then_us;
	}
}

/* The same, and then @step for @s. */
static void
expect_after(struct fixture *f, uint64_t ms, enum guard_step step,
	const struct guard_session *s)
{
	struct guard_todo todo;

	pass(f, ms);
	todo = guard_table_next(&f->t, f->now_us);
	while (todo.step == GUARD_LOOK && step != GUARD_LOOK) {
		guard_table_waits_on(todo.session->vm, f->now_us);
		todo = guard_table_next(&f->t, f->now_us);
	}
	assert_int_equal(todo.step, step);
	assert_ptr_equal(todo.session, s);
}

static void
expect_nothing(const struct fixture *f)
{
	struct guard_todo todo = guard_table_next(&f->t, f->now_us);

	assert_int_equal(todo.step, GUARD_SLEEP);
	assert_int_equal(todo.until_us, GUARD_TABLE_NEVER);
}

static void
an_empty_table_sleeps_for_ever(void **state)
{
	struct fixture *f = *state;

	expect_nothing(f);
	assert_false(guard_table_wants_waiter(f->vm));
}

static void
a_session_without_terms_is_never_given_up(void **state)
{
	struct fixture *f = *state;
	const struct guard_session *s = hold(f, &none);

	guard_table_waits(f->vm, f->now_us);
	expect_nothing(f);
	assert_false(guard_table_wants_waiter(f->vm));
	assert_false(guard_table_wants_bytes(s));
}

static void
a_client_that_waits_too_long_is_in_our_way(void **state)
{
	struct fixture *f = *state;
	const struct guard_session *s = hold(f, &waits);

	assert_true(guard_table_wants_waiter(f->vm));
	expect_nothing(f);
	f->now_us += 700 * MS;
	guard_table_waits(f->vm, f->now_us);
	expect_after(f, 20, GUARD_PROVE, s);
}

static void
a_client_that_was_served_starts_nothing(void **state)
{
	struct fixture *f = *state;
	const struct guard_session *s = hold(f, &waits);

	guard_table_waits(f->vm, f->now_us);
	expect_after(f, 20, GUARD_PROVE, s);
	guard_table_served(f->vm);
	expect_nothing(f);
	f->now_us += 30 * MS;
	guard_table_waits(f->vm, f->now_us);
	expect_after(f, 20, GUARD_PROVE, s);
}

static void
the_queue_is_looked_at_in_between(void **state)
{
	struct fixture *f = *state;
	const struct guard_session *s = hold(f, &waits);
	struct guard_todo todo;

	guard_table_waits(f->vm, f->now_us);
	for (unsigned int i = 1; i < GUARD_TABLE_LOOKS; i++) {
		todo = guard_table_next(&f->t, f->now_us);
		assert_int_equal(todo.step, GUARD_SLEEP);
		f->now_us = todo.until_us;
		assert_int_equal(f->now_us, START + i * 2500);
		expect_after(f, 0, GUARD_LOOK, s);
		guard_table_waits_on(f->vm, f->now_us);
	}
	guard_table_served(f->vm);
	expect_nothing(f);
}

/* Others may have been served while it slept. */
static void
a_guard_that_slept_looks_again(void **state)
{
	struct fixture *f = *state;
	const struct guard_session *s = hold(f, &waits);

	guard_table_waits(f->vm, f->now_us);
	f->now_us += 1000 * MS;
	expect_after(f, 0, GUARD_LOOK, s);
	guard_table_waits_on(f->vm, f->now_us);
	f->now_us += 5 * MS;
	expect_after(f, 0, GUARD_LOOK, s);
	guard_table_waits_on(f->vm, f->now_us);
	f->now_us += 5 * MS;
	expect_after(f, 0, GUARD_LOOK, s);
	guard_table_waits_on(f->vm, f->now_us);
	f->now_us += 5 * MS;
	expect_after(f, 0, GUARD_LOOK, s);
	guard_table_waits_on(f->vm, f->now_us);
	expect_after(f, 0, GUARD_PROVE, s);
}

/* The queue takes two. */
static void
clients_that_keep_coming_are_being_served(void **state)
{
	struct fixture *f = *state;
	const struct guard_session *s = hold(f, &waits);

	for (unsigned int i = 0; i < 1000; i++) {
		guard_table_waits(f->vm, f->now_us);
		f->now_us += 9 * MS;
		guard_table_waits_on(f->vm, f->now_us - 6 * MS);
		guard_table_waits_on(f->vm, f->now_us - 3 * MS);
		guard_table_waits_on(f->vm, f->now_us);
	}
	/* the last two came 18 and 9 ms ago */
	expect_after(f, 2, GUARD_PROVE, s);
}

static void
the_second_in_the_queue_does_not_help_the_first(void **state)
{
	struct fixture *f = *state;
	const struct guard_session *s = hold(f, &waits);

	guard_table_waits(f->vm, f->now_us);
	pass(f, 2);
	guard_table_waits(f->vm, f->now_us);
	expect_after(f, 18, GUARD_PROVE, s);
}

static void
waiting_counts_from_the_hold(void **state)
{
	struct fixture *f = *state;
	const struct guard_session *s = hold(f, &waits);
	const struct guard_session *t;

	guard_table_waits(f->vm, f->now_us);
	pass(f, 5);
	t = hold(f, &waits);
	expect_after(f, 15, GUARD_PROVE, s);
	guard_table_left(&f->t, f->vm->last->before);
	expect_after(f, 5, GUARD_PROVE, t);
}

/* The client that waits while nobody holds, waits for somebody else. */
static void
a_new_session_does_not_inherit_the_wait(void **state)
{
	struct fixture *f = *state;
	struct guard_session *s = hold(f, &waits);

	f->vm->armed = true;
	guard_table_waits(f->vm, f->now_us);
	guard_table_left(&f->t, s);
	assert_false(f->vm->armed);
	guard_table_waits(f->vm, f->now_us);
	f->now_us += 500 * MS;
	s = hold(f, &waits);
	assert_true(guard_table_wants_waiter(f->vm));
	expect_nothing(f);
	guard_table_waits(f->vm, f->now_us);
	expect_after(f, 20, GUARD_PROVE, s);
}

static void
no_listener_no_waiting(void **state)
{
	struct fixture *f = *state;
	const struct guard_session *s =
		guard_table_hold(&f->t, KEY + 1, 11, &waits, f->now_us);

	assert_false(guard_table_wants_waiter(s->vm));
	expect_nothing(f);
	assert_ptr_equal(guard_table_watch(&f->t, KEY + 1, 12, 13), s->vm);
	assert_true(guard_table_wants_waiter(s->vm));
}

/* QEMU hangs: we are in its queue as others are. Looked at ever more seldom, but such
 * that nobody loses more than a sixteenth by it. */
static void
a_session_in_the_queue_is_in_nobodys_way(void **state)
{
	struct fixture *f = *state;
	struct guard_session *s = hold(f, &waits);
	uint64_t held_us = f->now_us;
	unsigned int looks = 0;

	guard_table_waits(f->vm, f->now_us);
	while (f->now_us < held_us + 60000 * MS) {
		uint64_t longest = (f->now_us - held_us) / 16;
		struct guard_todo todo = guard_table_next(&f->t, f->now_us);

		assert_int_equal(todo.step, GUARD_SLEEP);
		assert_true(
			todo.until_us - f->now_us <= (longest > 2500 ? longest : 2500));
		assert_true(todo.until_us - f->now_us <= 250 * MS);
		f->now_us = todo.until_us;
		expect_after(f, 0, GUARD_LOOK, s);
		guard_table_waits_on(f->vm, f->now_us);
		assert_true(guard_table_wants_place(s));
		guard_table_queued(s);
		looks++;
	}
	assert_in_range(looks, 4 * 56, 4 * 60 + 100);
}

static void
a_session_that_leaves_the_queue_is_waited_for_from_then(void **state)
{
	struct fixture *f = *state;
	struct guard_session *s = hold(f, &waits);

	guard_table_waits(f->vm, f->now_us);
	pass(f, 15);
	guard_table_queued(s);
	pass(f, 15);
	guard_table_accepted(s, f->now_us);
	assert_false(guard_table_wants_place(s));
	expect_after(f, 20, GUARD_PROVE, s);
}

/* It was our own connection that the queue had in it, and now is somebody else. */
static void
an_old_queue_is_not_held_against_a_session(void **state)
{
	struct fixture *f = *state;
	struct guard_session *s = hold(f, &waits);

	guard_table_waits(f->vm, f->now_us);
	pass(f, 10);
	guard_table_queued(s);
	guard_table_served(f->vm);
	expect_nothing(f);
	f->now_us += 3600 * 1000 * MS;
	guard_table_waits(f->vm, f->now_us);
	expect_after(f, 20, GUARD_PROVE, s);
}

static void
a_lease_ends_whatever_happens(void **state)
{
	struct fixture *f = *state;
	struct guard_session *s = hold(f, &leased);

	guard_table_waits(f->vm, f->now_us);
	expect_after(f, 100, GUARD_END, s);
	guard_table_left(&f->t, s);
	expect_nothing(f);
}

static void
renewing_begins_a_new_lease_of_the_last_session(void **state)
{
	static const struct guard_terms longer = {.lease_ms = 300};
	struct fixture *f = *state;
	struct guard_session *first = hold(f, &leased);
	struct guard_session *last = hold(f, &leased);

	f->now_us += 60 * MS;
	assert_ptr_equal(guard_table_renew(&f->t, KEY, &longer, f->now_us), last);
	expect_after(f, 40, GUARD_END, first);
	guard_table_left(&f->t, first);
	expect_after(f, 260, GUARD_END, last);
	assert_null(guard_table_renew(&f->t, KEY + 1, &longer, f->now_us));
	(void)guard_table_renew(&f->t, KEY, &none, f->now_us);
	expect_nothing(f);
}

/* Or a daemon that renews could keep a client waiting for ever. */
static void
renewing_does_not_make_a_client_wait_longer(void **state)
{
	struct fixture *f = *state;
	const struct guard_session *s = hold(f, &waits);

	guard_table_waits(f->vm, f->now_us);
	pass(f, 15);
	(void)guard_table_renew(&f->t, KEY, &waits, f->now_us);
	expect_after(f, 5, GUARD_PROVE, s);
	(void)guard_table_renew(&f->t, KEY, &none, f->now_us);
	expect_nothing(f);
	(void)guard_table_renew(&f->t, KEY, &waits, f->now_us);
	expect_nothing(f);
	assert_true(guard_table_wants_waiter(f->vm));
}

static void
bytes_that_nobody_reads_end_the_session(void **state)
{
	struct fixture *f = *state;
	struct guard_session *s = hold(f, &drained);

	assert_true(guard_table_wants_bytes(s));
	expect_nothing(f);
	guard_table_came(s, 100, f->now_us);
	assert_false(guard_table_wants_bytes(s));
	for (unsigned int i = 0; i < GUARD_TABLE_SAMPLES; i++) {
		expect_after(f, 500, GUARD_SAMPLE, s);
		guard_table_sample(s, 100, f->now_us);
	}
	assert_int_equal(f->now_us, START + 5000 * MS);
	expect_after(f, 0, GUARD_END, s);
}

static void
more_bytes_are_no_sign_of_reading(void **state)
{
	struct fixture *f = *state;
	struct guard_session *s = hold(f, &drained);

	guard_table_came(s, 1, f->now_us);
	for (unsigned int i = 0; i < GUARD_TABLE_SAMPLES; i++) {
		expect_after(f, 500, GUARD_SAMPLE, s);
		guard_table_sample(s, 1000 * (i + 1), f->now_us);
	}
	expect_after(f, 0, GUARD_END, s);
}

static void
reading_begins_the_count_anew(void **state)
{
	struct fixture *f = *state;
	struct guard_session *s = hold(f, &drained);

	guard_table_came(s, 1000, f->now_us);
	for (unsigned int i = 0; i < 100; i++) {
		expect_after(f, 500, GUARD_SAMPLE, s);
		/* one less at every tenth, after nine with more */
		guard_table_sample(
			s, i % 10 == 9 ? s->pending_bytes - 1 : 2000 + i, f->now_us);
	}
	expect_after(f, 500, GUARD_SAMPLE, s);
	guard_table_sample(s, 0, f->now_us);
	expect_nothing(f);
	assert_true(guard_table_wants_bytes(s));
}

/* A guard that slept for an hour has one sample more, not an hour of evidence. */
static void
a_long_sleep_is_one_sample(void **state)
{
	struct fixture *f = *state;
	struct guard_session *s = hold(f, &drained);

	guard_table_came(s, 1000, f->now_us);
	f->now_us += 3600 * 1000 * MS;
	expect_after(f, 0, GUARD_SAMPLE, s);
	guard_table_sample(s, 1000, f->now_us);
	expect_after(f, 500, GUARD_SAMPLE, s);
}

static void
what_could_not_be_ended_is_tried_again(void **state)
{
	struct fixture *f = *state;
	struct guard_session *s = hold(f, &waits);

	guard_table_waits(f->vm, f->now_us);
	expect_after(f, 20, GUARD_PROVE, s);
	guard_table_not_ended(s, f->now_us);
	expect_after(f, 50, GUARD_END, s);
	guard_table_not_ended(s, f->now_us);
	expect_after(f, 50, GUARD_END, s);
}

static void
a_vm_lasts_as_long_as_something_of_it(void **state)
{
	struct fixture *f = *state;
	struct guard_session *s = hold(f, &none);

	guard_table_unwatch(&f->t, f->vm);
	assert_ptr_equal(guard_table_find(&f->t, KEY), s->vm);
	guard_table_left(&f->t, s);
	assert_null(guard_table_find(&f->t, KEY));
	assert_int_equal(f->t.n_vms, 0);
	assert_int_equal(f->t.n_sessions, 0);
	f->vm = guard_table_watch(&f->t, KEY, 8, 9);
	guard_table_left(&f->t, hold(f, &none));
	assert_ptr_equal(guard_table_find(&f->t, KEY), f->vm);
}

static void
the_first_of_many_is_next(void **state)
{
	struct fixture *f = *state;
	uint64_t key = 1;

	for (unsigned int i = 0; i < 1000; i++) {
		const struct guard_terms terms = {.lease_ms = 1000 + (i * 7) % 1000};

		key = key * 6364136223846793005u + 1442695040888963407u;
		(void)guard_table_hold(&f->t, key, 20, &terms, START);
	}
	assert_int_equal(f->t.n_vms, 1001);
	for (size_t i = 1; i < f->t.n_vms; i++)
		assert_true(f->t.vms[i - 1]->key < f->t.vms[i]->key);
	for (unsigned int i = 0; i < 1000; i++) {
		struct guard_todo todo = guard_table_next(&f->t, f->now_us);

		assert_int_equal(todo.step, GUARD_SLEEP);
		f->now_us = todo.until_us;
		assert_int_equal(f->now_us, START + (1000 + i) * MS);
		todo = guard_table_next(&f->t, f->now_us);
		assert_int_equal(todo.step, GUARD_END);
		guard_table_left(&f->t, todo.session);
	}
	assert_int_equal(f->t.n_vms, 1);
	expect_nothing(f);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(an_empty_table_sleeps_for_ever),
		test(a_session_without_terms_is_never_given_up),
		test(a_client_that_waits_too_long_is_in_our_way),
		test(a_client_that_was_served_starts_nothing),
		test(the_queue_is_looked_at_in_between),
		test(a_guard_that_slept_looks_again),
		test(clients_that_keep_coming_are_being_served),
		test(the_second_in_the_queue_does_not_help_the_first),
		test(waiting_counts_from_the_hold),
		test(a_new_session_does_not_inherit_the_wait),
		test(no_listener_no_waiting),
		test(a_session_in_the_queue_is_in_nobodys_way),
		test(a_session_that_leaves_the_queue_is_waited_for_from_then),
		test(an_old_queue_is_not_held_against_a_session),
		test(a_lease_ends_whatever_happens),
		test(renewing_begins_a_new_lease_of_the_last_session),
		test(renewing_does_not_make_a_client_wait_longer),
		test(bytes_that_nobody_reads_end_the_session),
		test(more_bytes_are_no_sign_of_reading),
		test(reading_begins_the_count_anew),
		test(a_long_sleep_is_one_sample),
		test(what_could_not_be_ended_is_tried_again),
		test(a_vm_lasts_as_long_as_something_of_it),
		test(the_first_of_many_is_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * When a session is given up. There are a thousand VMs with a session or two, and a
 * guard wakes seldom: looking at all of them for the next step takes microseconds, and
 * nothing is kept that could be out of step with them. Pure.
 */
#include "config.h"

#include "qmp/guard_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* What could not be ended (no memory) is tried again after this time. */
#define AGAIN_US 50000u

/* While QEMU itself keeps everybody waiting, clients would lose at most a sixteenth of
 * that time more by a session that turns out to be in their way, and this. */
#define QUEUED_US_MAX 250000u

static uint64_t
after_ms(uint64_t now_us, unsigned int ms)
{
	return ms > 0 ? now_us + ms * UINT64_C(1000) : GUARD_TABLE_NEVER;
}

static uint64_t
later_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The place of @key among those there are: of its VM, or where that would be. */
static size_t
place_of(const struct guard_table *t, uint64_t key)
{
	size_t low = 0;
	size_t high = t->n_vms;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->vms[middle]->key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct guard_vm *
guard_table_find(const struct guard_table *t, uint64_t key)
{
	size_t i = place_of(t, key);

	return i < t->n_vms && t->vms[i]->key == key ? t->vms[i] : NULL;
}

static struct guard_vm *
find_or_add(struct guard_table *t, uint64_t key)
{
	size_t i = place_of(t, key);
	struct guard_vm *vm = guard_table_find(t, key);

	if (vm != NULL)
		return vm;
	vm = xcalloc(1, sizeof(*vm));
	*vm = (struct guard_vm){.key = key,
		.listener = -1,
		.pidfd = -1,
		.waiting_us = GUARD_TABLE_NEVER};
	t->vms = xgrow(t->vms, t->n_vms, &t->cap, sizeof(struct guard_vm *));
	memmove(&t->vms[i + 1], &t->vms[i], (t->n_vms - i) * sizeof(struct guard_vm *));
	t->vms[i] = vm;
	t->n_vms++;
	return vm;
}

static void
drop_if_empty(struct guard_table *t, struct guard_vm *vm)
{
	size_t i = place_of(t, vm->key);

	if (vm->last != NULL || vm->listener >= 0 || vm->pidfd >= 0)
		return;
	t->n_vms--;
	memmove(&t->vms[i], &t->vms[i + 1], (t->n_vms - i) * sizeof(struct guard_vm *));
	free(vm);
}

static void
forget_who_waits(struct guard_vm *vm)
{
	vm->waiting_us = GUARD_TABLE_NEVER;
	vm->armed = false;
}

struct guard_vm *
guard_table_watch(struct guard_table *t, uint64_t key, int listener, int pidfd)
{
	struct guard_vm *vm = find_or_add(t, key);

	vm->listener = listener;
	vm->pidfd = pidfd;
	forget_who_waits(vm);
	return vm;
}

void
guard_table_unwatch(struct guard_table *t, struct guard_vm *vm)
{
	vm->listener = -1;
	vm->pidfd = -1;
	forget_who_waits(vm);
	drop_if_empty(t, vm);
}

struct guard_session *
guard_table_hold(struct guard_table *t, uint64_t key, int fd,
	const struct guard_terms *terms, uint64_t now_us)
{
	struct guard_session *s = xcalloc(1, sizeof(*s));

	s->vm = find_or_add(t, key);
	s->before = s->vm->last;
	s->vm->last = s;
	s->fd = fd;
	s->terms = *terms;
	s->held_us = now_us;
	s->lease_us = after_ms(now_us, terms->lease_ms);
	s->sample_us = GUARD_TABLE_NEVER;
	t->n_sessions++;
	return s;
}

/* Somebody who waits has waited since before, so held_us stays. */
struct guard_session *
guard_table_renew(struct guard_table *t, uint64_t key, const struct guard_terms *terms,
	uint64_t now_us)
{
	struct guard_vm *vm = guard_table_find(t, key);
	struct guard_session *s = vm != NULL ? vm->last : NULL;

	if (s == NULL)
		return NULL;
	s->terms = *terms;
	s->lease_us = after_ms(now_us, terms->lease_ms);
	s->sample_us = GUARD_TABLE_NEVER;
	if (!guard_table_wants_waiter(vm))
		forget_who_waits(vm);
	return s;
}

void
guard_table_left(struct guard_table *t, struct guard_session *s)
{
	struct guard_vm *vm = s->vm;
	struct guard_session **at = &vm->last;

	while (*at != s)
		at = &(*at)->before;
	*at = s->before;
	t->n_sessions--;
	free(s);
	/* who waits while no session is in the way, waits for somebody else */
	if (!guard_table_wants_waiter(vm))
		forget_who_waits(vm);
	drop_if_empty(t, vm);
}

/* That it must end is decided, whatever the terms were. */
void
guard_table_not_ended(struct guard_session *s, uint64_t now_us)
{
	s->terms = (struct guard_terms){0};
	s->lease_us = now_us + AGAIN_US;
	s->sample_us = GUARD_TABLE_NEVER;
	s->stuck = 0;
}

bool
guard_table_wants_waiter(const struct guard_vm *vm)
{
	const struct guard_session *s = vm->listener >= 0 ? vm->last : NULL;

	while (s != NULL && s->terms.wait_ms == 0)
		s = s->before;
	return s != NULL;
}

/* QEMU's queue takes two: whoever came before the last two has been served, by a proxy
 * perhaps. Where a queue takes more, clients that keep coming are a sign that it moves,
 * and when it is full nobody comes. */
void
guard_table_waits(struct guard_vm *vm, uint64_t now_us)
{
	if (!guard_table_wants_waiter(vm))
		return;
	if (vm->waiting_us == GUARD_TABLE_NEVER) {
		vm->waiting_us = now_us;
		vm->looked_us = now_us;
		vm->looks = 0;
	} else {
		vm->waiting_us = vm->came_us;
		vm->looks = vm->looks_at_last;
	}
	vm->came_us = now_us;
	vm->looks_at_last = 0;
}

void
guard_table_waits_on(struct guard_vm *vm, uint64_t now_us)
{
	vm->looked_us = now_us;
	vm->looks++;
	vm->looks_at_last++;
}

void
guard_table_served(struct guard_vm *vm)
{
	vm->waiting_us = GUARD_TABLE_NEVER;
	for (struct guard_session *s = vm->last; s != NULL; s = s->before) {
		if (s->place == GUARD_QUEUED)
			s->place = GUARD_SOMEWHERE;
	}
}

bool
guard_table_wants_place(const struct guard_session *s)
{
	return s->terms.wait_ms > 0 && s->place != GUARD_ACCEPTED;
}

void
guard_table_queued(struct guard_session *s)
{
	s->place = GUARD_QUEUED;
}

void
guard_table_accepted(struct guard_session *s, uint64_t now_us)
{
	if (s->place == GUARD_QUEUED) {
		s->held_us = now_us;
		s->vm->looks = s->vm->looks_at_last = 0;
	}
	s->place = GUARD_ACCEPTED;
}

bool
guard_table_wants_bytes(const struct guard_session *s)
{
	return s->terms.drain_ms > 0 && s->sample_us == GUARD_TABLE_NEVER;
}

static uint64_t
next_sample_us(const struct guard_session *s, uint64_t now_us)
{
	return now_us + s->terms.drain_ms * UINT64_C(1000) / GUARD_TABLE_SAMPLES;
}

void
guard_table_came(struct guard_session *s, unsigned int bytes, uint64_t now_us)
{
	if (!guard_table_wants_bytes(s))
		return;
	s->pending_bytes = bytes;
	s->stuck = 0;
	s->sample_us = next_sample_us(s, now_us);
}

void
guard_table_sample(struct guard_session *s, unsigned int bytes, uint64_t now_us)
{
	s->stuck = bytes < s->pending_bytes ? 0 : s->stuck + 1;
	s->pending_bytes = bytes;
	s->sample_us = bytes > 0 ? next_sample_us(s, now_us) : GUARD_TABLE_NEVER;
}

static bool
is_waited_for(const struct guard_session *s)
{
	return s->terms.wait_ms > 0 && s->vm->waiting_us != GUARD_TABLE_NEVER;
}

/* When the client that waits has waited too long for @s. That it was looked at seldom
 * says that we had no time, not that nobody was served. */
static uint64_t
prove_us(const struct guard_session *s)
{
	if (!is_waited_for(s) || s->place == GUARD_QUEUED ||
		s->vm->looks < GUARD_TABLE_LOOKS / 2)
		return GUARD_TABLE_NEVER;
	return after_ms(later_of(s->vm->waiting_us, s->held_us), s->terms.wait_ms);
}

/* In the queue, ever more seldom: QEMU itself keeps everybody waiting. */
static uint64_t
look_us(const struct guard_session *s)
{
	uint64_t looked_us = s->vm->looked_us;
	uint64_t interval_us = s->terms.wait_ms * UINT64_C(1000) / GUARD_TABLE_LOOKS;
	uint64_t longer_us = 0;

	if (!is_waited_for(s))
		return GUARD_TABLE_NEVER;
	if (s->place == GUARD_QUEUED && looked_us > s->held_us)
		longer_us = (looked_us - s->held_us) / 16;
	if (longer_us > QUEUED_US_MAX)
		longer_us = QUEUED_US_MAX;
	return looked_us + later_of(interval_us, longer_us);
}

static struct guard_todo
next_of(struct guard_session *s, uint64_t now_us)
{
	const struct {
		enum guard_step step;
		uint64_t due_us;
	} steps[] = {
		{GUARD_END, s->stuck >= GUARD_TABLE_SAMPLES ? 0 : s->lease_us},
		{GUARD_SAMPLE, s->sample_us},
		{GUARD_PROVE, prove_us(s)},
		{GUARD_LOOK, look_us(s)},
	};
	struct guard_todo todo = {GUARD_SLEEP, NULL, GUARD_TABLE_NEVER};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (steps[i].due_us <= now_us)
			return (struct guard_todo){steps[i].step, s, now_us};
		if (steps[i].due_us < todo.until_us)
			todo.until_us = steps[i].due_us;
	}
	return todo;
}

struct guard_todo
guard_table_next(const struct guard_table *t, uint64_t now_us)
{
	struct guard_todo first = {GUARD_SLEEP, NULL, GUARD_TABLE_NEVER};

	for (size_t i = 0; i < t->n_vms; i++) {
		struct guard_session *s = t->vms[i]->last;

		for (; s != NULL; s = s->before) {
			struct guard_todo todo = next_of(s, now_us);

			if (todo.step != GUARD_SLEEP)
				return todo;
			if (todo.until_us < first.until_us)
				first = todo;
		}
	}
	return first;
}

void
guard_table_fini(struct guard_table *t)
{
	while (t->n_vms > 0) {
		struct guard_vm *vm = t->vms[t->n_vms - 1];

		vm->listener = vm->pidfd = -1;
		if (vm->last != NULL)
			guard_table_left(t, vm->last);
		else
			drop_if_empty(t, vm);
	}
	free(t->vms);
	*t = (struct guard_table){0};
}

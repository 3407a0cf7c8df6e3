// SPDX-License-Identifier: MIT
/* An array, since clients are few. Their order is that of their coming. Pure. */
#include "config.h"

#include "qmp/callers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct caller *
callers_add(struct callers *cs, bool own, void *owner)
{
	struct caller *c = xcalloc(1, sizeof(*c));

	caller_init(c, own, owner);
	cs->all = xgrow(cs->all, cs->n, &cs->cap, sizeof(cs->all[0]));
	cs->all[cs->n++] = c;
	return c;
}

void
callers_remove(struct callers *cs, struct caller *c, struct caller_discards *discards)
{
	size_t i = 0;

	while (cs->all[i] != c)
		i++;
	cs->n--;
	memmove(&cs->all[i], &cs->all[i + 1], (cs->n - i) * sizeof(cs->all[0]));
	if (i < cs->turn)
		cs->turn--;
	caller_fini(c, discards);
	free(c);
}

void
callers_fini(struct callers *cs)
{
	assert(cs->n == 0);
	free(cs->all);
}

void
callers_advance(struct callers *cs, uint64_t now_us)
{
	for (size_t i = 0; i < cs->n; i++)
		caller_advance(cs->all[i], now_us);
}

void
callers_tell_event(struct callers *cs, struct frame_span event)
{
	for (size_t i = 0; i < cs->n; i++)
		caller_tell_event(cs->all[i], event);
}

uint64_t
callers_deadline_us(const struct callers *cs)
{
	uint64_t first = CALLER_NEVER;

	for (size_t i = 0; i < cs->n; i++) {
		uint64_t at = caller_deadline_us(cs->all[i]);

		first = at < first ? at : first;
	}
	return first;
}

struct caller *
callers_next(struct callers *cs)
{
	for (size_t i = 0; i < cs->n; i++) {
		size_t at = (cs->turn + i) % cs->n;

		if (!caller_is_ready(cs->all[at]))
			continue;
		cs->turn = at + 1;
		return cs->all[at];
	}
	return NULL;
}

struct caller *
callers_departed(const struct callers *cs)
{
	for (size_t i = 0; i < cs->n; i++) {
		struct caller *c = cs->all[i];

		if (c->dropped || caller_is_done(c))
			return c;
	}
	return NULL;
}

bool
callers_are_there(const struct callers *cs)
{
	for (size_t i = 0; i < cs->n; i++) {
		if (!cs->all[i]->own)
			return true;
	}
	return false;
}

bool
callers_are_waiting(const struct callers *cs)
{
	for (size_t i = 0; i < cs->n; i++) {
		if (cs->all[i]->waiting || cs->all[i]->in.len > 0)
			return true;
	}
	return false;
}

bool
callers_have_taken_all(const struct callers *cs)
{
	for (size_t i = 0; i < cs->n; i++) {
		if (cs->all[i]->out.len > 0)
			return false;
	}
	return true;
}

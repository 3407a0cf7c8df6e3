// SPDX-License-Identifier: MIT
/*
 * Between slices VMs come and go: what is kept is where the last one stood in the
 * order, not which it was.
 */
#include "config.h"

#include "daemon/listing.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/server.h"
#include "daemon/engine.h"

/* A VM takes 8 us, with its threads 40. */
#define SLICE_US 2000u

/* A client that has so much to read is told no more for a moment; a list without
 * threads of 1000 VMs is not held up. */
#define UNREAD_MAX (512u * 1024u)
#define PAUSE_US 10000

struct listing {
	struct listing *next;
	struct engine *engine;
	struct ctl_call *call;
	listing_reply *reply;
	listing_end *end;
	struct event *slice;
	char last[VM_ID_MAX]; /* "": none yet */
	int last_vmid;
};

static void
finish(struct listing *l)
{
	struct listing **at = &l->engine->listings;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	event_free(l->slice);
	free(l);
}

/* Returns false when the last one has been told. */
static bool
tell_some(struct listing *l)
{
	struct engine *e = l->engine;
	uint64_t until_us = clock_now_us(e->clock) + SLICE_US;
	size_t i = l->last[0] != '\0' ? engine_behind(e, l->last, l->last_vmid) : 0;

	if (ctl_call_unread(l->call) > UNREAD_MAX)
		return true;
	if (i >= e->n_vms || ctl_call_gone(l->call)) {
		l->end(l->call);
		return false;
	}
	for (; i < e->n_vms; i++) {
		const struct vm *vm = e->vms[i];
		bool more = i + 1 < e->n_vms;

		l->reply(e, l->call, vm, more);
		if (!more)
			return false;
		if (clock_now_us(e->clock) >= until_us ||
			ctl_call_unread(l->call) > UNREAD_MAX) {
			str_copy(l->last, sizeof(l->last), vm->id);
			l->last_vmid = vm->vmid;
			break;
		}
	}
	return true;
}

static void
on_slice(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = {0, 0};
	static const struct timeval later = {0, PAUSE_US};
	struct listing *l = arg;

	(void)fd;
	(void)what;
	if (tell_some(l))
		evtimer_add(l->slice,
			ctl_call_unread(l->call) > UNREAD_MAX ? &later : &soon);
	else
		finish(l);
}

void
listing_start(
	struct engine *e, struct ctl_call *call, listing_reply *reply, listing_end *end)
{
	struct listing *l = xcalloc(1, sizeof(*l));

	l->engine = e;
	l->call = call;
	l->reply = reply;
	l->end = end;
	l->slice = evtimer_new(e->base, on_slice, l);
	l->next = e->listings;
	e->listings = l;
	on_slice(-1, 0, l);
}

void
listing_stop(struct engine *e)
{
	while (e->listings != NULL) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it left the list */
		e->listings->end(e->listings->call);
		finish(e->listings);
	}
}

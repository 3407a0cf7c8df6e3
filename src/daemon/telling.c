// SPDX-License-Identifier: MIT
/*
 * Readers of the feed of decisions. Invariants: a reader's place is a number, never a
 * pointer, so the feed may forget what it likes; what waits for a reader outside of the
 * feed is UNREAD_MAX and one decision; telling is done in slices from the loop, never
 * within a pass.
 */
#include "config.h"

#include "daemon/telling.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/server.h"
#include "ctl/shapes.h"
#include "daemon/engine.h"
#include "daemon/feed.h"
#include "daemon/report.h"

/* More than this is not queued for one reader; the kernel holds another 200 KB. */
#define UNREAD_MAX (32u * 1024u)

/* Decisions one reader is told before the next has its turn, and how long all of this
 * may take before everything else has its turn. One decision takes 3 us. */
#define BURST 16u
#define SLICE_US 2000u

/* Threads of a VM that are told one by one; there may be 65536, and most VMs have 20.
 */
#define MOVES_MAX 1024u

/* Somebody has not read what waits for him: look again after so long. */
#define RETRY_MS 50u

struct reader {
	TAILQ_ENTRY(reader) link;
	struct ctl_call *call;
	char id[VM_ID_MAX]; /* "": of all VMs */
	uint64_t at;	    /* the decision to be told next */
};

struct telling {
	const struct clock *clock;
	struct event *slice;
	struct feed feed;
	TAILQ_HEAD(, reader) readers; /* whose turn is next is the first */
	size_t n_readers;
};

enum outcome { READER_TOLD, READER_HAS_MORE, READER_IS_SLOW, READER_GONE };

static json_t *
decision_json(uint64_t time_us, const char *id, const char *cause, const char *text,
	json_t *moves)
{
	struct ctl_decision d = {
		.time_us = time_us, .id = id, .cause = cause, .text = text};

	return json_pack("{s:o}", "decision", ctl_decision_json(&d, moves));
}

static void
forget(struct telling *t, struct reader *r)
{
	TAILQ_REMOVE(&t->readers, r, link);
	t->n_readers--;
	free(r);
}

/* What was forgotten before it could be told, be it of interest or not. */
static void
tell_gap(const struct telling *t, struct reader *r)
{
	auto_free char *text = xasprintf(
		"%llu decisions are left out here: they are not read fast enough",
		(unsigned long long)(t->feed.first - r->at));

	ctl_reply(r->call,
		decision_json(clock_real_us(t->clock), NULL, "gap", text, json_array()),
		true);
	r->at = t->feed.first;
}

static enum outcome
tell(const struct telling *t, struct reader *r)
{
	for (unsigned int told = 0; r->at < t->feed.next && told < BURST;) {
		const struct feed_item *item;

		if (ctl_call_gone(r->call))
			return READER_GONE;
		if (ctl_call_unread(r->call) > UNREAD_MAX)
			return READER_IS_SLOW;
		if (r->at < t->feed.first)
			tell_gap(t, r);
		item = feed_at(&t->feed, r->at++);
		if (r->id[0] != '\0' && !str_equal(r->id, item->id))
			continue;
		ctl_reply_text(r->call, item->text, true);
		told++;
	}
	return r->at < t->feed.next ? READER_HAS_MORE : READER_TOLD;
}

static void
arm(const struct telling *t, unsigned int ms)
{
	struct timeval after = clock_timeval_ms(ms);

	(void)evtimer_add(t->slice, &after);
}

/* The turn of the first one, which is the last one then. */
static enum outcome
serve_next(struct telling *t)
{
	struct reader *r = TAILQ_FIRST(&t->readers);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it left the queue */
	enum outcome outcome = tell(t, r);

	TAILQ_REMOVE(&t->readers, r, link);
	TAILQ_INSERT_TAIL(&t->readers, r, link);
	if (outcome == READER_GONE) {
		ctl_reply(r->call, json_object(), false);
		forget(t, r);
	}
	return outcome;
}

/* Each has a turn, as far as the time allows. */
static void
on_slice(evutil_socket_t fd, short what, void *arg)
{
	struct telling *t = arg;
	uint64_t until_us = clock_now_us(t->clock) + SLICE_US;
	bool more = false;
	bool slow = false;

	(void)fd;
	(void)what;
	for (size_t left = t->n_readers; left > 0; left--) {
		enum outcome outcome = serve_next(t);

		slow = slow || outcome == READER_IS_SLOW;
		more = more || outcome == READER_HAS_MORE ||
		       (left > 1 && clock_now_us(t->clock) >= until_us);
		if (more && clock_now_us(t->clock) >= until_us)
			break;
	}
	if (more || slow)
		arm(t, more ? 0 : RETRY_MS);
}

struct telling *
telling_new(struct event_base *base, const struct clock *clock)
{
	struct telling *t = xcalloc(1, sizeof(*t));

	t->clock = clock;
	t->slice = evtimer_new(base, on_slice, t);
	TAILQ_INIT(&t->readers);
	return t;
}

void
telling_free(struct telling *t)
{
	struct reader *r;

	if (t == NULL)
		return;
	while ((r = TAILQ_FIRST(&t->readers)) != NULL) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as above */
		ctl_failed(r->call, "qmpind ends");
		forget(t, r);
	}
	event_free(t->slice);
	feed_fini(&t->feed);
	free(t);
}

void
telling_moves(struct telling *t, const struct vm *vm, const struct move *moves,
	size_t n, enum cause cause, const char *pretence)
{
	auto_free char *text = report_line(vm, moves, n, cause, pretence);
	auto_json json_t *reply = decision_json(clock_real_us(t->clock), vm->id,
		cause_name(cause), text,
		report_moves_json(vm, moves, n < MOVES_MAX ? n : MOVES_MAX, cause));

	feed_add(&t->feed, vm->id, json_dumps(reply, JSON_COMPACT));
	if (t->n_readers > 0)
		arm(t, 0);
}

/* Those who left while nothing was decided. */
static void
sweep(struct telling *t)
{
	struct reader *next;

	for (struct reader *r = TAILQ_FIRST(&t->readers); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		if (!ctl_call_gone(r->call))
			continue;
		ctl_reply(r->call, json_object(), false);
		forget(t, r);
	}
}

static void
follow(struct telling *t, struct ctl_call *call, const char *id, uint64_t last)
{
	struct reader *r = xcalloc(1, sizeof(*r));

	sweep(t);
	r->call = call;
	if (id != NULL)
		str_copy(r->id, sizeof(r->id), id);
	r->at = feed_find(&t->feed, id, last);
	TAILQ_INSERT_TAIL(&t->readers, r, link);
	t->n_readers++;
	if (r->at < t->feed.next)
		arm(t, 0);
}

static void
tell_last(const struct engine *e, struct ctl_call *call, const char *id)
{
	const struct feed *f = &e->telling->feed;
	uint64_t at = feed_find(f, id, 1);

	if (at < f->next)
		ctl_reply_text(call, feed_at(f, at)->text, false);
	else if (id != NULL && engine_find(e, id) == NULL)
		ctl_vm_not_found(call, id);
	else
		ctl_failed(call, "nothing was decided yet");
}

/* A VM need not be there: it may come while it is waited for. */
void
telling_on_call(void *owner, struct ctl_call *call, const json_t *params)
{
	struct engine *e = owner;
	const char *id = json_string_value(json_object_get(params, "id"));
	json_int_t last = json_integer_value(json_object_get(params, "last"));

	if (id != NULL && (*id == '\0' || strlen(id) >= VM_ID_MAX))
		ctl_invalid_value(call, "id", "no VM can have it");
	else if (last < 0)
		ctl_invalid_value(call, "last", "is below 0");
	else if (ctl_call_more(call))
		follow(e->telling, call, id, (uint64_t)last);
	else
		tell_last(e, call, id);
}

// SPDX-License-Identifier: MIT
/*
 * A line holds a count: even, it is the server's turn; odd, the other's. A turn is
 * taken by compare-and-exchange, which fetches the line for writing at once: one
 * transfer a hop, where to look first and then to write would be two.
 */
#include "config.h"

#include "probe/rally.h"

#include <stdatomic.h>
#include <time.h>

/* In the line: whoever sees it leaves. No count gets there. */
#define RALLY_OVER UINT32_MAX
/* Looks at the line between two looks at the clock: some microseconds. */
#define RALLY_SPINS 64u

enum hop { HOP_DONE, HOP_OVER, HOP_LATE };
enum meeting { MEETING_NOBODY, MEETING_ONE, MEETING_BOTH, MEETING_MISSED };

uint64_t
rally_now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* From @from to @to, if that is still possible. */
static bool
turn_into(_Atomic uint32_t *meeting, uint32_t from, uint32_t to)
{
	return atomic_compare_exchange_strong(meeting, &from, to);
}

bool
rally_meet(_Atomic uint32_t *meeting, uint64_t until_ns)
{
	if (!turn_into(meeting, MEETING_NOBODY, MEETING_ONE))
		return turn_into(meeting, MEETING_ONE, MEETING_BOTH);
	do {
		for (unsigned int i = 0; i < RALLY_SPINS; i++) {
			if (atomic_load(meeting) == MEETING_BOTH)
				return true;
		}
	} while (rally_now_ns() < until_ns);
	return !turn_into(meeting, MEETING_ONE, MEETING_MISSED);
}

static inline enum hop
hop(_Atomic uint32_t *line, uint32_t turn, uint64_t until_ns)
{
	do {
		for (unsigned int i = 0; i < RALLY_SPINS; i++) {
			uint32_t seen = turn;

			if (atomic_compare_exchange_weak_explicit(line, &seen, turn + 1,
				    memory_order_acq_rel, memory_order_acquire))
				return HOP_DONE;
			if (seen == RALLY_OVER)
				return HOP_OVER;
		}
	} while (rally_now_ns() < until_ns);
	return HOP_LATE;
}

/* The line of a batch; its count goes on when it comes around again. */
static _Atomic uint32_t *
line_of(const struct rally_court *c, unsigned int batch, uint32_t *count)
{
	size_t at = (c->first + batch) % RALLY_LINES;

	*count = batch / RALLY_LINES * 2 * RALLY_ROUNDS;
	return (_Atomic uint32_t *)(void *)(c->lines + at * RALLY_LINE_BYTES);
}

void
rally_clear(const struct rally_court *c)
{
	uint32_t count;

	for (unsigned int i = 0; i < RALLY_LINES; i++)
		atomic_store_explicit(line_of(c, i, &count), 0, memory_order_relaxed);
}

/* @mine  0 who serves, 1 who returns */
static enum hop
play_batch(const struct rally_court *c, unsigned int batch, uint32_t mine,
	uint64_t until_ns)
{
	enum hop h = HOP_DONE;
	uint32_t count;
	_Atomic uint32_t *line = line_of(c, batch, &count);

	for (unsigned int i = 0; i < RALLY_ROUNDS && h == HOP_DONE; i++)
		h = hop(line, count + 2 * i + mine, until_ns);
	return h;
}

/* The other leaves when it comes to this batch. */
static void
leave(const struct rally_court *c, unsigned int batch)
{
	uint32_t count;

	atomic_store_explicit(
		line_of(c, batch, &count), RALLY_OVER, memory_order_release);
}

unsigned int
rally_serve(const struct rally_court *c, uint64_t enough_ns, uint64_t until_ns,
	uint32_t *batch_ns)
{
	unsigned int n = 0;
	bool warm = play_batch(c, 0, 0, until_ns) == HOP_DONE;
	bool well = warm;
	uint64_t from = rally_now_ns();

	while (well && n < RALLY_BATCHES && (n == 0 || from < enough_ns)) {
		uint64_t to;

		well = play_batch(c, n + 1, 0, until_ns) == HOP_DONE;
		to = rally_now_ns();
		batch_ns[n] = (uint32_t)(to - from);
		from = to;
		n += well ? 1 : 0;
	}
	/* the batch that did not succeed, or the one that would be next */
	leave(c, warm ? n + 1 : 0);
	return well ? n : 0;
}

bool
rally_return(const struct rally_court *c, uint64_t until_ns)
{
	unsigned int batch = 0;
	enum hop last;

	while ((last = play_batch(c, batch, 1, until_ns)) == HOP_DONE)
		batch++;
	if (last == HOP_LATE)
		leave(c, batch);
	return last == HOP_OVER;
}

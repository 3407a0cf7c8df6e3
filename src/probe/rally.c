// SPDX-License-Identifier: MIT
/*
 * The line holds a count: even, it is the server's turn; odd, the other's. A turn is
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

static bool
serve_batch(_Atomic uint32_t *line, uint32_t *turn, uint64_t until_ns)
{
	for (unsigned int i = 0; i < RALLY_ROUNDS; i++) {
		if (hop(line, *turn, until_ns) != HOP_DONE)
			return false;
		*turn += 2;
	}
	return true;
}

unsigned int
rally_serve(_Atomic uint32_t *line, uint64_t enough_ns, uint64_t until_ns,
	uint32_t *batch_ns)
{
	uint32_t turn = 0;
	unsigned int n = 0;
	bool well = serve_batch(line, &turn, until_ns);
	uint64_t from = rally_now_ns();

	while (well && n < RALLY_BATCHES && (n == 0 || from < enough_ns)) {
		uint64_t to;

		well = serve_batch(line, &turn, until_ns);
		to = rally_now_ns();
		batch_ns[n++] = (uint32_t)(to - from);
		from = to;
	}
	atomic_store_explicit(line, RALLY_OVER, memory_order_release);
	return well ? n : 0;
}

bool
rally_return(_Atomic uint32_t *line, uint64_t until_ns)
{
	enum hop last;
	uint32_t turn = 1;

	while ((last = hop(line, turn, until_ns)) == HOP_DONE)
		turn += 2;
	if (last == HOP_LATE)
		atomic_store_explicit(line, RALLY_OVER, memory_order_release);
	return last == HOP_OVER;
}

// SPDX-License-Identifier: MIT
/*
 * Virtual time: the part of libevent that the daemon uses, with a clock that jumps to
 * the next thing to do. The same header, event2/event.h, and this in the library's
 * place. One thread, no descriptors: what becomes readable, the model says.
 */
#ifndef QMPIN_TESTS_SIM_LOOP_H
#define QMPIN_TESTS_SIM_LOOP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define SECOND_US UINT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

/** The clock of a loop. Each look at it takes @step_us. */
const struct clock *loop_clock(struct event_base *base);
void loop_set_step(struct event_base *base, unsigned int step_us);

uint64_t loop_now_us(const struct event_base *base);

/** Once, @after_us from now. */
void loop_after(struct event *ev, uint64_t after_us);

/** Descriptors are only names here: whoever waits for this one is called soon. */
void loop_readable(struct event_base *base, int fd);

/** Called between any two callbacks. */
void loop_set_between(
	struct event_base *base, void (*between)(void *owner), void *owner);

/** Run what is due until @until_us, or until loop_break(). */
void loop_run(struct event_base *base, uint64_t until_us);
void loop_break(struct event_base *base);

/** Events that were made and not freed. */
unsigned int loop_n_events(const struct event_base *base);

#endif

// SPDX-License-Identifier: MIT
/*
 * The method Monitor of io.qmpin: decisions are told to those who follow. Nobody waits
 * for them: a decision is put down once, and each reader is told as fast as it reads;
 * one that is left too far behind is told that it has missed some.
 */
#ifndef QMPIN_DAEMON_TELLING_H
#define QMPIN_DAEMON_TELLING_H

#include <jansson.h>
#include <stddef.h>

#include "daemon/cause.h"

struct clock;
struct ctl_call;
struct event_base;
struct move;
struct telling;
struct vm;

/** Never NULL. @base and @clock are borrowed. */
struct telling *telling_new(struct event_base *base, const struct clock *clock);

/** Answers the calls that follow. NULL is allowed. */
void telling_free(struct telling *t);

/** The moves of one decision, as report_moves has left them; as there. */
void telling_moves(struct telling *t, const struct vm *vm, const struct move *moves,
	size_t n, enum cause cause, const char *pretence);

/** A call of the method; @owner is the engine. */
void telling_on_call(void *owner, struct ctl_call *call, const json_t *params);

#endif

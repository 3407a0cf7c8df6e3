// SPDX-License-Identifier: MIT
/*
 * A session on a connected descriptor: carries its bytes, keeps its deadlines, tells
 * what it tells. Does not care how the descriptor came about (dialled, accepted or
 * received), and never dials again: when it has ended, its owner decides.
 */
#ifndef QMPIN_QMP_LINK_H
#define QMPIN_QMP_LINK_H

#include <stdbool.h>

#include "base/clock.h"
#include "qmp/session.h"

struct event_base;
struct link;
struct rota;

struct link_options {
	const struct clock *clock;
	unsigned int session_ms; /* to capabilities */
	unsigned int query_ms;	 /* one observation or command */
	uint64_t last_id;	 /* see struct session_terms */
	struct rota *rota;	 /* of all links; NULL: it reads at any time */
};

/* Called from the event loop, never from link_new() or link_observe(). After one of the
 * two ends nothing more is told. The link may be freed inside. */
typedef void link_handler(
	void *owner, enum session_tell tell, const struct session_told *told);

/** New link on @fd, which it owns from now on. Never NULL. */
struct link *link_new(struct event_base *base, int fd,
	const struct link_options *options, link_handler *on_tell, void *owner);

/** See session_observe(), session_is_wanted() and session_is_busy(). */
void link_observe(struct link *l);
bool link_is_wanted(const struct link *l);
bool link_is_busy(const struct link *l);

/** See session_command(). */
void link_command(struct link *l, enum message_command command, const char *path);

/** The descriptor; borrowed. */
int link_fd(const struct link *l);

/** End the connection (for all who have a copy of it) and free; allowed inside its own
 * callback. NULL is allowed. */
void link_free(struct link *l);

#endif

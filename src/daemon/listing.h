// SPDX-License-Identifier: MIT
/*
 * Answers of one reply a VM, in slices: with a thousand VMs all at once would hold up
 * everything else.
 */
#ifndef QMPIN_DAEMON_LISTING_H
#define QMPIN_DAEMON_LISTING_H

#include <stdbool.h>

struct ctl_call;
struct engine;
struct listing;
struct vm;

/* The reply about a VM; @more replies follow. */
typedef void listing_reply(
	struct engine *e, struct ctl_call *call, const struct vm *vm, bool more);
/* The last reply where there is no VM, or none any more. */
typedef void listing_end(struct ctl_call *call);

/** Answer @call, which asked for more: VMs in order, as each is when its turn comes. */
void listing_start(struct engine *e, struct ctl_call *call, listing_reply *reply,
	listing_end *end);

/** End the answers that go on. */
void listing_stop(struct engine *e);

#endif

// SPDX-License-Identifier: MIT
/*
 * The threads of a stand-in: named as QEMU names them, on tiny stacks, asleep until
 * they are told to be busy or to end. Only the main thread calls these.
 */
#ifndef QMPIN_TESTS_FLEET_CREW_H
#define QMPIN_TESTS_FLEET_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CREW_MAX 320u

struct hand;

struct crew {
	size_t n;
	struct hand *hands[CREW_MAX];
};

/** A new thread with the mask of the caller. NULL: there are enough, or the kernel has
 * no more (errno says which). */
struct hand *crew_add(struct crew *crew, const char *name);

pid_t crew_tid(const struct hand *hand);
void crew_set_busy(struct hand *hand, bool busy);

/** End it, wait for that and free it. */
void crew_end(struct crew *crew, struct hand *hand);

#endif

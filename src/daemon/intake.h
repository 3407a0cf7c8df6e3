// SPDX-License-Identifier: MIT
/*
 * The newest result of a measuring child, until it is taken in: seldom enough that the
 * time this takes is no burden. Time comes in.
 */
#ifndef QMPIN_DAEMON_INTAKE_H
#define QMPIN_DAEMON_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct intake {
	char *text; /* owned; NULL: nothing */
	size_t len;
	bool is_new;	 /* not looked at yet */
	uint64_t due_us; /* not before */
};

/** A copy of @text takes the place of what is there. */
void intake_put(struct intake *in, const char *text, size_t len);

/** It is new, and it is time. */
bool intake_is_due(const struct intake *in, uint64_t now_us);

/** The last one has been looked at, from @began_us to @now_us. */
void intake_rest(struct intake *in, uint64_t began_us, uint64_t now_us);

/** Forget it, and not when the next one is due. */
void intake_drop(struct intake *in);

#endif

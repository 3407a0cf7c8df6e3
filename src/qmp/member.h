// SPDX-License-Identifier: MIT
/*
 * The members of a JSON object in its text, as spans of it. For objects that are known
 * to be well formed; others only give no or wrong spans inside them. Pure.
 */
#ifndef QMPIN_QMP_MEMBER_H
#define QMPIN_QMP_MEMBER_H

#include <stdbool.h>

#include "qmp/frame.h"

/** Where the walk is: begin with the text of the object. */
struct member_walk {
	struct frame_span rest;
};

/** The next member: its key with quotes, its value without blanks around it. False:
 * there is none. */
bool member_next(
	struct member_walk *w, struct frame_span *key, struct frame_span *value);

/** The first item of an array; false: it has none, or it is not an array. */
bool member_first_item(struct frame_span array, struct frame_span *item);

/** The member @key; false: there is none, or @object is not an object. */
bool member_find(struct frame_span object, const char *key, struct frame_span *value);

#endif

// SPDX-License-Identifier: MIT
/*
 * What QEMU says, passed on while it comes: objects are told apart by their first
 * member, and the id of a reply is exchanged for the client's, without ever holding
 * more than a key. Each object comes out on one line. Pure.
 */
#ifndef QMPIN_QMP_REPLY_H
#define QMPIN_QMP_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "qmp/frame.h"

/* Replies nest with the chains of images; QEMU's own limit for what it reads. */
#define REPLY_DEPTH_MAX 1024u
/* Longer than any first member, and than any id of ours. */
#define REPLY_WORD_MAX 64

enum reply_kind {
	REPLY_UNKNOWN, /* nothing but an id has been seen */
	REPLY_GREETING,
	REPLY_RETURN,
	REPLY_ERROR,
	REPLY_EVENT,
};

enum reply_step {
	REPLY_MORE,   /* all bytes are taken */
	REPLY_BEGINS, /* the kind is known, and nothing has been put out yet */
	REPLY_ENDS,   /* the object is whole */
	REPLY_BROKEN, /* this is not QMP; nothing more may be fed */
};

/* Zero-initialise. */
struct reply {
	enum reply_kind kind; /* of the object we are in, or that has just ended */
	bool has_id;
	char id[REPLY_WORD_MAX]; /* its value as it stands there; "" if it is longer */

	/* the module's own */
	unsigned int where;
	unsigned int depth;
	uint8_t is_array[REPLY_DEPTH_MAX / 8]; /* bit per level */
	bool quoted;
	bool escaped;
	bool ended;		   /* a step said so; the next one begins anew */
	bool in_id;		   /* in the value of the id, which is not put out */
	char word[REPLY_WORD_MAX]; /* the key as far as it has come */
	size_t word_len;
	size_t id_len;
	unsigned int members; /* put out */
};

/**
 * Take bytes up to the next thing to tell.
 *
 * @in   shrinks by what was taken
 * @id   a JSON value to put in place of a reply's id; NULL: put out none
 * @out  where the object is appended, with CR LF; NULL: nowhere. May change between
 *       calls, as @id may before REPLY_BEGINS is answered with the next call.
 */
MUST_CHECK enum reply_step reply_feed(struct reply *r, struct frame_span *in,
	const char *id, struct strbuf *out, struct err *e);

/** In the middle of an object. */
bool reply_is_partial(const struct reply *r);

#endif

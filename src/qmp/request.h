// SPDX-License-Identifier: MIT
/*
 * What one client says, cut into commands. A command is handed out only when QEMU would
 * take it for exactly one; all else is refused in QEMU's words, and as QEMU does it,
 * the reader then goes on behind it. Pure.
 */
#ifndef QMPIN_QMP_REQUEST_H
#define QMPIN_QMP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "qmp/frame.h"
#include "qmp/token.h"

/* One command. Those of tools have some hundred bytes, a transaction over many disks
 * some thousands; QEMU would take 64 MiB. */
#define REQUEST_BYTES_MAX (1u << 20)
/* QEMU's own limits; with more, it would see something else than we. */
#define REQUEST_DEPTH_MAX 1024u
#define REQUEST_TOKENS_MAX (2u << 20)
/* An id is kept while its command is under way and comes back with the reply. */
#define REQUEST_ID_MAX (16u << 10)
#define REQUEST_NAME_MAX 64

enum request_verdict {
	REQUEST_NONE,	  /* all bytes are taken, nothing is complete */
	REQUEST_COMMAND,  /* to be executed: see name, arguments, id */
	REQUEST_REFUSED,  /* to be answered with desc, and id where there is one */
	REQUEST_TOO_LONG, /* as REFUSED, and where the next one begins is unknown */
};

struct request {
	/* of the last verdict; spans and text are valid until the next call */
	struct frame_span id;	     /* value; len 0: none */
	struct frame_span arguments; /* value; len 0: none */
	char name[REQUEST_NAME_MAX]; /* what to execute; "" when longer than that */
	struct strbuf desc;	     /* escaped for JSON */

	/* the module's own */
	struct token token;
	struct strbuf text; /* from the first token on */
	size_t token_at;    /* in text */
	size_t tokens;
	int braces;
	int brackets;
	uint8_t is_array[REQUEST_DEPTH_MAX / 8]; /* bit per level */
	unsigned int depth;
	unsigned int expected;
	bool given; /* a verdict was; the next call begins anew */
};

/** Zero-initialised before the first call. @in shrinks by what was taken. */
MUST_CHECK enum request_verdict request_feed(struct request *r, struct frame_span *in);

/** Append the command as it came, with @id (a JSON value) instead of its own. Nothing
 * follows it: QEMU would leave that unread when it quits, which makes the end of the
 * session an error. */
void request_format(const struct request *r, const char *id, struct strbuf *out);

/** It may have changed threads or CPUs: everything but what is known only to read. */
bool request_may_change(const struct request *r);

/** Free what the last verdict left; the reader can go on. */
void request_fini(struct request *r);

#endif

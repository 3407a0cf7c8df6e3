// SPDX-License-Identifier: MIT
/* qmpin-probe's side of the two pipes to its parent. */
#ifndef QMPIN_PROBE_TALK_H
#define QMPIN_PROBE_TALK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "probe/wire.h"

struct talk {
	int in;
	int out;
	struct wire wire;
	struct strbuf queue; /* said and not yet taken by the reader */
	size_t sent;	     /* bytes of it that were */
};

/** Descriptors are borrowed; @out is made non-blocking where nobody shares it. */
void talk_init(struct talk *t, int in, int out);
void talk_fini(struct talk *t);

/** From now on the process ends by itself, at once and with status 0, when whoever
 * holds the other end of @in has gone. Returns 0 or a negative errno. */
MUST_CHECK int talk_end_with_parent(struct talk *t);

/** Read what has come; not to be called before there is something. Returns 0, -EPIPE
 * (end of file), -EPROTO or another errno. */
MUST_CHECK int talk_read(struct talk *t);

/** Queue a message. */
void talk_say(struct talk *t, const struct wire_message *m);

/** Queue a line of text; what does not fit into 500 bytes is cut. */
void talk_sayf(struct talk *t, enum wire_kind kind, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/** Everything that was said has been taken. */
bool talk_is_idle(const struct talk *t);

/** Write what the reader takes now. Returns 0 or a negative errno: it has gone. */
MUST_CHECK int talk_write(struct talk *t);

/** Wait until everything has been taken. Returns 0 or a negative errno. */
MUST_CHECK int talk_flush(struct talk *t);

#endif

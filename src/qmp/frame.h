// SPDX-License-Identifier: MIT
/*
 * A byte stream cut into whole JSON objects, without parsing them. Pure; does not care
 * where the bytes come from or how they are cut, and never holds more than one object.
 */
#ifndef QMPIN_QMP_FRAME_H
#define QMPIN_QMP_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

/* What one message may cost. The largest reply we ask for is query-cpus-fast of 4096
 * vCPUs: with every member QEMU knows, 400 bytes and 17 separators each, 1.7 MB and
 * 70000 values, 5 levels deep. 100000 values cost jansson at most 16 MB for a moment.
 */
#define FRAME_BYTES_MAX (4u << 20)
#define FRAME_DEPTH_MAX 32u
#define FRAME_VALUES_MAX 100000u

/* Borrowed bytes; need not be terminated. */
struct frame_span {
	const char *bytes;
	size_t len;
};

/* Zero-initialise; free with frame_fini. Members are the module's own. */
struct frame {
	struct strbuf partial; /* an object that came in pieces */
	size_t seen;	       /* bytes since the last whole object, blanks too */
	unsigned int depth;    /* open brackets; 0 between objects */
	bool quoted;
	bool escaped;
	bool given; /* partial was handed out by the last call */
};

/**
 * Take bytes from the front of @in up to the end of the next object.
 *
 * @in      shrinks by what was taken
 * @object  written only when 1 is returned; valid until the next call and as long as
 *          the bytes of @in. Brackets balance; more is not promised.
 *
 * Returns 1 (an object), 0 (all of @in is taken, no object is complete), -E2BIG (over
 * FRAME_BYTES_MAX without a whole object, or over FRAME_DEPTH_MAX) or -EBADMSG
 * (something else than an object). After an error the stream is lost.
 */
MUST_CHECK int frame_next(struct frame *f, struct frame_span *in,
	struct frame_span *object, struct err *e);

void frame_fini(struct frame *f);

#endif

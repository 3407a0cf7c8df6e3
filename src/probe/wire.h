// SPDX-License-Identifier: MIT
/*
 * What qmpin-probe and its parent say to each other on the child's stdin and stdout.
 * The child only measures; files are the parent's. Pure. Lines, ended by a newline:
 *
 * child -> parent
 *   progress VISITS VISITS_TOTAL PAIRS PAIRS_TOTAL TEXT
 *                   TEXT says what is being done
 *   note TEXT       something the user should know
 *   result LENGTH   and LENGTH bytes of probe/cache.h's text: the best there is so far;
 *                   may come often
 *   done            the last line of a run that went well
 *   failed TEXT     the last line of one that did not
 *
 * parent -> child
 *   known LENGTH    and LENGTH bytes of such a text: results to build upon
 *   avoid CPULIST   CPUs to be left for later; may come again at any time
 *   go              begin
 *   (end of file)   stop, at once
 */
#ifndef QMPIN_PROBE_WIRE_H
#define QMPIN_PROBE_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/lineframe.h"
#include "base/str.h"

/* Longer than the longest cpulist (CPUSET_TEXT_MAX). */
#define WIRE_LINE_MAX 8192u

enum wire_kind {
	WIRE_PROGRESS,
	WIRE_NOTE,
	WIRE_RESULT,
	WIRE_DONE,
	WIRE_FAILED,
	WIRE_KNOWN,
	WIRE_AVOID,
	WIRE_GO,
};

/* One message; valid until the framer is fed or advanced again. */
struct wire_message {
	enum wire_kind kind;
	unsigned int visits; /* of WIRE_PROGRESS, as in schedule_progress */
	unsigned int visits_total;
	unsigned int pairs;
	unsigned int pairs_total;
	/* The text of progress, note, failed and avoid, NUL-terminated; the bytes of
	 * result and known, without a NUL. Never NULL from wire_next. */
	const char *text;
	size_t len;
};

/* Bytes in, messages out. */
struct wire {
	struct lineframe frame;
};

void wire_init(struct wire *w);
void wire_fini(struct wire *w);

/** Add bytes. Returns 0 or -EPROTO (over a cap: messages are to be taken out before
 * more comes in). */
MUST_CHECK int wire_feed(struct wire *w, const char *bytes, size_t len);

/** The next whole message. Returns 1, 0 (none yet) or -EPROTO with @e. */
MUST_CHECK int wire_next(struct wire *w, struct wire_message *out, struct err *e);

/**
 * Append a message.
 *
 * @m  text of a line may be NULL; newlines in it become blanks, and what a line cannot
 *     hold is cut. Bytes of result and known are at most CACHE_BYTES_MAX.
 */
void wire_put(struct strbuf *out, const struct wire_message *m);

#endif

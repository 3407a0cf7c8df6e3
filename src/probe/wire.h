// SPDX-License-Identifier: MIT
/*
 * What qmpin-probe and its parent say to each other on the child's stdin and stdout.
 * The child only measures; files are the parent's. Pure.
 *
 *   child -> parent   progress VISITS VISITS_TOTAL PAIRS PAIRS_TOTAL PHASE TEXT...\n
 *                     note TEXT...\n            something the user should know
 *                     result LENGTH\n           and LENGTH bytes of probe/cache.h's
 * text; the best there is so far; may come often done\n                    the last
 * line of a run that went well failed TEXT...\n          the last line of one that did
 * not parent -> child   known LENGTH\n            and such a text: results to build
 * upon avoid CPULIST\n           CPUs to be left for later go\n begin end of file stop,
 * at once
 */
#ifndef QMPIN_PROBE_WIRE_H
#define QMPIN_PROBE_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

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
	const char *text; /* NUL-terminated: progress, note, failed, avoid; or the bytes
			   * of result and known */
	size_t len;
};

/* Bytes in, messages out. */
struct wire {
	char *buf;
	size_t len;
	size_t cap;
	size_t done; /* bytes of the message handed out last */
	int status;  /* -EPROTO: what came is none of ours, and nothing more is read */
};

void wire_init(struct wire *w);
void wire_fini(struct wire *w);

/** Add bytes. Returns 0 or -EPROTO (over a cap). */
MUST_CHECK int wire_feed(struct wire *w, const char *bytes, size_t len);

/** The next whole message. Returns 1, 0 (none yet) or -EPROTO with @e. */
MUST_CHECK int wire_next(struct wire *w, struct wire_message *out, struct err *e);

#endif

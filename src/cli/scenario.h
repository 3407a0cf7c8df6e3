// SPDX-License-Identifier: MIT
/*
 * Scenario files: one line of JSON is one event for place/replay. docs/plan.md has the
 * format. Pure.
 */
#ifndef QMPIN_CLI_SCENARIO_H
#define QMPIN_CLI_SCENARIO_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "place/replay.h"

/* Caps: of a line, and of guest nodes (as QEMU). */
#define SCENARIO_LINE_MAX (1024u * 1024u)
#define SCENARIO_GUEST_NODES_MAX 128u
/* Largest memory, in GiB: 2^52 bytes, which is all that x86 can address. */
#define SCENARIO_GIB_MAX 4194304.0
/* Unknown keys that are told; then no more. */
#define SCENARIO_UNKNOWN_MAX 16u

struct scenario_unknown {
	char key[64];
	unsigned int line;
};

/* Where the reading is. */
struct scenario {
	const char *name;  /* of the file, for messages; borrowed */
	unsigned int line; /* that was read last; 0: none */
	unsigned int n_unknown;
	struct scenario_unknown unknown[SCENARIO_UNKNOWN_MAX];
};

/** Read from the beginning. */
struct scenario scenario_new(const char *name);

/**
 * Read the next line.
 *
 * @text  @len bytes without the end of line; need not be terminated
 * @out   replay_event_fini it; written only with 1
 *
 * Keys that no event has are added to s->unknown, each once.
 *
 * Returns 1, 0 (a line of blanks), -ERANGE (an event that cannot be: a number beyond
 * its bounds, lists that do not fit each other), -EINVAL (what is needed is missing, or
 * is something else), -EBADMSG (not a JSON object) or -E2BIG (over a cap); @e has name,
 * line, VM and key.
 */
MUST_CHECK int scenario_read(struct scenario *s, const char *text, size_t len,
	struct replay_event *out, struct err *e);

#endif

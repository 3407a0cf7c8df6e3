// SPDX-License-Identifier: MIT
/*
 * What the daemon says, read by tests: stderr goes into a buffer and, so that a failed
 * test shows it, also where it went before.
 */
#ifndef QMPIN_TESTS_LOGCATCH_H
#define QMPIN_TESTS_LOGCATCH_H

#include <stdio.h>

#include "base/str.h"

struct logcatch {
	struct strbuf text;
	FILE *before;
};

/** @c stays where it is until logcatch_fini. */
void logcatch_init(struct logcatch *c);
void logcatch_fini(struct logcatch *c);

/** How often @text was said. */
unsigned int logcatch_count(const struct logcatch *c, const char *text);

/** Forget what was said. */
void logcatch_forget(struct logcatch *c);

#endif

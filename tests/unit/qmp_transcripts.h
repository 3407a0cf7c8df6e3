// SPDX-License-Identifier: MIT
/* What real QEMUs said, from tests/data/qmp, as the objects they sent. */
#ifndef QMPIN_TESTS_QMP_TRANSCRIPTS_H
#define QMPIN_TESTS_QMP_TRANSCRIPTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct transcript {
	char **objects; /* one JSON object each, as text without an end of line */
	size_t n;
	size_t cap;
};

/** @path with srcdir in front, in @buf. */
const char *data_path(const char *path, char *buf, size_t size);

/** Every message of every transcript, in a fixed order. Fails the test if there is
 * none. */
void transcripts_load(struct transcript *t);

/** The messages of one file, a name under tests/data/qmp. */
void transcript_load(struct transcript *t, const char *name);

void transcript_fini(struct transcript *t);

/** The bytes as they were on the wire; @eol ends each object. */
void transcript_bytes(const struct transcript *t, const char *eol, struct strbuf *out);

/** A file of text; free() it. Fails the test if it cannot be read. */
char *data_text(const char *name);

/** Small, repeatable random numbers. */
unsigned int next_random(unsigned int *seed, unsigned int below);

#endif

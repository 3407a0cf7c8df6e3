// SPDX-License-Identifier: MIT
/* The files of -o: what the name asks for, written whole or not at all. */
#ifndef QMPIN_CLI_OUTFILE_H
#define QMPIN_CLI_OUTFILE_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

enum outfile_kind {
	OUTFILE_CSV = 1 << 0,
	OUTFILE_JSON = 1 << 1,
	OUTFILE_XML = 1 << 2,
	OUTFILE_SVG = 1 << 3,
};

/**
 * What a file is to hold, by the end of its name.
 *
 * @kinds  bits of those that are possible
 * @out    written only on success
 *
 * Returns 0 or -EINVAL with @e, which lists them.
 */
MUST_CHECK int outfile_kind(
	const char *path, unsigned int kinds, enum outfile_kind *out, struct err *e);

/** Could it be written, as far as can be told before? For those who would work long for
 * it. Returns 0 or a negative errno with @e. */
MUST_CHECK int outfile_check(const char *path, struct err *e);

/**
 * Write. A file of that name is replaced in one step, a link by a file; what is no file
 * (/dev/stdout, a pipe) is written to.
 *
 * Returns 0 or a negative errno with @e; then nothing is left over, and a file that was
 * there is as it was.
 */
MUST_CHECK int outfile_write(
	const char *path, const char *bytes, size_t len, struct err *e);

/* The same of what comes bit by bit. */
struct outfile {
	const char *path; /* borrowed */
	char *temporary;  /* until it is whole; NULL: what is no file */
	int fd;
};

/** Begin; end with outfile_commit or outfile_drop. Returns 0 or a negative errno with
 * @e, and then nothing is begun. */
MUST_CHECK int outfile_open(struct outfile *f, const char *path, struct err *e);
MUST_CHECK int outfile_add(
	struct outfile *f, const char *bytes, size_t len, struct err *e);
/** It is whole: it gets its name. On failure nothing is left over. */
MUST_CHECK int outfile_commit(struct outfile *f, struct err *e);
/** It will not be whole: nothing is left over. */
void outfile_drop(struct outfile *f);

#endif

// SPDX-License-Identifier: MIT
/*
 * Small files of the kernel, and of trees that claim to be copies of them.
 */
#ifndef QMPIN_HOST_TEXTFILE_H
#define QMPIN_HOST_TEXTFILE_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

/**
 * Read a whole regular file as text. It ends at the first NUL byte if there is one
 * (some kernels write one) and loses its trailing white space.
 *
 * @cap   more bytes than this are an error
 * @text  new string, free() it; written only on success
 *
 * Returns 0, -ENOENT (not there; @e stays unset, since that is often no error), -EINVAL
 * (not a regular file), -ERANGE (over @cap) or another errno; @e names @path.
 */
MUST_CHECK int textfile_read(const char *path, size_t cap, char **text, struct err *e);

/** The same of a path relative to an open directory. */
MUST_CHECK int textfile_read_at(
	int dirfd, const char *path, size_t cap, char **text, struct err *e);

/** The text of a file below a root; new, or NULL: it cannot be read. */
char *textfile_below(const char *root, const char *name, size_t cap);

#endif

// SPDX-License-Identifier: MIT
/*
 * Compiler attributes and scope cleanup, in one place so that the rest of the code
 * spells them the same way.
 */
#ifndef QMPIN_BASE_ATTR_H
#define QMPIN_BASE_ATTR_H

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define UNUSED __attribute__((unused))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Scope cleanup: `auto_free char *s = NULL;` frees, `auto_close int fd = -1;` closes
 * (and keeps errno), on every way out. */
#define auto_free __attribute__((cleanup(cleanup_free)))
#define auto_close __attribute__((cleanup(cleanup_close)))

void cleanup_free(void *pp);
void cleanup_close(const int *fd);

#endif

// SPDX-License-Identifier: MIT
/*
 * Allocation that ends the process instead of failing. Allowed because sizes from
 * outside are capped before they come here and all state can be rebuilt from the
 * kernel and QMP after a restart.
 */
#ifndef QMPIN_BASE_XALLOC_H
#define QMPIN_BASE_XALLOC_H

#include <stddef.h>

#include "base/attr.h"

/** Zeroed array of @n items of @size bytes; never NULL, also for n = 0. */
void *xcalloc(size_t n, size_t size) __attribute__((malloc));

/** malloc() and realloc() for libraries that take them: some crash where these fail. */
void *xmalloc(size_t size) __attribute__((malloc));
MUST_CHECK void *xresize(void *p, size_t size);

/** Resize an array to @n items of @size bytes; new items are not zeroed. */
MUST_CHECK void *xrealloc(void *p, size_t n, size_t size);

/**
 * Make room for one more item behind the @len there are, doubling as needed.
 *
 * @items  the array (may be NULL with *cap 0)
 * @cap    items allocated; updated
 *
 * Returns the array, perhaps moved; never NULL.
 */
MUST_CHECK void *xgrow(void *items, size_t len, size_t *cap, size_t size);

char *xstrdup(const char *s) __attribute__((malloc));
char *xmemdupz(const char *s, size_t len) __attribute__((malloc));
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((malloc));

/** Free an array of @n texts, and them. NULL is allowed where @n is 0. */
void xfree_texts(char **texts, size_t n);

/** Take a pointer out of an auto_free variable: returns it and leaves NULL behind.
 * @pp is the address of the variable. */
MUST_CHECK void *take_ptr(void *pp);

/** Take a descriptor out of an auto_close variable: returns it and leaves -1. */
MUST_CHECK int take_fd(int *fd);

#endif
